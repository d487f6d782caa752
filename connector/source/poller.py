"""The poller of one shard: an entity of an administration, read in order, one page at a time."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from connector.clock import Clock
from connector.errors import Reject, Retry
from connector.events import HeadSeen, Listener, PageRead
from connector.mplus.client import Page, PosClient
from connector.source.budget import MemoryBudget, Reservation
from connector.source.bundles import Bundle, Publisher, origin, publishable
from connector.source.heads import Heads
from connector.source.position import Advance, Ask, Stuck, Widen, advance
from connector.source.positions import Position
from connector.source.reader import Reader
from connector.source.schedule import AwaitHead, Head, Lag, Read, Regressed, State, decide
from connector.source.standing import Standing
from connector.tracing import past, span

Commit = Callable[[Bundle], "asyncio.Future[None]"]
"""Hands a bundle to the one writer of the work partition; the future is done when it is committed."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What a poller works with. `lag` outlives it: a change is not younger because another poller reads it."""

    client: PosClient
    heads: Heads
    budget: MemoryBudget
    publisher: Publisher
    commit: Commit
    tell: Listener
    clock: Clock
    lag: Lag = field(default_factory=Lag)


class Poller:
    """Reads a shard for ever from a position on."""

    def __init__(self, parts: Parts, reader: Reader, position: Position, limit: int) -> None:
        self._parts = parts
        self._reader = reader
        self._position = position
        self._limit = self._page_size = limit
        self._entity = parts.publisher.entity
        self._where = (parts.publisher.administration, self._entity.name)
        self._since = parts.clock.monotonic()
        self._head = parts.heads.latest(self._entity)
        self._lag = parts.lag
        self._committing: asyncio.Future[None] | None = None
        self._committed = position.marker
        self._standing = Standing(self._where, position.state, parts.tell, parts.clock)

    async def run(self) -> None:
        """Poll until cancelled; errors of the POS are waited out here, errors of Kafka end the lane."""
        with self._standing.shown(self._position.marker):
            while True:
                try:
                    await self.poll_once()
                except (Retry, Reject) as error:
                    await self._parts.clock.sleep(self._standing.failed(error))

    async def poll_once(self) -> None:
        """Wait for something new, read a page of it, hand its bundle to the writer."""
        head = await self._something_new()
        async with self._parts.budget.reserve(self._where[0]) as room:
            ask = self._ask(head)
            with span("page", administration=self._where[0], entity=self._where[1], asked=ask.marker):
                page = await self._read(ask, room)
                bundle = await self._judge(ask, page)
                if bundle is not None:
                    await self._hand_over(bundle, room)

    async def _something_new(self) -> Head:
        """The head to read up to, once it lies beyond the position; at once while catching up."""
        while True:
            choice = decide(self._position.marker, self._since, self._head, self._position.highest)
            if isinstance(choice, Regressed) and self._standing.state is not State.HEAD_REGRESSED:  # also while it is paused
                await self._stop(
                    State.HEAD_REGRESSED, f"the head fell to {choice.head.marker}: was the POS restored from a backup?"
                )
            elif self._standing.state.stopped:
                await self._look(self._head.asked_at if self._head else self._since)
            elif isinstance(choice, Read):
                return choice.head
            elif isinstance(choice, AwaitHead):
                await self._look(choice.after)

    async def _look(self, after: float) -> None:
        """Wait for a head asked after this time."""
        self._head = head = await self._parts.heads.newer(self._entity, after)
        self._lag.saw(head.marker, head.asked_at)
        self._parts.tell(HeadSeen(*self._where, head.marker, self._committed, self._lag.since(self._committed)))
        if head.marker <= self._position.marker:  # else the page tells whether the entity can be read
            self._standing.recovered()

    def _ask(self, head: Head) -> Ask:
        first = self._position.marker + (0 if self._entity.asks_after else 1)
        return Ask(max(0, first), self._limit, head.marker)

    async def _read(self, ask: Ask, room: Reservation) -> Page:
        started = self._parts.clock.monotonic()
        page = await self._reader.page(ask.marker, ask.limit, room.grow)
        self._standing.recovered()
        self._parts.tell(PageRead(*self._where, ask.marker, len(page), self._parts.clock.monotonic() - started))
        return page

    async def _judge(self, ask: Ask, page: Page) -> Bundle | None:
        """What of the page may be published now, and where that leads; None if it must be asked again."""
        verdict = advance(self._position.marker, ask, [item.marker for item in page])
        if isinstance(verdict, Advance):
            self._limit = self._page_size
            position = self._position.at(verdict.marker)
            items = publishable(page, self._position.marker, position.marker)
            return self._parts.publisher.bundle(items, position, self._parts.clock.stamp(), origin(position))
        if isinstance(verdict, Widen):
            self._limit = verdict.limit
        if isinstance(verdict, Stuck):
            await self._stop(
                State.STUCK, f"more than {ask.limit} items share the sync marker {verdict.marker}: the POS cannot show them all"
            )
        return None

    async def _hand_over(self, bundle: Bundle, room: Reservation) -> None:
        """Queue the bundle behind the last one; the next page is read while this one is sent."""
        room.resize(bundle.size)
        if self._committing is not None:
            await asyncio.shield(self._committing)
        self._committing = self._parts.commit(bundle)
        room.keep_until(self._committing)
        self._committing.add_done_callback(self._report(bundle))
        self._position, self._since = bundle.position, self._parts.clock.monotonic()

    def _report(self, bundle: Bundle) -> Callable[["asyncio.Future[None]"], None]:
        started = self._parts.clock.monotonic()

        def report(done: "asyncio.Future[None]") -> None:
            if done.cancelled() or done.exception() is not None:
                return
            self._committed, took = bundle.position.marker, self._parts.clock.monotonic() - started
            past("transaction", took, items=bundle.items, marker=self._committed)
            self._standing.committed(bundle, took, self._lag.since(self._committed))

        return report

    async def _stop(self, state: State, reason: str) -> None:
        """An operator must look: remember it, so that a restart does not forget."""
        self._position = replace(self._position, state=state)
        if self._committing is not None:
            await asyncio.shield(self._committing)
        await self._parts.commit(Bundle(self._position))
        self._standing.change(state, reason)
