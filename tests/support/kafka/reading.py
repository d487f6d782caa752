"""Everything in several topics, read with one consumer."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, ConsumerRecord

from tests.support.kafka.topics import MAX_FETCH

Topics = dict[str, list[ConsumerRecord]]


async def read_topics(bootstrap: str, topics: Sequence[str], isolation: str = "read_committed", within: float = 60) -> Topics:
    """What a reader of this isolation sees, once all that was written by now is decided; in order per partition.

    A commit is answered a moment before readers see it, so this waits; TimeoutError: a transaction is still open.
    """
    found: Topics = {topic: [] for topic in topics}
    async with asyncio.timeout(within):
        async with _consumer(bootstrap, topics, "read_uncommitted") as writers_view:
            ends = await writers_view.end_offsets(writers_view.assignment())
        async with _consumer(bootstrap, topics, isolation) as consumer:
            while unread := [where for where, end in ends.items() if await consumer.position(where) < end]:
                consumer.pause(*(ends.keys() - set(unread) - consumer.paused()))
                for where, records in (await consumer.getmany(timeout_ms=100)).items():
                    found[where.topic] += records
    return found


@asynccontextmanager
async def _consumer(bootstrap: str, topics: Sequence[str], isolation: str) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = AIOKafkaConsumer(
        *topics,
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
