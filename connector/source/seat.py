"""The seat of a shard in an owned partition: its position, its poller, and what operators ask of it.

A request takes the poller's place: the poller ends, whatever it has read and not handed over is dropped, the position
changes in one transaction with the answer, and a new poller begins there. So no page that was asked from the old
position is ever committed after the new one, and the POS is read once at a time.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from connector.clock import Clock
from connector.errors import Reject, Retry
from connector.events import ControlAnswered, Listener
from connector.kafka.connection import retrieved
from connector.kafka.records import Record
from connector.source.bundles import Bundle
from connector.source.control import DONE, FAILED, REJECTED, RESYNC, Answer, Request, answers, changed, problem
from connector.source.positions import Position

HEAD_WITHIN = 60.0
"""Seconds that the POS is given to tell its head; nothing is read meanwhile."""


class Polling(Protocol):
    """A poller of any kind."""

    async def run(self) -> None:
        """Poll until cancelled."""


@dataclass(frozen=True, slots=True)
class Shard:
    """An entity of an administration: its topics, how its poller is made, and which requests it answers.

    `head` asks the POS for its head as of now; a slow list has none. `hears` tells by an entity's name.
    """

    administration: str
    entity: str
    positions: str
    control: str
    results: str
    poller: Callable[[Position, "Callable[[Bundle], asyncio.Future[None]]"], Polling]
    head: Callable[[], Awaitable[int]] | None
    hears: Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Pen:
    """What all seats of a lane write with; `owner` is this worker's name."""

    submit: Callable[[Sequence[Record]], "asyncio.Future[None]"]
    encode: Callable[[Position], bytes]
    partition: int
    owner: str
    tell: Listener
    clock: Clock


class Seat:
    """One shard, as long as its partition is owned."""

    def __init__(self, shard: Shard, position: Position, pen: Pen) -> None:
        self.shard = shard
        self._position = position
        self._pen = pen
        self._requests: asyncio.Queue[Request] = asyncio.Queue()

    @property
    def hears_from(self) -> int:
        """The offset of the first control request that was not applied."""
        return 0 if self._position.control is None else self._position.control.offset + 1

    def settle(self, end: int) -> None:
        """The control topic ends at this offset: where it lies before what was applied, the topic was made anew."""
        if self.hears_from > end:
            self._position = replace(self._position, control=None)

    def hear(self, request: Request) -> None:
        """Take a request, if it is for this shard and was not applied before."""
        if self.shard.hears(request.entity) and request.where.offset >= self.hears_from:
            self._requests.put_nowait(request)

    def adopt(self) -> None:
        """Ours from now on: the deployment that wrote the position refuses to go on."""
        self._submit(self._position)

    async def run(self) -> None:
        """Poll until cancelled, and between do what is asked."""
        while True:
            request = await self._poll()
            position, told = await self._outcome(request)
            await self._answer(replace(position, control=request.where), told)

    async def _poll(self) -> Request:
        """Poll until there is a request to carry out; then nothing is read any more."""
        polling = retrieved(asyncio.create_task(self.shard.poller(self._position, self._commit).run()))
        try:
            while True:
                request = await self._asked(polling)
                wrong = problem(request, self.shard.entity, listed=self.shard.head is None)
                if not wrong:
                    return request
                await self._answer(replace(self._position, control=request.where), [request.answer(REJECTED, wrong)])
        finally:
            polling.cancel()
            await asyncio.wait([polling])

    async def _asked(self, polling: "asyncio.Task[None]") -> Request:
        asking = asyncio.ensure_future(self._requests.get())
        try:
            await asyncio.wait({polling, asking}, return_when=asyncio.FIRST_COMPLETED)
            if polling.done():
                polling.result()
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
        if request.action != RESYNC or self.shard.head is None:
            return None
        async with asyncio.timeout(HEAD_WITHIN):
            return await self.shard.head()

    async def _answer(self, position: Position, told: Sequence[Answer]) -> None:
        await asyncio.shield(self._submit(position, told=told))
        for answer in told:
            self._tell(answer)

    def _commit(self, bundle: Bundle) -> "asyncio.Future[None]":
        """A poller's bundle; with its last one, the end of a resync. What was asked stands here, not with the poller."""
        now = self._position
        if now.resync is None or not now.resync.over(bundle.position.marker):
            return self._submit(replace(bundle.position, control=now.control, resync=now.resync), bundle.records)
        done = Answer(now.resync.id, RESYNC, self.shard.entity, DONE)
        committed = self._submit(replace(bundle.position, control=now.control, resync=None), bundle.records, [done])
        committed.add_done_callback(lambda ended: None if ended.cancelled() or ended.exception() else self._tell(done))
        return committed

    def _submit(self, position: Position, records: Sequence[Record] = (), told: Sequence[Answer] = ()) -> "asyncio.Future[None]":
        pen, shard, self._position = self._pen, self.shard, position
        stamp = pen.clock.stamp() if told else ""
        results = [Record(shard.results, answer.entity.encode(), answer.encode(stamp, pen.owner)) for answer in told]
        record = Record(shard.positions, shard.entity.encode(), pen.encode(position), partition=pen.partition)
        return pen.submit([*records, *results, record])

    def _tell(self, answer: Answer) -> None:
        shard = self.shard
        self._pen.tell(
            ControlAnswered(shard.administration, shard.entity, answer.id, answer.action, answer.status, answer.reason)
        )
