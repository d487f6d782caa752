"""Reading a partition up to now: all committed records, or the latest value of every key."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterable, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from itertools import chain
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from connector.errors import Fatal, Retry, TransactionLost
from connector.kafka.cluster import Cluster
from connector.kafka.connection import all_of
from connector.kafka.errors import only_we_cancel, transacting
from connector.kafka.reading.consumer import open_consumer
from connector.kafka.reading.slices import HANGS, READERS, STILL_S, SliceReader, asking
from connector.kafka.records import Place
from connector.kafka.topics import existing

HANGING = "{topic}, partition {partition}, cannot be read to its end" + HANGS

STUCK = "{topic}, partition {partition}: the Kafka client stands still at offset {offset}, and committed records lie behind it"
POLLS = 60
"""Tries of half a second without a record, after which a reader looks whether there are any."""

LOOK_S = 5.0
"""Seconds for that look."""


async def read_back(cluster: Cluster, topic: str, partition: int, still: float = STILL_S) -> dict[bytes, bytes]:
    """Latest committed value per key, up to the high watermark as of now; tombstones leave a key out.

    To be called after the own fenced producer has started: then no older owner's transaction is open here, and
    everything below the high watermark is decided. However long it takes: raises TransactionLost when nothing more has
    come for `still` seconds.
    """
    (found,) = (await read_back_all(cluster, [Place(topic, partition)], still)).values()
    return found


async def read_back_all(
    cluster: Cluster, places: Iterable[Place], still: float = STILL_S, turns: asyncio.Semaphore | None = None
) -> dict[Place, dict[bytes, bytes]]:
    """The same of many partitions at once, by one client. Raises as read_back.

    `turns` bounds the slices in memory at once; by default READERS of them.
    """
    wanted = list(places)
    if not wanted:
        return {}
    turns = turns or asyncio.Semaphore(READERS)
    with transacting(wanted[0].partition):
        async with asking(cluster, {place.topic for place in wanted}) as client:
            found = await all_of(*(_latest(SliceReader(client, place), turns, still) for place in wanted))
    return dict(zip(wanted, found, strict=True))


async def _latest(reader: SliceReader, turns: asyncio.Semaphore, still: float) -> dict[bytes, bytes]:
    """Compaction leaves the first offset as it was: to ask for it would cost as much as reading does."""
    latest: dict[bytes, bytes | None] = {}
    async with aclosing(reader.steps(0, turns=turns, still=still)) as steps:
        async for rows in steps:
            latest.update((row.key, row.value) for row in rows if row.key is not None)
    return {key: value for key, value in latest.items() if value is not None}


async def committed(cluster: Cluster, topic: str, partition: int) -> AsyncIterator[ConsumerRecord]:
    """All committed records of a partition below its high watermark as of now."""
    where = TopicPartition(topic, partition)
    end = await high_watermark(cluster, where)
    if not end:
        return
    async with open_consumer(cluster) as consumer:
        await consumer.take([where])
        await consumer.seek_to_beginning(where)
        while await consumer.position(where) < end:  # not the last record's offset: markers of transactions follow it
            for record in (await consumer.getmany(where, timeout_ms=200)).get(where, []):
                yield record


class PartitionReader:
    """Reads a partition from an offset on, as fast as it is asked to."""

    def __init__(
        self, consumer: AIOKafkaConsumer, where: TopicPartition, first: int, polls: int = POLLS, start: int | None = None
    ) -> None:
        self._consumer = consumer
        self._where = where
        self._polls = polls
        self._empty = 0
        self._seen: tuple[int, int] | None = None
        self.first = first
        """The lowest offset that Kafka still has, when this began."""
        self.start = first if start is None else start
        """Where it began."""

    @property
    def stable(self) -> tuple[int, int] | None:
        """The end of what is decided, and the end of everything, as the last fetch said; None before the first one."""
        stable, end = self._consumer.last_stable_offset(self._where), self._consumer.highwater(self._where)
        return None if stable is None or end is None else (int(stable), int(end))

    async def position(self) -> int | None:
        """The offset of the next record to come, markers of transactions passed over; None while the broker is away."""
        found = await self._asked(self._consumer.position(self._where))
        return None if found is None else int(found)

    async def log_start(self) -> int | None:
        """The lowest offset that Kafka still has; None while the broker is away."""
        found = await self._asked(self._consumer.beginning_offsets([self._where]))
        return None if found is None else int(found[self._where])

    async def _asked(self, question: Awaitable[Any]) -> Any:
        try:
            with only_we_cancel(), transacting(self._where.partition):
                async with asyncio.timeout(LOOK_S):
                    return await question
        except (Retry, TransactionLost):
            return None

    async def next(self, most: int) -> Sequence[ConsumerRecord]:
        """The next committed records, at most so many; none after half a second without any.

        Raises TransactionLost when there are some, and the client does not move, or cannot read them: a new one is needed.
        """
        with transacting(self._where.partition):
            found = await self._consumer.getmany(self._where, timeout_ms=500, max_records=most)
        records: Sequence[ConsumerRecord] = found.get(self._where, [])
        if records:
            self._empty, self._seen = 0, None
            return records
        self._empty += 1
        if self._empty % self._polls == 0:
            await self._must_move()
        return []

    async def _must_move(self) -> None:
        """What lay there at the last look must have come by this one: after `polls` more tries."""
        before, self._seen = self._seen, await self._look()
        if before and self._seen and self._seen[0] == before[0] < before[1]:
            raise TransactionLost(STUCK.format(topic=self._where.topic, partition=self._where.partition, offset=before[0]))

    async def _look(self) -> tuple[int, int] | None:
        """Where the client stands, and the end of what is committed; None while the broker is away: then nothing can come."""
        ends = await self._asked(self._consumer.end_offsets([self._where]))
        at = None if ends is None else await self.position()
        return None if at is None else (at, int(ends[self._where]))


@asynccontextmanager
async def reading_from(cluster: Cluster, place: Place, offset: int, polls: int = POLLS) -> AsyncIterator[PartitionReader]:
    """Committed records of a partition from an offset on, or from its first where that is higher. Raises TransactionLost.

    Also from its first where the partition ends before the offset: it was made anew, or cut.
    """
    where = TopicPartition(*place)
    async with AsyncExitStack() as stack:
        with transacting(place.partition):
            consumer = await stack.enter_async_context(open_consumer(cluster))
            await consumer.take([where])
            first = int((await consumer.beginning_offsets([where]))[where])
            start = first if offset > first and offset > await high_watermark(cluster, where) else max(first, offset)
            consumer.seek(where, start)
        yield PartitionReader(consumer, where, first, polls, start)


async def follow(cluster: Cluster, topics: Sequence[str], *, from_start: bool) -> AsyncIterator[ConsumerRecord]:
    """Committed records of topics as they come, for ever. Raises Fatal for a topic that does not exist."""
    if missing := sorted(set(topics) - set(await existing(cluster))):
        raise Fatal(f"topic {', '.join(missing)} does not exist: `run` creates it")
    reset = "earliest" if from_start else "latest"
    async with open_consumer(cluster, topics=topics, auto_offset_reset=reset) as consumer:
        while True:  # not the consumer's own iterator: that tries again for ever, in silence, what cannot be read
            for record in chain.from_iterable((await consumer.getmany(timeout_ms=1000)).values()):
                yield record


async def high_watermark(cluster: Cluster, where: TopicPartition) -> int:
    """The offset after the last record, committed or not."""
    async with open_consumer(cluster, "read_uncommitted") as consumer:
        await consumer.knows([where.topic])
        return int((await consumer.end_offsets([where]))[where])
