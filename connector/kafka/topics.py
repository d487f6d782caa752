"""Topics: what must be there, what is created, and which settings would lose data."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import TopicAlreadyExistsError, for_code

from connector.errors import Fatal

DEADLINE = 30.0
"""Seconds until every broker knows a new topic."""


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic the connector needs. `settings` are given when it is created.

    `fixed_partitions`: their number must stay as configured. `needs`: settings without which data would be lost.
    """

    name: str
    partitions: int
    replication: int
    settings: Mapping[str, str]
    fixed_partitions: bool = False
    needs: tuple[str, ...] = (
        "cleanup.policy",
        "max.message.bytes",
        "message.timestamp.type",
        "min.insync.replicas",
        "retention.ms",
        "retention.bytes",
    )


async def ensure(arguments: Mapping[str, Any], topics: Sequence[Topic]) -> list[str]:
    """Create what is missing; return one problem per line for what is wrong with the rest."""
    admin = AIOKafkaAdminClient(**arguments)
    try:
        await admin.start()
        there = set(await admin.list_topics())
        missing = [topic for topic in topics if topic.name not in there]
        await _create(admin, missing)
        return await _judge(admin, [topic for topic in topics if topic.name in there])
    finally:
        await admin.close()


async def problems(arguments: Mapping[str, Any], topics: Sequence[Topic]) -> list[str]:
    """What is wrong with the topics that exist. Creates nothing."""
    admin = AIOKafkaAdminClient(**arguments)
    try:
        await admin.start()
        there = set(await admin.list_topics())
        return await _judge(admin, [topic for topic in topics if topic.name in there])
    finally:
        await admin.close()


async def _create(admin: AIOKafkaAdminClient, missing: Sequence[Topic]) -> None:
    if not missing:
        return
    answer = await admin.create_topics(
        [NewTopic(topic.name, topic.partitions, topic.replication, topic_configs=dict(topic.settings)) for topic in missing]
    )
    for name, code, *message in answer.topic_errors:
        if code and for_code(code) is not TopicAlreadyExistsError:  # another worker may start at the same time
            raise Fatal(f"topic {name} cannot be created: {message[0] if message and message[0] else for_code(code).__name__}")
    async with asyncio.timeout(DEADLINE):
        while not all((await _partitions(admin, missing)).values()):  # noqa: ASYNC110 - brokers tell nobody when they know it
            await asyncio.sleep(0.05)


async def _partitions(admin: AIOKafkaAdminClient, topics: Sequence[Topic]) -> dict[str, int]:
    """Partitions with a leader, by topic."""
    described = await admin.describe_topics([topic.name for topic in topics])
    return {row["topic"]: sum(part["leader"] >= 0 for part in row["partitions"]) for row in described}


async def _judge(admin: AIOKafkaAdminClient, topics: Sequence[Topic]) -> list[str]:
    if not topics:
        return []
    described = await admin.describe_topics([topic.name for topic in topics])
    partitions = {row["topic"]: len(row["partitions"]) for row in described}
    settings = await _settings(admin, topics)
    found = []
    for topic in topics:
        found += judge(topic, partitions.get(topic.name, 0), settings.get(topic.name, {}))
    return found


async def _settings(admin: AIOKafkaAdminClient, topics: Sequence[Topic]) -> dict[str, dict[str, str]]:
    resources = [ConfigResource(ConfigResourceType.TOPIC, topic.name) for topic in topics]
    found: dict[str, dict[str, str]] = {}
    for answer in await admin.describe_configs(resources):
        for _code, _message, _kind, name, entries in answer.resources:
            found[name] = {entry[0]: entry[1] for entry in entries}
    return found


def judge(topic: Topic, partitions: int, settings: Mapping[str, str]) -> list[str]:
    """Problems of one existing topic. Pure."""
    found = []
    if topic.fixed_partitions and partitions != topic.partitions:
        found.append(f"topic {topic.name} has {partitions} partitions, not {topic.partitions}: set the configured number back")
    for name in topic.needs:
        wanted, actual = topic.settings.get(name), settings.get(name)
        if wanted is not None and actual is not None and not _enough(name, wanted, actual):
            found.append(f"topic {topic.name} has {name}={actual}, which would lose data: set it to {wanted}")
    return found


def _enough(name: str, wanted: str, actual: str) -> bool:
    if name == "cleanup.policy":
        return sorted(actual.split(",")) == sorted(wanted.split(","))
    if name == "message.timestamp.type":
        return actual == wanted
    if name.startswith("retention."):
        return int(actual) == -1 or (int(wanted) != -1 and int(actual) >= int(wanted))
    return int(actual) >= int(wanted)


async def existing(arguments: Mapping[str, Any]) -> dict[str, int]:
    """Topics there are, with their partition counts."""
    admin = AIOKafkaAdminClient(**arguments)
    try:
        await admin.start()
        names = await admin.list_topics()
        return {row["topic"]: len(row["partitions"]) for row in await admin.describe_topics(names)}
    finally:
        await admin.close()
