"""Topics: what must be there, what is created, and which settings would lose data."""

import asyncio
from collections.abc import Mapping, Sequence

from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import UnknownTopicOrPartitionError, for_code

from connector.errors import Fatal
from connector.kafka.clients import Admin, administering
from connector.kafka.cluster import Cluster
from connector.kafka.creating import DESCRIBED_MAX, Topic, create
from connector.kafka.reading.extents import Extent, extents

__all__ = ["Extent", "Topic", "delete", "ensure", "existing", "extents", "judge", "problems"]

CONFIGS_MAX = 100
"""Topics whose settings are asked for in one request: each answers some forty."""

COUNTED_S = 30.0
"""To reach a broker and to learn what topics there are."""

DELETED_S = 60.0
"""Within which a topic is gone that was deleted."""

UNSEEN = "the settings of topic {name} cannot be seen, and some would lose data ({why}): grant this user DescribeConfigs on it"

Settings = Mapping[str, str]


async def ensure(cluster: Cluster, topics: Sequence[Topic]) -> list[str]:
    """Create what is missing; return one problem per line for what is wrong with the rest. Raises Fatal, aiokafka's errors."""
    async with administering(cluster) as admin:
        there = set(await admin.list_topics())
        await create(admin, [topic for topic in topics if topic.name not in there])
        return await _judge(admin, [topic for topic in topics if topic.name in there])


async def problems(cluster: Cluster, topics: Sequence[Topic]) -> list[str]:
    """What is wrong with the topics that exist. Creates nothing."""
    async with administering(cluster) as admin:
        there = set(await admin.list_topics())
        return await _judge(admin, [topic for topic in topics if topic.name in there])


async def existing(cluster: Cluster) -> dict[str, int]:
    """Topics there are, with their partition counts."""
    async with administering(cluster) as admin:
        return {row["topic"]: len(row["partitions"]) for row in await admin.describe_topics()}


async def _judge(admin: Admin, topics: Sequence[Topic]) -> list[str]:
    partitions = await _partitions(admin, [topic.name for topic in topics])
    settings = await _settings(admin, [topic.name for topic in topics])
    found = []
    for topic in topics:
        found += judge(topic, partitions.get(topic.name, 0), settings.get(topic.name, "no answer"))
    return found


async def _partitions(admin: Admin, names: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for start in range(0, len(names), DESCRIBED_MAX):
        described = await admin.describe_topics(list(names[start : start + DESCRIBED_MAX]))
        found |= {row["topic"]: len(row["partitions"]) for row in described}
    return found


async def _settings(admin: Admin, names: Sequence[str]) -> dict[str, Settings | str]:
    """Settings by topic; or why they cannot be seen."""
    found: dict[str, Settings | str] = {}
    for start in range(0, len(names), CONFIGS_MAX):
        resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names[start : start + CONFIGS_MAX]]
        for answer in await admin.describe_configs(resources):
            for code, _message, _kind, name, entries in answer.resources:
                found[name] = for_code(code).__name__ if code else {entry[0]: entry[1] for entry in entries}
    return found


def judge(topic: Topic, partitions: int, settings: Settings | str) -> list[str]:
    """Problems of one existing topic; `settings` may be why they are not known. Pure."""
    found = [_recount(topic, partitions)] if topic.fixed_partitions and partitions != topic.partitions else []
    if isinstance(settings, str):
        return [*found, UNSEEN.format(name=topic.name, why=settings)]
    for name in topic.needs:
        wanted, actual = topic.settings.get(name), settings.get(name)
        if wanted is not None and actual is not None and not _enough(name, wanted, actual):
            found.append(f"topic {topic.name} has {name}={actual}, which would lose data: set it to {wanted}")
    return found


def _recount(topic: Topic, partitions: int) -> str:
    """What to do about another number of partitions. What lies in a topic lies where the number put it."""
    told = f"topic {topic.name} has {partitions} partitions, not {topic.partitions}"
    if topic.expendable:
        return f"{told}: {topic.expendable}, so stop all workers, delete it and start them: it is made with {topic.partitions}"
    return f"{told}: set {topic.counted} back to {partitions}"


def _enough(name: str, wanted: str, actual: str) -> bool:
    if name == "cleanup.policy":
        return sorted(actual.split(",")) == sorted(wanted.split(","))
    if name == "message.timestamp.type":
        return actual == wanted
    if name.startswith("retention."):
        return int(actual) == -1 or (int(wanted) != -1 and int(actual) >= int(wanted))
    return int(actual) >= int(wanted)


async def delete(cluster: Cluster, topics: Sequence[str]) -> None:
    """Delete topics, and wait until they are gone. Raises Fatal where that is not allowed, else aiokafka's errors."""
    async with administering(cluster) as admin:
        answer = await admin.delete_topics(list(topics))
        for name, code in answer.topic_error_codes:
            if code and for_code(code) is not UnknownTopicOrPartitionError:
                raise Fatal(f"topic {name} cannot be deleted: {for_code(code).__name__}")
        async with asyncio.timeout(DELETED_S):
            while set(topics) & set(await admin.list_topics()):  # noqa: ASYNC110 - brokers tell nobody when it is gone
                await asyncio.sleep(0.1)


async def partition_counts(cluster: Cluster, *topics: str, made_by: str = "run --roles commands") -> list[int]:
    """How many partitions each has. Raises Fatal for topics that do not exist: asking a broker about them might make them."""
    with cluster.reaching():
        async with asyncio.timeout(COUNTED_S):
            there = await existing(cluster)
    if missing := [topic for topic in topics if topic not in there]:
        raise Fatal(f"topic {', '.join(missing)} does not exist, or this user may not see it: `{made_by}` creates it")
    return [there[topic] for topic in topics]
