"""Reading aids for tests: everything in a topic, a topic's settings, a topic with given ones."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import for_code

from connector.kafka.reading.consumer import Consumer

MAX_FETCH = 32 << 20


@asynccontextmanager
async def admin(bootstrap: str) -> AsyncIterator[AIOKafkaAdminClient]:
    """An admin client, closed at the end."""
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        await client.start()
        yield client
    finally:
        await client.close()


async def create_topic(bootstrap: str, topic: str, partitions: int = 1, **settings: str) -> None:
    """Make a topic (settings as `cleanup_policy="compact"`) and wait until every partition has a leader."""
    configs = {name.replace("_", "."): value for name, value in settings.items()}
    async with admin(bootstrap) as client:
        reply = await client.create_topics([NewTopic(topic, partitions, 1, topic_configs=configs)])
        for name, code, *message in reply.topic_errors:
            if code:
                raise for_code(code)(f"{name}: {message}")
        async with asyncio.timeout(15):
            while not await _has_leaders(client, topic, partitions):  # noqa: ASYNC110  the broker has no event for it
                await asyncio.sleep(0.02)


async def _has_leaders(client: AIOKafkaAdminClient, topic: str, partitions: int) -> bool:
    (described,) = await client.describe_topics([topic])
    leaders = [partition["leader"] for partition in described["partitions"]]
    return len(leaders) == partitions and all(leader >= 0 for leader in leaders)


async def partition_count(bootstrap: str, topic: str) -> int:
    """How many partitions the topic has; LookupError where there is no such topic."""
    async with admin(bootstrap) as client:
        (described,) = await client.describe_topics([topic])
    if described["error_code"]:
        raise LookupError(f"no topic {topic}: {for_code(described['error_code']).__name__}")
    return len(described["partitions"])


async def topic_settings(bootstrap: str, topic: str) -> dict[str, str]:
    """All settings of a topic as the broker names them."""
    async with admin(bootstrap) as client:
        replies = await client.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
    ((code, message, _, _, entries),) = (resource for reply in replies for resource in reply.resources)
    if code:
        raise for_code(code)(message)
    return {name: value for name, value, *_ in entries}


async def end_offsets(bootstrap: str, topic: str, isolation: str = "read_committed") -> dict[int, int]:
    """Partition → the offset up to which a reader of this isolation can read now."""
    partitions = await partition_count(bootstrap, topic)
    async with _reader(bootstrap, isolation) as consumer:
        return {partition.partition: end for partition, end in (await _ends(consumer, topic, partitions)).items()}


async def read_all(
    bootstrap: str, topic: str, isolation: str = "read_committed", within: float = 30, *, decided: bool = True
) -> list[ConsumerRecord]:
    """Every record that a reader of this isolation can see as of now, in order per partition; TimeoutError after `within` s.

    `decided`: wait for the markers of transactions below the high watermark: they come a moment after the commit is
    acknowledged.
    """
    async with asyncio.timeout(within), _reader(bootstrap, isolation) as consumer:
        upto = await end_offsets(bootstrap, topic, "read_uncommitted" if decided else isolation)
        ends = {TopicPartition(topic, partition): end for partition, end in upto.items()}
        consumer.assign(list(ends))
        await consumer.seek_to_beginning()
        return [record async for record in _until(consumer, ends)]


async def _until(consumer: AIOKafkaConsumer, ends: dict[TopicPartition, int]) -> AsyncIterator[ConsumerRecord]:
    # Positions, not records, say when the end is reached: it may lie behind markers, aborted batches or compacted records.
    while unread := [partition for partition, end in ends.items() if await consumer.position(partition) < end]:
        consumer.pause(*(ends.keys() - set(unread) - consumer.paused()))
        for partition, records in (await consumer.getmany(timeout_ms=100)).items():
            for record in records:
                if record.offset < ends[partition]:
                    yield record


@asynccontextmanager
async def _reader(bootstrap: str, isolation: str) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = Consumer(
        bootstrap_servers=bootstrap,
        isolation_level=isolation,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=50,
        max_partition_fetch_bytes=MAX_FETCH,
    )
    try:
        await consumer.start()
        yield consumer
    finally:
        await consumer.stop()


async def _ends(consumer: AIOKafkaConsumer, topic: str, partitions: int) -> dict[TopicPartition, int]:
    return dict(await consumer.end_offsets([TopicPartition(topic, partition) for partition in range(partitions)]))
