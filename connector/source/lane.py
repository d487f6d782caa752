"""A lane: one owned work partition with its fenced producer, its one writer, and the pollers of its shards.

The order is what makes it safe: prove membership, start the producer (which fences the one before and ends its
transaction), prove membership again, and only then read the positions back.
"""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from connector.clock import Clock
from connector.errors import TransactionLost
from connector.events import Listener, PartitionLost, PartitionOwned, TransactionEnded
from connector.kafka.ownership import Membership, watch
from connector.kafka.reading import read_back
from connector.kafka.records import Record
from connector.kafka.transactions import FencedProducer, Tuning, fenced_producer
from connector.source.bundles import Bundle
from connector.source.positions import Deployment, Position
from connector.source.schedule import backoff


class Polling(Protocol):
    """A poller of any kind."""

    async def run(self) -> None:
        """Poll until cancelled."""


@dataclass(frozen=True, slots=True)
class Shard:
    """An entity of an administration: where its position is kept, and how its poller is made."""

    administration: str
    entity: str
    positions: str
    poller: Callable[[Position, "Callable[[Bundle], asyncio.Future[None]]"], Polling]


@dataclass(frozen=True, slots=True)
class LaneParts:
    """What all lanes of a worker share."""

    arguments: Mapping[str, Any]
    deployment: Deployment
    shards: Callable[[int], Sequence[Shard]]
    status: Callable[[Sequence[Shard]], Sequence[Record]]
    tell: Listener
    clock: Clock
    tuning: Tuning
    status_interval: float = 4.0
    watch_interval: float = 2.0


class Writer:
    """The one writer of a lane: takes records in order, a transaction each."""

    def __init__(self, producer: FencedProducer, partition: int, tell: Listener, clock: Clock) -> None:
        self._producer = producer
        self._partition = partition
        self._tell = tell
        self._clock = clock
        self._queue: asyncio.Queue[tuple[Sequence[Record], asyncio.Future[None]]] = asyncio.Queue()
        self._closed = False

    def submit(self, records: Sequence[Record]) -> "asyncio.Future[None]":
        """Queue records; the future is done when they are committed, or fails with TransactionLost."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self._closed:
            _drop(done)
        else:
            self._queue.put_nowait((records, done))
        return done

    async def run(self) -> None:
        """Write until cancelled. Raises Fenced or TransactionLost: then nothing queued was or will be written."""
        try:
            while True:
                await self._write(*await self._queue.get())
        finally:
            self._closed = True
            while not self._queue.empty():
                _drop(self._queue.get_nowait()[1])

    async def _write(self, records: Sequence[Record], done: "asyncio.Future[None]") -> None:
        started, lost = self._clock.monotonic(), ""
        try:
            await self._producer.transaction(records)
            if not done.done():  # who waited may have been cancelled meanwhile
                done.set_result(None)
        except BaseException as error:
            lost = str(error) or type(error).__name__
            _drop(done)
            raise
        finally:
            self._tell(TransactionEnded(self._partition, len(records), self._clock.monotonic() - started, lost))


def _drop(done: "asyncio.Future[None]") -> None:
    """Whoever waits learns of it, and whoever set memory aside gets it back; nobody need be waiting."""
    if not done.done():
        done.set_exception(TransactionLost("dropped with the other bundles in hand"))
        done.exception()


class Lane:
    """Tenures of work partitions; see kafka.ownership.Tenure."""

    def __init__(self, parts: LaneParts) -> None:
        self._parts = parts

    async def __call__(self, partition: int, membership: Membership) -> None:
        """Work on a partition until cancelled, replacing the producer whenever a transaction is lost."""
        failures = 0
        while True:
            started = self._parts.clock.monotonic()
            try:
                await self._tenure(partition, membership)
            except TransactionLost as error:
                failures = failures + 1 if self._parts.clock.monotonic() - started < 60 else 1
                self._parts.tell(PartitionLost(partition, str(error)))
            await self._parts.clock.sleep(backoff(failures, self._parts.clock.chance()))

    async def _tenure(self, partition: int, membership: Membership) -> None:
        parts, started = self._parts, self._parts.clock.monotonic()
        await membership.prove(partition)
        name = f"{parts.deployment.group}.{partition}"
        async with fenced_producer(parts.arguments, name, partition, parts.tuning) as producer:
            await membership.prove(partition)
            shards = parts.shards(partition)
            positions = await self._positions(partition, shards)
            parts.tell(PartitionOwned(partition, parts.clock.monotonic() - started))
            writer = Writer(producer, partition, parts.tell, parts.clock)
            pollers = [self._poller(shard, positions[shard.positions], partition, writer) for shard in shards]
            await together(
                writer.run(),
                watch(membership, partition, parts.watch_interval),
                self._publish_status(shards, writer),
                *(poller.run() for poller in pollers),
            )

    async def _positions(self, partition: int, shards: Sequence[Shard]) -> Mapping[str, Mapping[bytes, bytes]]:
        topics = {shard.positions for shard in shards}
        return {topic: await read_back(self._parts.arguments, topic, partition) for topic in topics}

    def _poller(self, shard: Shard, positions: Mapping[bytes, bytes], partition: int, writer: Writer) -> Polling:
        deployment, key = self._parts.deployment, shard.entity.encode()

        def commit(bundle: Bundle) -> "asyncio.Future[None]":
            record = Record(shard.positions, key, deployment.encode(bundle.position), partition=partition)
            return writer.submit([*bundle.records, record])

        position = deployment.decode(positions.get(key))
        if deployment.adopt and key in positions:
            commit(Bundle(position))  # ours from now on: the deployment that wrote it refuses to go on
        return shard.poller(position, commit)

    async def _publish_status(self, shards: Sequence[Shard], writer: Writer) -> None:
        while shards:
            await self._parts.clock.sleep(self._parts.status_interval)
            await writer.submit(self._parts.status(shards))


async def together(*coroutines: Coroutine[Any, Any, None]) -> None:
    """Run all until one ends; cancel the others; raise its error, and only that one."""
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait(tasks)
