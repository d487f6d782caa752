"""One fenced transactional producer per work partition, and the transaction that carries a bundle.

Traps of aiokafka 0.14 that shape this file: `commit_transaction()` commits even if a batch failed, so every
send is awaited before; `start`, `commit` and `stop` can hang for ever, so each has a deadline; two transactions
right after each other cost 20 ms of client backoff, so a pause is left between them. After any error the
producer is thrown away: the next one's InitProducerId ends whatever was left open.
"""

import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import chain
from typing import Any

from aiokafka.errors import RequestTimedOutError
from aiokafka.structs import RecordMetadata

from connector.errors import TransactionLost
from connector.kafka.clients import Producer, known
from connector.kafka.cluster import Cluster
from connector.kafka.connection import begin, retrieved
from connector.kafka.errors import transacting
from connector.kafka.records import OVERHEAD_BYTES, Place, Record, partition_of
from connector.kafka.writing.refusals import late, refused

BATCH_BYTES = 1 << 20
"""Uncompressed bytes of a batch: the default 16 kB costs half again as much CPU here and ten times the broker's."""

TRANSACTION_TIMEOUT_S = 20.0
"""Seconds after which the broker ends an owner's open transaction: read_committed readers wait no longer."""

STEP_S = 15.0
"""Seconds for one step with the broker: less than TRANSACTION_TIMEOUT_S, so that the broker never ends it first."""

PAUSE_S = 0.005
"""Seconds between two transactions, while the broker still writes the last one's markers."""


LOOK_S = 2.0
"""Seconds without an answer after which the brokers are asked whether the topics are still there."""

METADATA_AGE_MS = 60_000
"""Milliseconds after which it is seen that a topic has more partitions, or is gone, while all is well."""

MADE_AGAIN = "topic {topic} was made anew, or has lost records: partition {partition} goes on at offset {offset} again"


@dataclass(frozen=True, slots=True)
class Tuning:
    """What differs between deployments."""

    compression: str = "zstd"
    deadline: float = STEP_S
    largest: int = BATCH_BYTES
    """Bytes that every topic takes in one batch: a larger batch would be refused, and sent again for ever."""

    @property
    def batch_bytes(self) -> int:
        """Bytes of a batch before compression: what cannot be compressed grows by 1/255."""
        return min(BATCH_BYTES, self.largest - self.largest // 255 - OVERHEAD_BYTES)


class FencedProducer:
    """Writes bundles of records, each in a transaction of its own. Not to be shared: one writer calls it."""

    def __init__(self, producer: Producer, partition: int, deadline: float) -> None:
        self._producer = producer
        self._partition = partition
        self._deadline = deadline
        self._ended = 0.0
        self._counts: dict[str, int] = {}
        self._ends: dict[Place, int] = {}

    async def transaction(self, records: Iterable[Record], agreed: Callable[[], Awaitable[None]] | None = None) -> None:
        """Send all records and commit, unless `agreed`, asked when they lie there and are not decided, raises.

        Raises Fenced or TransactionLost, or what `agreed` does; then this producer is of no more use.
        """
        await asyncio.sleep(max(0.0, self._ended + PAUSE_S - time.monotonic()))
        self._producer.refusals.clear()
        with transacting(self._partition):
            async with self._in_time():
                await self._producer.begin_transaction()
                await self._send(records)
                if agreed is not None:
                    await agreed()
                await self._producer.commit_transaction()
        self._ended = time.monotonic()

    @asynccontextmanager
    async def _in_time(self) -> AsyncIterator[None]:
        """Raises TransactionLost where it takes too long, and why."""
        try:
            async with asyncio.timeout(self._deadline):
                yield
        except (TimeoutError, RequestTimedOutError) as error:
            raise late(self._partition, self._deadline, self._producer) from error

    def size_of(self, record: Record) -> int:
        """Bytes of a batch with nothing but this record, compressed."""
        batch = self._producer.create_batch()
        _append(batch, record, int(time.time() * 1000))
        return len(batch._build())

    async def _send(self, records: Iterable[Record]) -> None:
        sent: dict[asyncio.Future[RecordMetadata], str] = {}
        for (topic, partition), queue in (await self._by_partition(records)).items():
            for batch in self._batches(queue):
                sent[retrieved(await self._producer.send_batch(batch, topic, partition=partition))] = topic
        for written in await self._written(sent):
            self._see(written)

    async def _written(self, sent: Mapping["asyncio.Future[RecordMetadata]", str]) -> list[RecordMetadata]:
        """What is refused for its topic's sake is told with it; a topic that is gone is noticed while it is waited for."""
        waiting = set(sent)
        while waiting:
            done, waiting = await asyncio.wait(waiting, timeout=LOOK_S, return_when=asyncio.FIRST_EXCEPTION)
            failed = {future: error for future in done if (error := future.exception())}
            if failed:
                raise refused(self._partition, {sent[future]: error for future, error in failed.items()})
            if waiting:
                topics = {sent[future] for future in waiting}
                await self._producer.client.follow(topics)
                await known(self._producer.client, topics)
        return [future.result() for future in sent]

    def _see(self, written: RecordMetadata) -> None:
        """Raises TransactionLost where a partition ends before where it ended before: it was made anew, or has lost records."""
        place, offset = Place(written.topic, written.partition), written.offset
        if 0 <= offset < self._ends.get(place, 0):  # -1: written before, and where is not told
            raise TransactionLost(
                MADE_AGAIN.format(topic=place.topic, partition=place.partition, offset=offset), topic=place.topic
            )
        self._ends[place] = offset + 1

    async def _by_partition(self, records: Iterable[Record]) -> Mapping[tuple[str, int], list[Record]]:
        queues: dict[tuple[str, int], list[Record]] = defaultdict(list)
        for record in records:
            partition, count = record.partition, await self._partitions(record.topic)
            if partition is None:
                partition = partition_of(record.key, count)
            elif partition >= count:
                raise TransactionLost(f"topic {record.topic} has no partition {partition}, only {count}", topic=record.topic)
            queues[record.topic, partition].append(record)
        return queues

    async def _partitions(self, topic: str) -> int:
        """Partitions, as told last. Another number than before puts keys elsewhere: TransactionLost, and all begins anew."""
        client = self._producer.client
        if (there := client.cluster.partitions_for_topic(topic)) is None:
            await known(client, [topic])
            there = client.cluster.partitions_for_topic(topic)
        count = len(there)
        if (before := self._counts.setdefault(topic, count)) != count:
            raise TransactionLost(f"topic {topic} has {count} partitions, and had {before} before", topic=topic)
        return count

    def _batches(self, records: list[Record]) -> Iterable[Any]:
        now = int(time.time() * 1000)
        batch = self._producer.create_batch()
        for record in records:
            if not _append(batch, record, now):
                yield batch
                batch = self._producer.create_batch()
                _append(batch, record, now)  # a batch always takes its first record
        yield batch


def _append(batch: Any, record: Record, timestamp: int) -> bool:
    return batch.append(timestamp=timestamp, key=record.key, value=record.value, headers=list(record.headers)) is not None


@asynccontextmanager
async def fenced_producer(
    cluster: Cluster, transactional_id: str, partition: int, tuning: Tuning = Tuning()
) -> AsyncIterator[FencedProducer]:
    """Start a producer: from then on every older one of this id is fenced and its transaction ended.

    Raises Fenced or TransactionLost.
    """
    producer = Producer(
        **cluster.arguments,
        transactional_id=transactional_id,
        transaction_timeout_ms=int(TRANSACTION_TIMEOUT_S * 1000),
        compression_type=None if tuning.compression == "none" else tuning.compression,
        max_batch_size=tuning.batch_bytes,
        request_timeout_ms=int(tuning.deadline * 1000),
        metadata_max_age_ms=METADATA_AGE_MS,
    )
    try:
        with transacting(partition):
            await begin(producer.start, tuning.deadline)
        yield FencedProducer(producer, partition, tuning.deadline)
    finally:
        await throw_away(producer)


async def throw_away(producer: Producer) -> None:
    """Close the sockets without flushing: what was not committed must not be. stop() would first try to deliver it."""
    producer._closed = True
    for unseen in _unseen(producer):
        retrieved(unseen)
    sending = producer._sender.sender_task
    if sending is not None:
        sending.cancel()  # awaited by wait(): awaiting the task itself would cancel us, if it had not begun yet
        await asyncio.wait([sending], timeout=1.0)
    with contextlib.suppress(Exception):
        async with asyncio.timeout(1.0):
            await producer.client.close()
    if sending is not None and not sending.done():
        await asyncio.wait([sending], timeout=1.0)  # its requests fail, now that their sockets are closed


def _unseen(producer: Producer) -> Iterator["asyncio.Future[Any]"]:
    """Futures in which aiokafka leaves the error that ended it."""
    batches = producer._message_accumulator
    for batch in [*chain.from_iterable(batches._batches.values()), *batches._pending_batches]:
        yield from (batch.future, batch._drain_waiter)
    ends = (producer._sender.sender_task, producer._txn_manager._transaction_waiter)
    yield from (end for end in ends if end is not None)
