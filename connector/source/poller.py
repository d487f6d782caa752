"""The poller of one shard: an entity of an administration, read in order, one page at a time."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from connector.cancellation import cancel_wins
from connector.clock import Clock
from connector.errors import NotSent, Reject, Retry, TransactionLost
from connector.messages.cloudevents import LATE
from connector.messages.gaps import Window
from connector.messages.position import Position, State
from connector.mplus.client import Page
from connector.source.budget import MemoryBudget, Reservation
from connector.source.bundles import Bundle, Publisher, origin, portions, publishable
from connector.source.doubt import Confirmation
from connector.source.head_watch import HeadWatch, Restored, WatchParts
from connector.source.heads import Heads
from connector.source.reading.impasse import Impasse
from connector.source.reading.late import LateLook
from connector.source.reading.moving import Items, Reach, below, moved, shows_more, without_known_letters
from connector.source.reading.page_size import PageSize
from connector.source.reading.paging import Advance, PageRequest, Stuck, Widen, alone, judge_page
from connector.source.reading.portion import Portion
from connector.source.reading.silence import Pages, ToldReader
from connector.source.schedule import Head, Lag
from connector.source.state import ShardState
from connector.tracing import past, span

REFRESH_S = 5.0
"""Between two looks at the head while an entity waits to be asked again."""

Commit = Callable[[Bundle], "asyncio.Future[None]"]
"""Hands a bundle to the one writer of the work partition; the future is done when it is committed."""


@dataclass(frozen=True, slots=True)
class PollerContext:
    """What a poller works with. `shard_state`, `lag` and `portion` outlive it: another poller of the shard goes on with them."""

    heads: Heads
    budget: MemoryBudget
    publisher: Publisher
    commit: Commit
    clock: Clock
    shard_state: ShardState
    lag: Lag = field(default_factory=Lag)
    portion: Portion = field(default_factory=Portion)
    window: Window = field(default_factory=Window)
    confirmation: Confirmation = field(default_factory=Confirmation)


class Poller:
    """Reads a shard for ever from a position on."""

    def __init__(self, parts: PollerContext, reader: Pages, position: Position, limit: int) -> None:
        self._parts = parts
        self._reader = reader = ToldReader(reader, parts.shard_state)
        self._position = position
        self._size = PageSize(limit)
        self._entity = entity = parts.publisher.entity
        self._administration = parts.publisher.administration
        self._shard_state = parts.shard_state
        self._since = parts.clock.monotonic()
        self._stuck_at: int | None = None
        self._committing: asyncio.Future[None] | None = None
        watch = WatchParts(entity, reader, parts.heads, parts.shard_state, parts.clock, parts.lag, parts.confirmation, limit)
        self._watch = HeadWatch(watch, position.marker)
        self._late = LateLook(reader, entity, parts.clock, parts.window, limit)
        self._impasse = Impasse(reader, entity)

    async def run(self) -> None:
        """Poll until cancelled; errors of the POS are waited out here, errors of Kafka end the task."""
        while True:
            try:
                with cancel_wins():
                    await self.poll_once()
            except (Retry, Reject) as error:
                if isinstance(error, NotSent):
                    self._watch.outage()
                await self._rest(self._shard_state.failed(error))

    async def _rest(self, seconds: float) -> None:
        """Wait before asking again; the head goes on being looked at, so that the backlog is seen to grow."""
        resting = asyncio.ensure_future(self._parts.clock.sleep(seconds))
        try:
            while not resting.done():
                await asyncio.wait([resting], timeout=REFRESH_S)
                self._watch.refresh(self._position)
        finally:
            resting.cancel()

    async def poll_once(self) -> None:
        """Wait for something to do; read a page of what is new, look for what became visible late, hand it to the writer."""
        head = await self._something_new()
        due = self._late.due(self._position, head)
        if head.marker > self._position.marker:
            async with self._parts.budget.reserve(self._administration) as room:
                await self._read_on(head, room)
        if due and not self._shard_state.state.stopped:
            async with self._parts.budget.reserve(self._administration) as room:
                await self._look_for_late(head, room)

    async def _something_new(self) -> Head:
        """The head to read up to, once it lies beyond the position or gaps are to be looked at; at once while catching up."""
        while True:
            self._watch.refresh(self._position)
            head = await self._watch.believed(self._position, self._since)
            if isinstance(head, Restored):
                await self._stop(State.HEAD_REGRESSED, head.reason)
            elif self._shard_state.state.stopped:
                await self._watch.look(self._position, head.asked_at)
            elif head.marker > self._position.marker or self._late.due(self._position, head):
                return head
            else:
                await self._watch.look(self._position, max(self._since, head.asked_at))

    async def _look_for_late(self, head: Head, room: Reservation) -> None:
        found = await self._late.look(self._position, head, room.grow)
        if found is None:
            return
        self._position = replace(self._position, gaps=found.gaps)
        self._shard_state.gaps(found.gaps.open, found.expired)
        if found.items:
            bundle = self._parts.publisher.bundle(found.items, self._position, self._parts.clock.stamp(), LATE)
            await self._hand_over([bundle], room)

    async def _read_on(self, head: Head, room: Reservation) -> None:
        ask = PageRequest(
            self._entity.first_after(self._position.marker),
            self._size.within(self._parts.budget.share(self._administration)),
            head.marker,
        )
        with span("page", administration=self._administration, entity=self._entity.name, asked=ask.marker):
            if self._size.impasse and (passed := await self._impasse.passed(ask, self._position)):
                self._size.passed_over()
                await self._publish(passed.items, passed.marker, head, room)
                return
            page = await self._page(ask, room)
            marker = await self._judged(ask, page)
            if marker is not None and not shows_more(page, self._position.marker):
                marker = await self._confirmed(marker, head)
            if marker is not None:
                target = self._position.at(marker).marker
                await self._publish(publishable(page, self._position.marker, target), target, head, room)

    async def _page(self, ask: PageRequest, room: Reservation) -> Page:
        started = self._parts.clock.monotonic()
        try:
            page = await self._reader.page(ask.marker, ask.limit, room.grow)
        except Retry as error:
            self._impasse.error = error
            if not isinstance(error, NotSent) and error.after is None and self._size.failed():
                self._shard_state.limited(self._size.limit, str(error))
            raise
        self._size.had()
        self._shard_state.recovered()
        self._shard_state.read(ask.marker, len(page), self._parts.clock.monotonic() - started)
        self._shard_state.below(ask.marker, below(ask, page))
        return page

    async def _judged(self, ask: PageRequest, page: Page) -> int | None:
        """Where the page leads; None if it must be asked again."""
        verdict: Advance | Widen | Stuck | None = judge_page(self._position.marker, ask, [item.marker for item in page])
        if isinstance(verdict, Widen) and self._size.narrow:
            verdict = alone(self._position.marker, [item.marker for item in page])
        if verdict is None:
            self._size.hidden()
        if isinstance(verdict, Advance):
            if self._size.moved():
                self._shard_state.limited(self._size.limit, "pages can be had again")
            return verdict.marker
        if isinstance(verdict, Widen):
            self._size.widened(ask.limit, verdict.limit)
        if isinstance(verdict, Stuck) and self._stuck_at != verdict.marker:
            self._stuck_at = verdict.marker  # only an operator ends it: one answer proves nothing
        elif isinstance(verdict, Stuck):
            await self._stop(
                State.STUCK, f"more than {ask.limit} items share the sync marker {verdict.marker}: the POS cannot show them all"
            )
        return None

    async def _confirmed(self, marker: int, head: Head) -> int | None:
        """How far a page without items leads: as far as a second look tells that there are markers; None where it does not."""
        if marker > self._watch.confirmed:
            await self._watch.look(self._position, head.asked_at)
        marker = min(marker, self._watch.confirmed)
        return marker if marker > self._position.marker else None

    async def _publish(self, items: Items, marker: int, head: Head, room: Reservation) -> None:
        """All that is shown up to a marker, in transactions that can be sent in time, each with the position that it leads to."""
        parts, window = self._parts, self._parts.window
        floor = max(head.marker, marker) - window.markers
        reach = Reach(floor, parts.clock.monotonic() + window.seconds)
        fresh, letters = without_known_letters(items, self._position.letters)
        stamp, bundles, position = parts.clock.stamp(), list[Bundle](), self._position
        portioned = list(portions(fresh, parts.portion.bytes))
        for number, portion in enumerate(portioned, 1):
            upto = marker if number == len(portioned) else max(position.marker, portion[-1].marker or 0)
            position = replace(moved(self._entity, position, upto, portion, reach), letters=letters)
            bundles.append(parts.publisher.bundle(portion, position, stamp, origin(position), gives_up=parts.portion.gives_up))
        await self._hand_over(bundles, room)

    async def _hand_over(self, bundles: Sequence[Bundle], room: Reservation) -> None:
        """Queue bundles, each behind the last one; the next page is read while the last is sent."""
        size, items = sum(bundle.size for bundle in bundles), sum(bundle.items for bundle in bundles)
        room.resize(size)
        self._size.weighed(size, items)
        for bundle in bundles:
            if self._committing is not None:
                await asyncio.shield(self._committing)
            self._committing = self._parts.commit(bundle)
            self._committing.add_done_callback(self._report(bundle))
            self._position, self._since = bundle.position, self._parts.clock.monotonic()
        if self._committing is not None:
            room.keep_until(self._committing)

    def _report(self, bundle: Bundle) -> Callable[["asyncio.Future[None]"], None]:
        started = self._parts.clock.monotonic()

        def report(done: "asyncio.Future[None]") -> None:
            if done.cancelled() or (error := done.exception()) is not None:
                if not done.cancelled() and isinstance(error, TransactionLost) and error.slow:
                    self._parts.portion.slow(bundle.size, bundle.alone)
                return
            self._parts.portion.sent()
            self._watch.committed, took = bundle.position.marker, self._parts.clock.monotonic() - started
            past("transaction", took, items=bundle.items, marker=bundle.position.marker)
            self._shard_state.committed(bundle, took, self._parts.lag.since(bundle.position.marker))

        return report

    async def _stop(self, state: State, reason: str) -> None:
        """An operator must look: remember it, so that a restart does not forget."""
        self._position = replace(self._position, state=state)
        if self._committing is not None:
            await asyncio.shield(self._committing)
        await self._parts.commit(Bundle(self._position))
        self._shard_state.change(state, reason)
