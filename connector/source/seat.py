"""The seat of a shard in an owned partition: its position, its poller, and what operators ask of it.

A request takes the poller's place: the poller ends, whatever it has read and not handed over is dropped, the position
changes in one transaction with the answer, and a new poller begins there. So no page that was asked from the old
position is ever committed after the new one, and the POS is read once at a time.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from connector.clock import Clock
from connector.errors import Reject, Retry, TransactionLost
from connector.events import ControlAnswered, DeadLettered, Listener
from connector.kafka.connection import retrieved
from connector.kafka.records import Record
from connector.source.bundles import Bundle
from connector.source.control import DONE, FAILED, REJECTED, RESUME, RESYNC, Answer, Request, answers, changed, problem
from connector.source.positions import Position, TopicFacts
from connector.source.repair import Repair, Search
from connector.source.restarts import Polling, polling
from connector.source.schedule import State
from connector.source.standing import Standing
from connector.source.topic_facts import lost, written
from connector.source.wanted import wanted

HEAD_WITHIN = 60.0
"""Seconds that the POS is given to tell its head, or to show what is repaired; nothing else is read meanwhile."""


@dataclass(frozen=True, slots=True)
class Shard:
    """An entity of an administration: its topics, how its poller is made, and which requests it answers.

    `head` asks the POS for its head as of now; a slow list has none. `hears` tells by an entity's name.
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
    standing: Standing


@dataclass(frozen=True, slots=True)
class Pen:
    """What all seats of a lane write with; `owner` is this worker's name."""

    submit: Callable[[Sequence[Record]], "asyncio.Future[None]"]
    encode: Callable[[Position, float], bytes]
    partition: int
    owner: str
    tell: Listener
    clock: Clock


@dataclass(frozen=True, slots=True)
class Looked:
    """What a repair looked for was looked for, or could not be: `search` is done."""

    request: Request
    search: "asyncio.Future[Search]"


class Seat:
    """One shard, as long as its partition is owned."""

    def __init__(self, shard: Shard, position: Position, pen: Pen, topic: TopicFacts | None = None) -> None:
        """`topic`: what the entity's topic is now; None where it is not there."""
        self.shard = shard
        self._position = position
        self._topic = topic
        self._pen = pen
        self._asked_for: asyncio.Queue[Request | Looked] = asyncio.Queue()
        self._looking: asyncio.Task[Search] | None = None

    @property
    def hears_from(self) -> int:
        """The offset of the first control request that was not carried out."""
        return self._unheard if self._position.repair is None else self._position.repair.offset

    @property
    def _unheard(self) -> int:
        return 0 if self._position.control is None else self._position.control.offset + 1

    def settle(self, end: int) -> None:
        """The control topic ends at this offset: where it lies before what was applied, the topic was made anew."""
        if self._unheard > end:
            self._position = replace(self._position, control=None, repair=None)

    def hear(self, request: Request) -> None:
        """Take a request, if it is for this shard and was not carried out before."""
        if self.shard.hears(request.entity) and (request.where.offset >= self._unheard or self._accepted(request)):
            self._asked_for.put_nowait(request)

    async def run(self) -> None:
        """Poll until cancelled, and between do what is asked."""
        try:
            await self._hold_against_topic()
            while True:
                asked = await self._poll()
                await (self._mend(asked) if isinstance(asked, Looked) else self._carry_out(asked))
        finally:
            self._look_no_more()

    def lost(self, topic: TopicFacts | None) -> str:
        """What is wrong with the entity's topic, as it is now; empty when nothing is, or when that is known."""
        known = self._position.state in (State.TOPIC_LOST, State.HEAD_REGRESSED)
        return "" if known else lost(self.shard.topic, self.shard.entity, self._position, topic)

    async def _hold_against_topic(self) -> None:
        """A position whose events are gone would go on as if nothing was missing: an operator must look."""
        if wrong := self.lost(self._topic):
            await asyncio.shield(self._submit(replace(self._position, state=State.TOPIC_LOST)))
            self.shard.standing.explain(wrong)
        elif self._position.state is not State.TOPIC_LOST:
            self._position = replace(self._position, topic=self._position.topic or self._topic)

    async def _poll(self) -> Request | Looked:
        """Poll until there is something to carry out; then nothing is read any more."""
        standing, position = self.shard.standing, self._position
        with standing.shown(position.marker, position.state):
            return await self._poll_until_asked()

    async def _poll_until_asked(self) -> Request | Looked:
        shard = self.shard
        make = lambda: shard.poller(self._position, self._commit)  # noqa: E731
        poll = retrieved(asyncio.create_task(polling(make, shard.standing, self._pen.clock)))
        try:
            while True:
                asked = await self._asked(poll)
                wrong = "" if isinstance(asked, Looked) or self._accepted(asked) else self._problem(asked)
                if isinstance(asked, Looked) or not wrong:
                    return asked
                await self._answer(replace(self._position, control=asked.where), [asked.answer(REJECTED, wrong)])
        finally:
            poll.cancel()
            await asyncio.wait([poll])

    def _accepted(self, request: Request) -> bool:
        """Whether it is the repair that was accepted, perhaps by the owner before us, and is not done."""
        repair = self._position.repair
        return repair is not None and repair == (request.id, *request.where)

    def _problem(self, request: Request) -> str:
        return problem(request, self.shard.entity, listed=self.shard.head is None)

    async def _carry_out(self, request: Request) -> None:
        if not self._accepted(request):
            position, told = await self._outcome(request)
            await self._answer(replace(position, control=request.where), told)
        if self._position.repair is None:
            self._look_no_more()
        elif self._accepted(request):
            self._look(request)

    def _look(self, request: Request) -> None:
        """Look for what a repair says is gone; that may take long, so the poller goes on."""
        self._look_no_more()
        self._looking = looking = retrieved(asyncio.create_task(self.shard.repair.look(wanted(request.items, request.gone))))
        looking.add_done_callback(lambda ended: None if ended.cancelled() else self._asked_for.put_nowait(Looked(request, ended)))

    def _look_no_more(self) -> None:
        if self._looking is not None:
            self._looking.cancel()

    async def _mend(self, looked: Looked) -> None:
        """The end of a repair: its events and its answer are one transaction."""
        request, before = looked.request, self._position
        if not self._accepted(request):
            return
        try:
            async with asyncio.timeout(HEAD_WITHIN):
                bundle, words = await self.shard.repair.mend(wanted(request.items, request.gone), looked.search.result(), before)
        except (Retry, Reject, TimeoutError) as error:
            reason = str(error) or "the POS does not show the items in time"
            await self._answer(replace(before, repair=None), [request.answer(FAILED, reason)])
        else:
            await self._answer(replace(bundle.position, repair=None), [request.answer(DONE, words)], bundle.records)
            for letter in bundle.letters:
                self._pen.tell(
                    DeadLettered(self.shard.administration, self.shard.entity, letter.stage, letter.marker, letter.reason)
                )

    async def _asked(self, poll: "asyncio.Task[None]") -> Request | Looked:
        asking = asyncio.ensure_future(self._asked_for.get())
        try:
            await asyncio.wait({poll, asking}, return_when=asyncio.FIRST_COMPLETED)
            if poll.done():
                poll.result()
            return asking.result()
        finally:
            asking.cancel()

    async def _outcome(self, request: Request) -> tuple[Position, list[Answer]]:
        before = self._position
        try:
            head = await self._head(request)
        except (Retry, Reject, TimeoutError) as error:
            return before, [request.answer(FAILED, f"the POS does not tell its head: {error or 'no answer in time'}")]
        try:
            after = changed(before, request, head)
        except Reject as error:
            return before, [request.answer(REJECTED, str(error))]
        return after, answers(request, before, after)

    async def _head(self, request: Request) -> int | None:
        """Asked for after the last page: it can tell whether the POS was restored."""
        asks = request.action == RESYNC or (request.action == RESUME and self._position.state is State.HEAD_REGRESSED)
        if not asks or self.shard.head is None:
            return None
        async with asyncio.timeout(HEAD_WITHIN):
            return await self.shard.head()

    async def _answer(self, position: Position, told: Sequence[Answer], records: Sequence[Record] = ()) -> None:
        await asyncio.shield(self._submit(position, records, told))
        for answer in told:
            self._tell(answer)

    def _commit(self, bundle: Bundle) -> "asyncio.Future[None]":
        """A poller's bundle; with its last one, the end of a resync. What was asked stands here, not with the poller."""
        now = self._position
        if now.resync is None or not now.resync.over(bundle.position.marker):
            return self._submit(
                replace(bundle.position, control=now.control, resync=now.resync, repair=now.repair), bundle.records
            )
        done = Answer(now.resync.id, RESYNC, self.shard.entity, DONE)
        committed = self._submit(
            replace(bundle.position, control=now.control, resync=None, repair=now.repair), bundle.records, [done]
        )
        committed.add_done_callback(lambda ended: None if ended.cancelled() or ended.exception() else self._tell(done))
        return committed

    def _submit(self, position: Position, records: Sequence[Record] = (), told: Sequence[Answer] = ()) -> "asyncio.Future[None]":
        pen, shard = self._pen, self.shard
        self._position = position = replace(position, topic=written(position.topic, shard.topic, records))
        stamp = pen.clock.stamp() if told else ""
        results = [Record(shard.results, answer.entity.encode(), answer.encode(stamp, pen.owner)) for answer in told]
        value = pen.encode(position, pen.clock.monotonic())
        committed = pen.submit(
            [*records, *results, Record(shard.positions, shard.entity.encode(), value, partition=pen.partition)]
        )
        committed.add_done_callback(self._refused)
        return committed

    def _refused(self, ended: "asyncio.Future[None]") -> None:
        error = None if ended.cancelled() else ended.exception()
        if isinstance(error, TransactionLost) and error.topic:
            self.shard.standing.refused(str(error))

    def _tell(self, answer: Answer) -> None:
        shard = self.shard
        self._pen.tell(
            ControlAnswered(shard.administration, shard.entity, answer.id, answer.action, answer.status, answer.reason)
        )
