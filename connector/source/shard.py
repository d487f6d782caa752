"""The runner of a shard in an owned partition: its position, its poller, and what operators ask of it.

A request takes the poller's place: the poller ends, whatever it has read and not handed over is dropped, the position
changes in one transaction with the answer, and a new poller begins there. So no page that was asked from the old
position is ever committed after the new one, and the POS is read once at a time.
"""

import asyncio
from dataclasses import dataclass, replace

from connector.cancellation import end
from connector.errors import Fatal, Fenced, Reject, Retry, TransactionLost
from connector.kafka.connection import retrieved
from connector.kafka.errors import transacting
from connector.kafka.walls import in_a_line
from connector.messages.control import DONE, FAILED, REJECTED, RESUME, RESYNC, Answer, ReceivedRequest, wanted
from connector.messages.position import Position, State, TopicFacts
from connector.source.bundles import cut
from connector.source.control import answers, changed, problem
from connector.source.position_writer import PositionWriter, Shard, WriterContext
from connector.source.reading.portion import BYTES_MAX
from connector.source.repair import Search
from connector.source.restarts import polling
from connector.source.topic_facts import lost, passed_over

HEAD_WITHIN_S = 70.0
"""Seconds that the POS is given to tell its head, which may take two calls; nothing else is read meanwhile."""

TYPES_WIDENED = (
    "CONNECTOR_ORDER_TYPES was widened: orders of the new types up to sync marker {marker} were not read: `resync order --from 0`"
)


@dataclass(frozen=True, slots=True)
class Looked:
    """What a repair looked for was looked for, or could not be: `search` is done."""

    request: ReceivedRequest
    search: "asyncio.Future[Search]"


class ShardRunner:
    """One shard, as long as its partition is owned."""

    def __init__(self, shard: Shard, position: Position, context: WriterContext, topic: TopicFacts | None = None) -> None:
        """`topic`: what the entity's topic is now; None where it is not there."""
        self.shard = shard
        self._writer = PositionWriter(shard, position, context)
        self._topic = topic
        self._clock = context.clock
        self._partition, self._topic_of = context.partition, context.topic_problem
        self._asked_for: asyncio.Queue[ReceivedRequest | Looked] = asyncio.Queue()
        self._looking: asyncio.Task[Search] | None = None

    @property
    def _position(self) -> Position:
        return self._writer.position

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
            self._writer.position = replace(self._position, control=None, repair=None)

    def hear(self, request: ReceivedRequest) -> None:
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

    @property
    def committed(self) -> Position:
        """What is in Kafka: what is on its way there may not be in the topic yet."""
        return self._writer.committed

    def lost(self, topic: TopicFacts | None, held: Position) -> str:
        """What is wrong with the entity's topic, looked at after `held` was committed; empty: nothing, or it is known."""
        known = {State.TOPIC_LOST, State.HEAD_REGRESSED} & {held.state, self._position.state}
        return "" if known else lost(self.shard.topic, self.shard.entity, held, topic)

    async def _hold_against_topic(self) -> None:
        """A position whose events are gone would go on as if nothing was missing: an operator must look."""
        if wrong := self.lost(self._topic, self.committed):
            await asyncio.shield(self._writer.submit(replace(self._position, state=State.TOPIC_LOST)))
            self.shard.shard_state.explain(wrong)
        elif self._position.state is State.TOPIC_LOST:  # found by an owner before us
            self.shard.shard_state.explain(lost(self.shard.topic, self.shard.entity, self._position, self._topic))
        else:
            self._writer.acquaint(self._topic)

    async def _poll(self) -> ReceivedRequest | Looked:
        """Poll until there is something to carry out; then nothing is read any more."""
        shard_state, position = self.shard.shard_state, self._position
        with shard_state.shown(position.marker, position.state):
            if passed_over(position.types, self.shard.types) and not position.state.stopped:
                shard_state.advise(TYPES_WIDENED.format(marker=position.marker))
            return await self._poll_until_asked()

    async def _poll_until_asked(self) -> ReceivedRequest | Looked:
        shard = self.shard
        make = lambda: shard.poller(self._position, self._writer.commit)  # noqa: E731
        poll = retrieved(asyncio.create_task(polling(make, shard.shard_state, self._clock)))
        try:
            while True:
                asked = await self._asked(poll)
                wrong = "" if isinstance(asked, Looked) or self._accepted(asked) else self._problem(asked)
                if isinstance(asked, Looked) or not wrong:
                    return asked
                await self._writer.answer(replace(self._position, control=asked.where), [asked.answer(REJECTED, wrong)])
        finally:
            await end([poll])

    def _accepted(self, request: ReceivedRequest) -> bool:
        """Whether it is the repair that was accepted, perhaps by the owner before us, and is not done."""
        repair = self._position.repair
        return repair is not None and repair == (request.id, *request.where)

    def _problem(self, request: ReceivedRequest) -> str:
        return problem(request, self.shard.entity, listed=self.shard.head is None)

    async def _carry_out(self, request: ReceivedRequest) -> None:
        if not self._accepted(request):
            position, told = await self._outcome(request)
            await self._writer.answer(replace(position, control=request.where), told)
        if self._position.repair is None:
            self._look_no_more()
        elif self._accepted(request):
            self._look(request)

    def _look(self, request: ReceivedRequest) -> None:
        """Look for what a repair says is gone; that may take long, so the poller goes on."""
        self._look_no_more()
        self._looking = looking = retrieved(asyncio.create_task(self.shard.repair.look(wanted(request.items, request.gone))))
        looking.add_done_callback(lambda ended: None if ended.cancelled() else self._asked_for.put_nowait(Looked(request, ended)))

    def _look_no_more(self) -> None:
        if self._looking is not None:
            self._looking.cancel()

    async def _mend(self, looked: Looked) -> None:
        """The end of a repair: its last events and its answer are one transaction; those before are sent again after a crash."""
        request, before = looked.request, self._position
        if not self._accepted(request):
            return
        try:
            bundle, words = await self.shard.repair.mend(wanted(request.items, request.gone), looked.search.result(), before)
        except (Fenced, TransactionLost, Fatal):
            raise
        except Exception as error:  # what nobody foresaw costs this request
            reason = str(error) if isinstance(error, Retry | Reject) else in_a_line(error)
            await self._writer.answer(replace(before, repair=None), [request.answer(FAILED, reason)])
        else:
            *first, last = cut(bundle.records, BYTES_MAX)
            for records in first:
                await asyncio.shield(self._writer.submit(self._position, records))
            await self._writer.answer(replace(bundle.position, repair=None), [request.answer(DONE, words)], last)
            self._writer.tell_letters(bundle.letters)

    async def _asked(self, poll: "asyncio.Task[None]") -> ReceivedRequest | Looked:
        asking = asyncio.ensure_future(self._asked_for.get())
        try:
            await asyncio.wait({poll, asking}, return_when=asyncio.FIRST_COMPLETED)
            if poll.done():
                poll.result()
            return asking.result()
        finally:
            asking.cancel()

    async def _outcome(self, request: ReceivedRequest) -> tuple[Position, list[Answer]]:
        before = self._position
        if wrong := await self._topic_problem(request):
            return before, [request.answer(REJECTED, wrong)]
        try:
            head = await self._head(request)
        except (Retry, Reject, TimeoutError) as error:
            return before, [request.answer(FAILED, f"the POS does not tell its head: {error or 'no answer in time'}")]
        try:
            after = changed(before, request, head)
        except Reject as error:
            return before, [request.answer(REJECTED, str(error))]
        return after, answers(request, before, after)

    async def _topic_problem(self, request: ReceivedRequest) -> str:
        """What is wrong with the topic that an operator wants to go on in: somebody else may have made it again, otherwise."""
        if self._position.state is not State.TOPIC_LOST or request.action not in (RESUME, RESYNC) or self._topic_of is None:
            return ""
        with transacting(self._partition):
            return await self._topic_of(self.shard.topic)

    async def _head(self, request: ReceivedRequest) -> int | None:
        """Asked for after the last page: it can tell whether the POS was restored."""
        asks = request.action == RESYNC or (request.action == RESUME and self._position.state is State.HEAD_REGRESSED)
        if not asks or self.shard.head is None:
            return None
        async with asyncio.timeout(HEAD_WITHIN_S):
            return await self.shard.head()
