"""How far topics reach: how many partitions they have, and where those end. No topic is made by asking."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from aiokafka.errors import KafkaError, TopicAuthorizationFailedError, UnknownTopicOrPartitionError, for_code
from aiokafka.protocol.offset import OffsetRequest

from connector.kafka.clients import GRACE_S, LOOK_S, Admin, administering
from connector.kafka.cluster import Cluster
from connector.kafka.creating import DESCRIBED_MAX
from connector.kafka.records import Place

WITHIN_S = 30.0
"""Seconds for all of it."""

REQUEST_PLACES_MAX = 1000
"""Partitions that are asked about in one request."""

ALL, LATEST = 0, -1
"""Kafka's numbers for read_uncommitted, and for the end."""

Leaders = dict[str, dict[int, int]]
"""Topic → partition → the broker that leads it, -1 for none."""


class Extent(NamedTuple):
    """The extent of a topic. `end`: the sum of its partitions' ends; 0: nothing was ever written to it."""

    partitions: int
    end: int


async def extents(cluster: Cluster, names: Iterable[str]) -> dict[str, Extent]:
    """The topics that exist; one is missing here only if the brokers say for seconds that there is none.

    Raises TopicAuthorizationFailedError with the topic's name, TimeoutError, and aiokafka's other errors.
    """
    async with asyncio.timeout(WITHIN_S), administering(cluster) as admin:
        leaders = await _there(admin, sorted(set(names)))
        ends = await _ends(admin, leaders)
    return {topic: Extent(len(leaders[topic]), sum(ends[topic].values())) for topic in ends}


async def _there(admin: Admin, names: list[str]) -> Leaders:
    """A broker may learn of a new topic a moment later than others."""
    found, until = await _leaders(admin, names), asyncio.get_running_loop().time() + GRACE_S
    while (missing := [name for name in names if name not in found]) and asyncio.get_running_loop().time() < until:
        await asyncio.sleep(LOOK_S)
        found |= await _leaders(admin, missing)
    return found


async def _leaders(admin: Admin, names: list[str]) -> Leaders:
    found: Leaders = {}
    for start in range(0, len(names), DESCRIBED_MAX):
        for row in await admin.describe_topics(names[start : start + DESCRIBED_MAX]):
            if row["error_code"] == TopicAuthorizationFailedError.errno:
                raise TopicAuthorizationFailedError(row["topic"])
            if row["partitions"]:
                found[row["topic"]] = {part["partition"]: part["leader"] for part in row["partitions"]}
    return found


async def _ends(admin: Admin, leaders: Leaders) -> dict[str, dict[int, int]]:
    """Asked again while leaders change; without the topics that are gone meanwhile."""
    ends: dict[str, dict[int, int]] = {topic: {} for topic in leaders}
    while todo := {topic: leaders[topic].keys() - ends[topic].keys() for topic in ends if len(ends[topic]) < len(leaders[topic])}:
        for place, end in (await _asked(admin, leaders, todo)).items():
            ends[place.topic][place.partition] = end
        if any(len(ends[topic]) < len(leaders[topic]) for topic in todo):
            await asyncio.sleep(LOOK_S)
            leaders |= await _leaders(admin, list(todo))
            there = await _there(admin, list(todo))
            ends = {topic: found for topic, found in ends.items() if topic not in todo or topic in there}
    return ends


async def _asked(admin: Admin, leaders: Leaders, todo: Mapping[str, Iterable[int]]) -> dict[Place, int]:
    by_leader: dict[int, list[Place]] = defaultdict(list)
    for topic, partitions in todo.items():
        for partition in partitions:
            by_leader[leaders[topic][partition]].append(Place(topic, partition))
    found: dict[Place, int] = {}
    for leader, places in by_leader.items():
        for start in range(0, len(places) if leader >= 0 else 0, REQUEST_PLACES_MAX):
            found |= await _of_a_leader(admin, leader, places[start : start + REQUEST_PLACES_MAX])
    return found


async def _of_a_leader(admin: Admin, leader: int, places: list[Place]) -> dict[Place, int]:
    """Without those that it does not lead any more."""
    wanted: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for topic, partition in places:
        wanted[topic].append((partition, LATEST))
    answer = await admin._client.send(leader, OffsetRequest(-1, ALL, list(wanted.items())))
    found: dict[Place, int] = {}
    for topic, rows in answer.topics:
        for partition, code, *_, end in rows:
            _refuse(topic, code)
            if not code:
                found[Place(topic, partition)] = int(end)
    return found


def _refuse(topic: str, code: int) -> None:
    """Raises what does not pass by itself."""
    error: type[KafkaError] = for_code(code)
    if code and not error.retriable and error is not UnknownTopicOrPartitionError:
        raise error(topic)
