"""Faust's Kafka consumer, made certain: it reads what is committed only, and commits only what is carried out.

Faust reads uncommitted records unless it is in `exactly_once`, and counts as done what it skips while a rebalance is under
way. Here a partition's offset is committed once a batch up to it has been carried out, and nothing else decides.
"""

import asyncio
from collections.abc import Iterable, Iterator
from typing import Any

from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.tuples import Message

from connector.kafka.lease import Lease, guard, watch


def _lease(app: Any) -> Lease:
    """Of an application of ours, which Faust's types do not know."""
    found: Lease = app.lease
    return found


class CommittedThread(driver.AIOKafkaConsumerThread):
    """Makes the consumer."""

    async def on_start(self) -> None:
        """Its membership keeps the lease."""
        await super().on_start()
        watch(self._ensure_consumer()._coordinator, _lease(self.app))

    def _create_worker_consumer(self, transport: driver.Transport) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._isolation_level = "read_committed"  # taken when it starts
        return consumer


class GuardedProducer(driver.Producer):
    """Writes only while the partitions are this worker's."""

    def _new_producer(self, transactional_id: str | None = None) -> Any:
        producer = super()._new_producer(transactional_id)
        guard(producer, _lease(self.app))
        return producer


class CarefulConsumer(driver.Consumer):
    """Knows by partition what is carried out."""

    def on_init(self) -> None:
        """Begin with nothing."""
        super().on_init()
        self.following: dict[TP, int] = {}
        self.handing_out = False

    def current(self, message: Message) -> bool:
        """Whether it was read since the partitions were last handed out; others are read again by who has them now."""
        return message.generation_id == self.app.consumer_generation_id and not _lease(self.app).lost

    def taken(self, messages: Iterable[Message]) -> None:
        """These are being worked on: before a rebalance goes on, they are waited for."""
        for message in messages:
            self._unacked_messages.add(message)

    def carried_out(self, messages: Iterable[Message]) -> None:
        """These are done, in the order of their offsets, and all before them: the offset may be committed."""
        for message in messages:
            if self.current(message):
                self.following[message.tp] = message.offset + 1

    def released(self, messages: Iterable[Message]) -> None:
        """These are no longer worked on, done or not."""
        for message in messages:
            message.acked = True  # else Faust's rebalance waits for them
            self._unacked_messages.discard(message)

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Commit what is done, then forget it: another worker may have the partition next."""
        await super().on_partitions_revoked(revoked)
        for place in revoked:
            self.following.pop(place, None)

    def _new_consumer_thread(self) -> driver.AIOKafkaConsumerThread:
        return CommittedThread(self, loop=self.loop, beacon=self.beacon)

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterator[TP]:
        return iter(list(self.following))

    def _new_offset(self, tp: TP) -> int | None:
        return self.following.get(tp)

    async def _drain_messages(self, fetcher: Any) -> None:
        """Hand out what is fetched. Faust's own way costs more than all that is done with a record: two tasks for each."""
        try:
            while not (self.should_stop or fetcher.should_stop):
                await self._hand_out()
        except self.consumer_stopped_errors:
            if not self.app.should_stop:
                raise

    async def _hand_out(self) -> None:
        async for place, message in self.getmany(timeout=1.0):
            self.handing_out = True
            if message.offset >= (self._read_offset[place] or 0):
                self._read_offset[place] = message.offset + 1  # before: a rebalance may seek back while this waits
                await self.callback(message)
        self.handing_out = False
        await asyncio.sleep(0)

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Offsets without a record (markers of transactions, what compaction removed) need no account."""

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Faust's watch over its own acknowledgements, of which there are none: `Progress` tells the lag."""


class Transport(driver.Transport):
    """Faust's, with these."""

    Consumer = CarefulConsumer
    Producer = GuardedProducer
