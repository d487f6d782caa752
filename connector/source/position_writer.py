"""What is written of one shard: its position, with events and answers in the same transaction."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from connector.clock import Clock
from connector.errors import TransactionLost
from connector.events.base import Listener
from connector.events.source import ControlAnswered, DeadLettered
from connector.kafka.records import Record
from connector.messages.control import DONE, RESYNC, Answer
from connector.messages.position import Position, TopicFacts
from connector.source.bundles import Bundle, ItemLetter
from connector.source.reading.portion import Portion
from connector.source.repair import Repair
from connector.source.restarts import Polling
from connector.source.state import ShardState
from connector.source.topic_facts import passed_over, written


@dataclass(frozen=True, slots=True)
class Shard:
    """An entity of an administration: its topics, how its poller is made, and which requests it answers.

    `head` asks the POS for its head as of now; a slow list has none. `hears` tells by an entity's name. `types`: the order types
    that are asked for, where there is a choice.
    """

    administration: str
    entity: str
    topic: str
    positions: str
    control: str
    results: str
    poller: Callable[[Position, "Callable[[Bundle], asyncio.Future[None]]"], Polling]
    head: Callable[[], Awaitable[int]] | None
    hears: Callable[[str], bool]
    repair: Repair
    shard_state: ShardState
    portion: Portion
    types: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class WriterContext:
    """What all runners of a task write with; `owner` is this worker's name. `topic_problem` makes a topic that is not there."""

    submit: Callable[[Sequence[Record]], "asyncio.Future[None]"]
    encode: Callable[[Position, float], bytes]
    partition: int
    owner: str
    tell: Listener
    clock: Clock
    topic_problem: Callable[[str], Awaitable[str]] | None = None


class PositionWriter:
    """The position of one shard, as long as its partition is owned. `position`: submitted last; `committed`: what is in Kafka."""

    def __init__(self, shard: Shard, position: Position, context: WriterContext) -> None:
        self.position = self.committed = position
        self._shard = shard
        self._context = context

    def acquaint(self, topic: TopicFacts | None) -> None:
        """What the entity's topic is, where the position does not say; and what is asked of the POS from now on."""
        now, asked = self.position, self._shard.types
        types = now.types if passed_over(now.types, asked) else asked
        self.position = self.committed = replace(now, topic=now.topic or topic, types=types)

    async def answer(self, position: Position, told: Sequence[Answer], records: Sequence[Record] = ()) -> None:
        """Write a position with answers to operators, and tell them."""
        await asyncio.shield(self.submit(position, records, told))
        for answer in told:
            self._tell(answer)

    def commit(self, bundle: Bundle) -> "asyncio.Future[None]":
        """A poller's bundle; with its last one, the end of a resync. What was asked stands here, not with the poller."""
        now = self.position
        position = replace(
            bundle.position, control=now.control, resync=now.resync, repair=now.repair, topic=now.topic, types=now.types
        )
        if now.resync is None or not now.resync.over(bundle.position.marker):
            return self.submit(position, bundle.records)
        done = Answer(now.resync.id, RESYNC, self._shard.entity, DONE)
        committed = self.submit(replace(position, resync=None), bundle.records, [done])
        committed.add_done_callback(lambda ended: None if ended.cancelled() or ended.exception() else self._tell(done))
        return committed

    def submit(self, position: Position, records: Sequence[Record] = (), told: Sequence[Answer] = ()) -> "asyncio.Future[None]":
        """Hand all of it to the one writer of the partition."""
        context, shard = self._context, self._shard
        self.position = position = replace(position, topic=written(position.topic, shard.topic, records))
        stamp = context.clock.stamp() if told else ""
        results = [Record(shard.results, answer.entity.encode(), answer.encode(stamp, context.owner)) for answer in told]
        value = context.encode(position, context.clock.monotonic())
        record = Record(shard.positions, shard.entity.encode(), value, partition=context.partition)
        committed = context.submit([*records, *results, record])
        committed.add_done_callback(lambda ended: self._ended(position, ended))
        return committed

    def tell_letters(self, letters: Sequence[ItemLetter]) -> None:
        """Dead letters that were written."""
        for letter in letters:
            told = DeadLettered(self._shard.administration, self._shard.entity, letter.stage, letter.marker, letter.reason)
            self._context.tell(told)

    def _ended(self, position: Position, ended: "asyncio.Future[None]") -> None:
        if ended.cancelled():
            return
        error = ended.exception()
        if error is None:
            self.committed = position
        elif isinstance(error, TransactionLost) and (error.topic or error.slow):
            self._shard.shard_state.refused(str(error))

    def _tell(self, answer: Answer) -> None:
        shard = self._shard
        self._context.tell(
            ControlAnswered(shard.administration, shard.entity, answer.id, answer.action, answer.status, answer.reason)
        )
