"""Who owns which partition: a Kafka consumer group spreads them, and one task runs per owned partition.

The group is only the spreading; what makes two owners harmless is the fenced producer that each task starts.
Traps of aiokafka that shape this file: no heartbeat is sent until a rebalance callback returns, so callbacks
only start and stop tasks; exceptions in them are swallowed, so tasks report by a future; `getmany` must be
called all the time, or the member is thought idle. Nothing is fetched by it: the partitions are paused.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from random import random
from typing import Protocol

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.errors import KafkaError

from connector.backoff import backoff
from connector.cancellation import ended
from connector.errors import Fatal, Fenced, Retry
from connector.events.base import Listener
from connector.events.kafka import PartitionFailed, PartitionLost, PartitionsAssigned, Rejoining
from connector.kafka.cluster import Cluster
from connector.kafka.connection import close
from connector.kafka.errors import only_we_cancel
from connector.kafka.reading.consumer import Consumer
from connector.kafka.records import Place
from connector.kafka.walls import in_a_line, spreads

REJOIN_PAUSE_S = 1.0
"""Seconds before joining again, so that two workers that fence each other come apart."""

FORGOTTEN_S = 60.0
"""Seconds of work after which an earlier failure no longer counts."""


class Membership(Protocol):
    """Proof that this worker is a member of the group, and the owner of a partition, right now."""

    async def prove(self, place: Place, offset: int | None = None) -> None:
        """Commit an offset (None: the committed one): the broker refuses a stale generation.

        Raises Fenced; Retry if nobody answers.
        """

    async def committed(self, place: Place) -> int:
        """The group's offset, 0 when it has none. Raises as prove."""


PartitionTask = Callable[[Place, Membership], Awaitable[None]]
"""Runs while a partition is owned; cancelled when it is revoked. Raises Fenced to let go of all, Fatal to stop everything.

Whatever else it raises costs its own partition only; see kafka.walls.
"""


class Ownership(ConsumerRebalanceListener):  # type: ignore[misc]
    """Membership in the group of some topics, and the tasks of the owned partitions."""

    def __init__(
        self,
        cluster: Cluster,
        topics: Sequence[str],
        group: str,
        task: PartitionTask,
        *,
        session_timeout: float,
        tell: Listener,
    ) -> None:
        self._cluster = cluster
        self._topics = list(topics)
        self.group = group
        self._session = session_timeout
        self._tell = tell
        self._tasks: dict[Place, asyncio.Task[None]] = {}
        self._reasons: dict[Place, str] = {}
        self._ended: asyncio.Future[Exception] | None = None
        self._consumer: AIOKafkaConsumer | None = None
        self._task = task

    async def run(self) -> None:
        """Own partitions until cancelled. Raises Fatal when a task does."""
        failures = 0
        while True:
            started = time.monotonic()
            try:
                with only_we_cancel():
                    await self._join_and_work()
            except Fatal:
                raise
            except (Fenced, Retry, KafkaError, TimeoutError, OSError) as error:
                self._tell(Rejoining(self.group, str(error)))
                await asyncio.sleep(REJOIN_PAUSE_S)
            except Exception as error:  # of the Kafka client itself: the other role, and HTTP, go on
                failures = _again(failures, started)
                self._tell(Rejoining(self.group, in_a_line(error)))
                await asyncio.sleep(REJOIN_PAUSE_S + backoff(failures, random()))

    async def _join_and_work(self) -> None:
        self._ended = asyncio.get_running_loop().create_future()
        self._consumer = self._new_consumer()
        try:
            await self._consumer.start()
            self._consumer.subscribe(self._topics, listener=self)
            while not self._ended.done():
                await self._consumer.getmany(timeout_ms=200)
            raise self._ended.result()
        finally:
            await self._leave(self._consumer)

    def _new_consumer(self) -> AIOKafkaConsumer:
        return Consumer(
            **self._cluster.arguments,
            group_id=self.group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=int(self._session * 1000),
            heartbeat_interval_ms=int(self._session * 200),
            rebalance_timeout_ms=int(self._session * 1000),
            partition_assignment_strategy=[StickyPartitionAssignor],
        )

    async def _leave(self, consumer: AIOKafkaConsumer) -> None:
        """End the tasks first, so that a successor does not wait for a transaction; then tell the group."""
        self._consumer = None  # what has left can prove nothing: aiokafka would commit for an empty group without a member
        try:
            await self._end(list(self._tasks), "left the group")
        finally:
            await close(consumer, self._session)

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Stop the tasks, and wait only a moment: heartbeats pause meanwhile."""
        await self._end([Place(*where) for where in revoked], "revoked")

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Start a task for each partition."""
        if self._consumer is None:
            return  # it is leaving, and has ended what there was
        places = [Place(*where) for where in assigned]
        self._consumer.pause(*(TopicPartition(*place) for place in places))  # whoever reads one has a reader of its own
        for place in places:
            before = self._tasks.pop(place, None)
            self._tasks[place] = asyncio.create_task(self._own(place, before))
        self._tell(PartitionsAssigned(self.group, len(places)))

    async def _own(self, place: Place, before: asyncio.Task[None] | None) -> None:
        """Work on a partition until it is revoked; whatever goes wrong with it alone is waited out and tried again here."""
        if before is not None:
            await ended([before])  # one task per partition at a time, also when the old one ends slowly, or this one before it
        failures = 0
        while True:
            started = time.monotonic()
            error = await self._worked(place)
            if spreads(error):
                break
            failures = _again(failures, started)
            pause = backoff(failures, random())
            self._tell(PartitionFailed(*place, in_a_line(error), pause))
            await asyncio.sleep(pause)

    async def _worked(self, place: Place) -> Exception:
        """The error that ended a task."""
        try:
            with only_we_cancel():
                await self._task(place, self)
        except asyncio.CancelledError:
            self._tell(PartitionLost(*place, self._reasons.get(place, "the connector ends")))
            raise
        except Exception as error:
            if spreads(error) and self._ended is not None and not self._ended.done():
                self._ended.set_result(error)  # first: a listener that fails must not keep it back
            self._tell(PartitionLost(*place, str(error)))
            return error
        return RuntimeError("the work on the partition ended by itself")

    async def _end(self, places: list[Place], reason: str) -> None:
        tasks = {place: self._tasks[place] for place in places if place in self._tasks}
        self._reasons.update(dict.fromkeys(tasks, reason))
        for task in tasks.values():
            task.cancel()
        if tasks:
            await asyncio.wait(tasks.values(), timeout=min(2.0, self._session / 4))
        for place, task in tasks.items():
            if task.done() and self._tasks.get(place) is task:  # a rebalance, and leaving, may end the same ones
                del self._tasks[place]

    async def prove(self, place: Place, offset: int | None = None) -> None:
        """See Membership."""
        where = TopicPartition(*place)
        async with self._asking(place) as consumer:
            at = (await consumer.committed(where)) or 0 if offset is None else offset
            member = _member(consumer, place)
            await consumer.commit({where: at})
            if member != _member(consumer, place):
                raise Fenced(f"{place}: this worker was no member of the group when it asked")

    async def committed(self, place: Place) -> int:
        """See Membership."""
        async with self._asking(place) as consumer:
            return await consumer.committed(TopicPartition(*place)) or 0

    @asynccontextmanager
    async def _asking(self, place: Place) -> AsyncIterator[AIOKafkaConsumer]:
        consumer = self._consumer
        if consumer is None or TopicPartition(*place) not in consumer.assignment():
            raise Fenced(f"{place} is no longer assigned to this worker")
        try:
            async with asyncio.timeout(self._session):
                yield consumer
        except TimeoutError as error:
            raise Retry(f"the group coordinator did not answer within {self._session:.0f} s") from error
        except KafkaError as error:
            raise Fenced(f"{place}: the group no longer knows this worker") from error


async def watch(membership: Membership, place: Place, interval: float, offset: Callable[[], int | None] = lambda: None) -> None:
    """Prove membership for ever: a worker that was frozen notices here, at the latest. `offset` is committed with it."""
    while True:
        started = time.monotonic()
        await membership.prove(place, offset())
        await asyncio.sleep(max(0.0, interval - (time.monotonic() - started)))


def _member(consumer: AIOKafkaConsumer, place: Place) -> tuple[int, str]:
    """Generation and member id, as the broker gave them. Raises Fenced.

    Without them aiokafka commits as nobody, which the broker takes while the group is empty: when all workers were frozen, or
    starved, for longer than the session timeout. That proves nothing.
    """
    coordinator = consumer._coordinator
    if coordinator.generation < 0 or not coordinator.member_id:
        raise Fenced(f"{place}: this worker is no member of the group")
    return coordinator.generation, coordinator.member_id


def _again(failures: int, started: float) -> int:
    """How many failures in a row, this one included, of what was started then."""
    return failures + 1 if time.monotonic() - started < FORGOTTEN_S else 1
