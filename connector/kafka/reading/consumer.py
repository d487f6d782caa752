"""A consumer that no record stops: the one that everybody here reads with.

aiokafka decodes the names of headers as UTF-8, in C, and fails at each try on a batch that holds any other; librdkafka writes
any bytes. Here a batch is decoded in C first, at the price of before; only one that fails is decoded once more, in batches.py.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from struct import Struct
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.consumer.fetcher import Fetcher, PartitionRecords
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.errors import CorruptRecordException
from aiokafka.record.memory_records import MemoryRecords

from connector.kafka.clients import Client, known, using
from connector.kafka.cluster import Cluster
from connector.kafka.connection import begin, close, retrieved
from connector.kafka.reading.batches import records

START_S, CLOSE_S = 60.0, 2.0
"""Seconds that a consumer may take to start; and to stop, each step."""

FORMAT = 2
"""The one with headers."""

HEAD = Struct(">qiibIhi")
"""A batch's head: first offset, bytes after these two fields, epoch, format, checksum, attributes, last offset less the first."""

PREFIX_BYTES = 12
"""Bytes of those two fields."""

UNREADABLE = (
    "{topic}, partition {partition}: what lies there from offset {offset} on cannot be read ({why}): see docs/operations.md"
)


class Records(MemoryRecords):  # type: ignore[misc]
    """What a fetch brought of a partition, which can be looked at again."""

    def __init__(self, fetched: bytes) -> None:
        super().__init__(fetched)
        self._fetched = fetched

    def around(self, offset: int) -> bytes | None:
        """The batch that ends at this offset or behind it; None for a format without headers."""
        at = 0
        while at + HEAD.size <= len(self._fetched):
            first, length, _, format_, _, _, more = HEAD.unpack_from(self._fetched, at)
            if format_ < FORMAT:
                return None
            if first + more >= offset:
                return self._fetched[at : at + PREFIX_BYTES + length]
            at += PREFIX_BYTES + length
        return None


class Partition(PartitionRecords):  # type: ignore[misc]
    """Records of a partition as a consumer hands them out."""

    next_fetch_offset: int

    def _unpack_records(self) -> Iterator[Any]:
        """Raises CorruptRecordException where nothing can be read; what lies before that place is handed out first."""
        first = self.next_fetch_offset
        try:
            yield from self._whatever_they_are()
        except Exception as error:
            if self.next_fetch_offset == first:
                where = {"topic": self._tp.topic, "partition": self._tp.partition, "offset": first}
                raise CorruptRecordException(UNREADABLE.format(**where, why=error)) from error

    def _whatever_they_are(self) -> Iterator[Any]:
        while self._records.has_next():
            try:
                yield from super()._unpack_records()
            except (UnicodeDecodeError, CorruptRecordException):
                batch = self._records.around(self.next_fetch_offset)
                if batch is None:
                    raise
                yield from self._decoded(batch)

    def _decoded(self, batch: bytes) -> Iterator[Any]:
        for record in records(batch):
            if record.offset >= self.next_fetch_offset:  # else it was handed out, or not asked for
                self.next_fetch_offset = record.offset + 1
                yield self._consumer_record(self._tp, record)
        first, _, _, _, _, _, more = HEAD.unpack_from(batch)
        self.next_fetch_offset = first + more + 1  # also where compaction took the last of it


class TolerantFetcher(Fetcher):  # type: ignore[misc]
    """Makes the above of what brokers answer."""

    _proc_fetch_request = using(Fetcher._proc_fetch_request, MemoryRecords=Records, PartitionRecords=Partition)


class Coordinator(GroupCoordinator):  # type: ignore[misc]
    """The membership in a group."""

    def _do_commit_offsets(self, *told: Any) -> "asyncio.Future[None]":
        """Its error counts as seen: whoever waits for it may be cancelled first, and asyncio's shield forgets it then."""
        return retrieved(asyncio.ensure_future(super()._do_commit_offsets(*told)))


class Consumer(AIOKafkaConsumer):  # type: ignore[misc]
    """aiokafka's, and no record stops it."""

    __init__ = using(AIOKafkaConsumer.__init__, AIOKafkaClient=Client)
    start = using(AIOKafkaConsumer.start, Fetcher=TolerantFetcher, GroupCoordinator=Coordinator)

    async def knows(self, topics: Iterable[str]) -> None:
        """Return once the brokers told of these topics. Raises UnknownTopicOrPartitionError or TopicAuthorizationFailedError."""
        await known(self._client, sorted(set(topics)))

    async def take(self, places: Iterable[TopicPartition]) -> None:
        """Read these partitions. Raises as knows."""
        places = list(places)
        await self.knows(place.topic for place in places)
        self.assign(places)


@asynccontextmanager
async def open_consumer(
    cluster: Cluster,
    isolation: str = "read_committed",
    *,
    topics: Iterable[str] = (),
    within: float = START_S,
    closing: float = CLOSE_S,
    attentive: bool = False,
    **settings: Any,
) -> AsyncIterator[Consumer]:
    """A consumer that is started, and closed for certain. It commits nothing by itself, and begins at the first record.

    `within`: seconds to start in; `closing`: seconds that each step of closing may take; `attentive`: see Cluster;
    `settings`: see AIOKafkaConsumer.
    Raises TimeoutError in words, else aiokafka's errors.
    """
    settings = {"enable_auto_commit": False, "auto_offset_reset": "earliest", **settings}
    arguments = cluster.attentive if attentive else cluster.arguments
    opened = Consumer(*topics, **arguments, isolation_level=isolation, **settings)
    try:
        await begin(opened.start, within)
        yield opened
    finally:
        await close(opened, closing)
