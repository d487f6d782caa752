"""Faust agents, one for each stage, which work in batches: of whatever partitions, as it came meanwhile.

By construction nothing is lost: an offset can be committed only after Kafka has acknowledged everything that the records
before it led to. When that fails, the worker ends, and what was not committed is done again.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from faust.types import TP
from faust.types.tuples import Message

from connector.cancellation import cancel_wins
from connector.clock import Clock
from connector.events.base import Listener
from connector.events.views import ViewsBatchDone, ViewsRecordRefused
from connector.messages.topics import Topics
from connector.views.app import Event, Events, ViewsApp
from connector.views.batches import Batch, Source, carried, figures
from connector.views.incarnations import Incarnations
from connector.views.records import InputRecord, OutputRecord
from connector.views.stages import Stage
from connector.views.tables import PlainTable

RECORDS_MAX = 500
"""Records in a batch, at most."""

Failed = Callable[[Exception], None]
"""Hears why the worker cannot go on."""


@dataclass(frozen=True, slots=True)
class StageContext:
    """What all agents of an administration share. `partitions`: of the topics between the stages, and of
    the tables. `largest`: bytes of a record.
    """

    app: ViewsApp
    topics: Topics
    partitions: int
    tell: Listener
    clock: Clock
    failed: Failed
    largest: int
    incarnations: Incarnations


def install(context: StageContext, stages: Sequence[Stage]) -> None:
    """Make an agent of each stage, and the tables that they keep."""
    for stage in stages:
        table = _table(context, stage.table) if stage.table else None
        worker = StageWorker(context, stage, table)
        name = f"{context.topics.administration}.{stage.name}"
        context.app.agent(context.app.topic(*stage.reads), name=name)(worker.run)


def _table(context: StageContext, topic: str) -> PlainTable:
    changelog = context.app.topic(topic, key_serializer="raw", value_serializer="raw", partitions=context.partitions, acks=False)
    found = PlainTable(
        context.app,
        name=topic,
        changelog_topic=changelog,
        partitions=context.partitions,
        key_type=bytes,
        value_type=bytes,
    )
    context.app.tables.add(found)
    return found


class StageWorker:
    """Carries the records of a stage through it."""

    def __init__(self, context: StageContext, stage: Stage, table: PlainTable | None) -> None:
        self._context = context
        self._stage = stage
        self._table = table

    async def run(self, stream: Events) -> None:
        """The agent. It never raises: Faust would call the events of a failed agent done."""
        channel: Any = stream.channel
        queue = channel.queue
        async for first in channel:
            events = [first]
            while len(events) < RECORDS_MAX and not queue.empty():
                events.append(queue.get_nowait())
            try:
                with cancel_wins():
                    await self._context.app.lease.settled()
                    await self._work(stream, events)
            except Exception as error:
                self._context.failed(error)
                await asyncio.Event().wait()  # until the worker has ended: nothing more is carried out or committed

    async def _work(self, stream: Events, events: Sequence[Event]) -> None:
        consumer = self._context.app.careful
        current = await self._in_turn(event for event in events if consumer.current(event.message))
        messages = [event.message for event in current]
        consumer.taken(messages)
        try:
            await self._carry_out(stream, current)
            consumer.carried_out(messages)
        finally:
            consumer.released(messages)

    async def _in_turn(self, events: Iterable[Event]) -> list[Event]:
        """Each once, in the order of its partition; what came before its turn is left alone, and read again."""
        consumer = self._context.app.careful
        found: list[Event] = []
        for part in by_partition(events):
            place, there = part[0].message.tp, {event.message.offset: event for event in part}
            tracker = consumer.trackers[place]
            turn = tracker.in_turn(there)
            found += [there.pop(offset) for offset in turn]
            if any(map(tracker.is_open, there)):
                await consumer.read_again(place)
        return found

    async def _carry_out(self, stream: Events, events: Sequence[Event]) -> None:
        """First all that is sent on, then all that tables hold: so that doing it again after a crash has the same outcome."""
        started = self._context.clock.monotonic()
        parts = [(part, self._carried(stream, part)) for part in by_partition(events)]
        await self._send([each for part, batch in parts for each in await self._outputs(batch, part)])
        if (table := self._table) is not None:
            await asyncio.gather(*[table.write(stream, part[-1], batch.writes) for part, batch in parts])
        for refused in (row for _, batch in parts for row in batch.refused):
            self._context.tell(_refusal(refused.record, refused.reason))
        seconds = self._context.clock.monotonic() - started
        self._context.tell(ViewsBatchDone(self._context.topics.administration, self._stage.name, len(events), seconds))

    def _carried(self, stream: Events, events: Sequence[Event]) -> Batch:
        table = self._table
        read = partial(table.read, stream, events[-1]) if table else _nothing
        return carried(self._stage.step, [input_record(event.message) for event in events], read, self._context.largest)

    async def _outputs(self, batch: Batch, events: Sequence[Event]) -> list[OutputRecord]:
        first, last = events[0].message, events[-1].message
        topic = await self._context.incarnations.of(last.topic, last.partition, first.offset, last.offset)
        if not batch.counts:
            return batch.sends
        source = Source(last.topic, last.partition, topic)
        return [*batch.sends, figures(self._context.topics.figures, self._context.partitions, source, batch.counts)]

    async def _send(self, output: Sequence[OutputRecord]) -> None:
        """Return once Kafka has them all. Raises Kafka's errors."""
        producer = self._context.app.producer
        sent = [await producer.send(each.topic, each.key, each.value, each.partition, None, None) for each in output]
        await asyncio.gather(*sent)


def by_partition(events: Iterable[Event]) -> Iterable[Sequence[Event]]:
    """The events of each partition, in their order."""
    found: dict[TP, list[Event]] = defaultdict(list)
    for event in events:
        found[event.message.tp].append(event)
    return found.values()


def _nothing(_: bytes) -> None:
    return None


def _refusal(record: InputRecord, reason: str) -> ViewsRecordRefused:
    return ViewsRecordRefused(record.topic, record.partition, record.offset, reason)


def input_record(message: Message) -> InputRecord:
    """The record as the stages know it."""
    headers: Any = message.headers or ()
    pairs = headers.items() if hasattr(headers, "items") else headers
    return InputRecord(
        message.topic,
        message.partition,
        message.offset,
        round(message.timestamp * 1000),
        message.key,
        message.value,
        dict(pairs),
    )
