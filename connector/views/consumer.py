"""Faust's Kafka consumer, made certain: it reads what is committed only, and commits only what is carried out.

Faust reads uncommitted records unless it is in `exactly_once`, and counts as done what it skips while a rebalance is under
way. Here a partition's offset is committed once all that was fetched before it has been carried out: see offsets.py.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any, cast

from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.tuples import Message
from mode.threads import ServiceThread, WorkerThread

from connector.kafka.clients import careful
from connector.kafka.connection import retrieved
from connector.kafka.lease import Lease, guard, watch
from connector.kafka.reading.consumer import Consumer
from connector.views.offsets import OffsetTracker


def _lease(app: Any) -> Lease:
    """The lease of an application of ours, which Faust's types do not know."""
    found: Lease = app.lease
    return found


(ConsumerStopped,) = driver.Consumer.consumer_stopped_errors
"""What Faust knows as its consumer's end."""


class ReadingThread(WorkerThread):
    """One that stands still does not hold up the end of the process, and whoever asks one that has ended is told."""

    def __init__(self, service: ServiceThread, **more: Any) -> None:
        super().__init__(service, **more)
        self.daemon = True

    def run(self) -> None:
        """Cancelled is one of its ways to end: no traceback."""
        try:
            with suppress(asyncio.CancelledError):
                super().run()
        finally:
            cast(CommittedThread, self.service).has_ended()


class CommittedThread(driver.AIOKafkaConsumerThread):
    """Makes the consumer."""

    Worker = ReadingThread

    def __init__(self, *told: Any, **more: Any) -> None:
        super().__init__(*told, **more)
        self._asked: set[asyncio.Future[Any]] = set()
        self._over = False

    async def call_thread(self, fun: Callable[..., Awaitable[Any]], *told: Any, **more: Any) -> Any:
        """Call it in the thread. Raises ConsumerStopped where the thread ends first: mode would wait for ever."""
        if self._over:
            raise ConsumerStopped
        answer = self.parent_loop.create_future()
        self._asked.add(answer)
        answer.add_done_callback(self._asked.discard)
        try:
            await self.method_queue.call(answer, fun, *told, **more)
        except RuntimeError:  # its loop is closed
            answer.cancel()
            raise ConsumerStopped from None
        return await answer

    def has_ended(self) -> None:
        """To be called in the thread, as its last."""
        with suppress(RuntimeError):  # the program is over
            self.parent_loop.call_soon_threadsafe(self._refuse_all)

    def _refuse_all(self) -> None:
        self._over = True
        for answer in self._asked:
            if not answer.done():
                answer.set_exception(ConsumerStopped())

    async def ended(self, within: float) -> None:
        """Wait for the thread's end, so many seconds: it reports to the loop that starts it, and must not outlive that."""
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join, within)

    async def on_start(self) -> None:
        """Its membership keeps the lease."""
        await super().on_start()
        watch(self._ensure_consumer()._coordinator, _lease(self.app))

    async def _fetch_records(self, *told: Any, **more: Any) -> Any:
        records = await super()._fetch_records(*told, **more)
        consumer: Any = self.consumer
        for place, rows in records.items():
            consumer.fetched(place, rows)
        return records

    async def read_from(self, place: TP, offset: int) -> None:
        """To be called in this thread: `fetched_records` is not safe against others."""
        self._ensure_consumer().seek(place, offset)

    def _create_worker_consumer(self, transport: driver.Transport) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._isolation_level = "read_committed"  # taken when it starts
        consumer.__class__ = Consumer  # which adds nothing to what it holds; it has not started
        careful(consumer._client)
        return consumer


class GuardedProducer(driver.Producer):
    """Writes only while the partitions are this worker's."""

    def _new_producer(self, transactional_id: str | None = None) -> Any:
        producer = super()._new_producer(transactional_id)
        careful(producer.client)
        guard(producer, _lease(self.app))
        return producer

    async def send(self, *told: Any, **more: Any) -> Any:
        """Call it as Faust does. When the worker ends meanwhile nobody waits for it, and its failure is no news."""
        return retrieved(cast("asyncio.Future[Any]", await super().send(*told, **more)))


class CarefulConsumer(driver.Consumer):
    """Knows by partition what is carried out."""

    def on_init(self) -> None:
        """Begin with nothing."""
        super().on_init()
        self.trackers: defaultdict[TP, OffsetTracker] = defaultdict(OffsetTracker)
        self._sought: dict[TP, int] = {}

    def fetched(self, place: TP, records: Iterable[Any]) -> None:
        """Told by the thread that reads, before anybody can drop them. Tables are read back, and have no offset of ours."""
        if not self._is_changelog_tp(place):
            self.trackers[place].fetched(record.offset for record in records)

    def following(self, place: TP) -> int | None:
        """The offset that may be committed; None where nothing was carried out."""
        return self.trackers[place].following

    def current(self, message: Message) -> bool:
        """Whether it was read since the partitions were last handed out; others are read again by who has them now.

        Once the lease was lost none is, until it is got anew: what is passed over must stay uncommitted.
        """
        return bool(message.generation_id == _lease(self.app).generation)

    async def read_again(self, place: TP) -> None:
        """What is behind the lowest open record came without it: it was dropped. Once; after that, see `Stall`."""
        if self._sought.get(place) != self.trackers[place].lowest:
            await self.go_back(place)

    async def go_back(self, place: TP) -> None:
        """Read on from the lowest open record. A worker that may have lost its partitions gets them anew, or ends."""
        if (lowest := self.trackers[place].lowest) is not None and _lease(self.app).valid:
            self._sought[place] = lowest
            if place in self.assignment():  # else who has it now reads it from what is committed
                await self.seek(place, lowest)

    def taken(self, messages: Iterable[Message]) -> None:
        """Messages are being worked on: before a rebalance goes on, they are waited for."""
        for message in messages:
            self._unacked_messages.add(message)

    def carried_out(self, messages: Iterable[Message]) -> None:
        """Messages are done."""
        for message in messages:
            if self.current(message):
                self.trackers[message.tp].carried_out(message.offset)

    def released(self, messages: Iterable[Message]) -> None:
        """Messages are no longer worked on, done or not."""
        for message in messages:
            message.acked = True  # else Faust's rebalance waits for them
            self._unacked_messages.discard(message)

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Commit what is done, then forget it: another worker may have the partition next."""
        await super().on_partitions_revoked(revoked)
        for place in revoked:
            self.trackers.pop(place, None)
            self._sought.pop(place, None)

    async def _seek(self, partition: TP, offset: int) -> None:
        """Seek in the thread that reads: Faust's own way, from this one, takes records away from under it."""
        await self.thread.call_thread(self.thread.read_from, partition, offset)

    @property
    def thread(self) -> CommittedThread:
        """The one that reads."""
        return cast(CommittedThread, self._thread)

    def _new_consumer_thread(self) -> driver.AIOKafkaConsumerThread:
        return CommittedThread(self, loop=self.loop, beacon=self.beacon)

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterator[TP]:
        return iter(list(self.trackers))

    def _new_offset(self, tp: TP) -> int | None:
        """None where another worker may have the partition: aiokafka would wait for a group that left this one behind."""
        return self.following(tp) if _lease(self.app).valid else None

    async def _drain_messages(self, fetcher: Any) -> None:
        """Hand out what is fetched. Faust's own way costs more than all that is done with a record: two tasks for each."""
        try:
            while not (self.should_stop or fetcher.should_stop):
                await self._hand_out()
        except self.consumer_stopped_errors:
            if not self.app.should_stop:
                raise

    async def _hand_out(self) -> None:
        async for _, message in self.getmany(timeout=1.0):
            await self.callback(message)
        await asyncio.sleep(0)

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Offsets without a record (markers of transactions, what compaction removed) need no tracker."""

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Faust's watch over its own acknowledgements, of which there are none: `Progress` tells the lag."""


class Transport(driver.Transport):
    """Faust's, with these."""

    Consumer = CarefulConsumer
    Producer = GuardedProducer
