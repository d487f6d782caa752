"""Reading a partition up to now: all committed records, or the latest value of every key."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from connector.errors import Fatal, TransactionLost
from connector.kafka.connection import begin, close, transacting
from connector.kafka.records import Place
from connector.kafka.topics import existing

DEADLINE = 60.0
"""Seconds to read a partition back; measured: 4 s per million records."""

HANGING = (
    "{topic}, partition {partition}, cannot be read to its end: if that goes on, a transaction hangs there, "
    "which kafka-transactions.sh find-hanging shows; see docs/operations.md"
)
"""Not healed automatically: nobody can tell from outside whether it was committed."""

PATIENCE = 2.0
"""Seconds for closing a consumer, at most."""


async def read_back(arguments: Mapping[str, Any], topic: str, partition: int) -> dict[bytes, bytes]:
    """Latest committed value per key, up to the high watermark as of now; tombstones leave a key out.

    To be called after the own fenced producer has started: then no older owner's transaction is open here, and
    everything below the high watermark is decided. Raises TransactionLost.
    """
    with transacting(partition):
        try:
            async with asyncio.timeout(DEADLINE):
                latest = {record.key: record.value async for record in committed(arguments, topic, partition)}
        except TimeoutError as error:
            raise TransactionLost(HANGING.format(topic=topic, partition=partition)) from error
    return {key: value for key, value in latest.items() if value is not None}


async def committed(arguments: Mapping[str, Any], topic: str, partition: int) -> AsyncIterator[ConsumerRecord]:
    """All committed records of a partition below its high watermark as of now."""
    where = TopicPartition(topic, partition)
    end = await high_watermark(arguments, where)
    if not end:
        return
    consumer = AIOKafkaConsumer(
        **arguments, isolation_level="read_committed", auto_offset_reset="earliest", enable_auto_commit=False
    )
    try:
        await begin(consumer.start, DEADLINE)
        consumer.assign([where])
        await consumer.seek_to_beginning(where)
        while await consumer.position(where) < end:  # not the last record's offset: markers of transactions follow it
            for record in (await consumer.getmany(where, timeout_ms=200)).get(where, []):
                yield record
    finally:
        await close(consumer, PATIENCE)


class PartitionReader:
    """Reads a partition from an offset on, as fast as it is asked to."""

    def __init__(self, consumer: AIOKafkaConsumer, where: TopicPartition, first: int) -> None:
        self._consumer = consumer
        self._where = where
        self.first = first
        """The lowest offset that Kafka still has."""

    async def next(self, most: int) -> Sequence[ConsumerRecord]:
        """The next committed records, at most so many; none after half a second without any."""
        found = await self._consumer.getmany(self._where, timeout_ms=500, max_records=most)
        records: Sequence[ConsumerRecord] = found.get(self._where, [])
        return records


@asynccontextmanager
async def reading_from(arguments: Mapping[str, Any], place: Place, offset: int) -> AsyncIterator[PartitionReader]:
    """Committed records of a partition from an offset on, or from its first where that is higher. Raises TransactionLost."""
    where = TopicPartition(*place)
    consumer = AIOKafkaConsumer(
        **arguments, isolation_level="read_committed", auto_offset_reset="earliest", enable_auto_commit=False
    )
    try:
        with transacting(place.partition):
            await begin(consumer.start, DEADLINE)
            consumer.assign([where])
            first = int((await consumer.beginning_offsets([where]))[where])
            consumer.seek(where, max(first, offset))
        yield PartitionReader(consumer, where, first)
    finally:
        await close(consumer, PATIENCE)


async def follow(arguments: Mapping[str, Any], topics: Sequence[str], *, from_start: bool) -> AsyncIterator[ConsumerRecord]:
    """Committed records of topics as they come, for ever. Raises Fatal for a topic that does not exist."""
    if missing := sorted(set(topics) - set(await existing(arguments))):
        raise Fatal(f"topic {', '.join(missing)} does not exist: `run` creates it")
    reset = "earliest" if from_start else "latest"
    consumer = AIOKafkaConsumer(
        *topics, **arguments, isolation_level="read_committed", auto_offset_reset=reset, enable_auto_commit=False
    )
    try:
        await begin(consumer.start, DEADLINE)
        async for record in consumer:
            yield record
    finally:
        await close(consumer, PATIENCE)


async def high_watermark(arguments: Mapping[str, Any], where: TopicPartition) -> int:
    """The offset after the last record, committed or not."""
    consumer = AIOKafkaConsumer(**arguments, isolation_level="read_uncommitted")
    try:
        await begin(consumer.start, DEADLINE)
        return int((await consumer.end_offsets([where]))[where])
    finally:
        await close(consumer, PATIENCE)
