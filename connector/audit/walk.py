"""A walk over all that the POS shows of an entity, which takes nothing for granted that a poller may.

The highest marker that was seen is asked for again until nothing new comes: so it does not matter how many items lie on it,
whether the limit counts records or is a range of markers, how items are sorted, and whether the POS gives fewer than asked. What
cannot be had is asked for in smaller parts; a place that cannot be had alone is passed over, and told.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from connector.audit.asking import WAIT_S_MAX
from connector.audit.raw import RawItem
from connector.clock import Clock
from connector.errors import NotSent, Retry

Tell = Callable[[int, int], None]
"""Hears how far it is, and how far it goes."""

LIMIT_MAX = 10_000
"""The POS takes no more."""

PATIENCE_S = 3600.0
"""Without any page, where only pages are not answered."""

GOOD_PAGES, GOOD_PAGES_MAX = 4, 16
"""After so many a smaller limit is doubled; after more where the larger one failed again."""


class Asks(Protocol):
    """Who is asked: see audit.asking.Asking."""

    async def page(self, marker: int, limit: int) -> Sequence[RawItem]:
        """Raises Retry, Reject."""

    async def head(self) -> int:
        """Raises Retry, Reject."""


class Place(NamedTuple):
    """Sync markers at which nothing could be had, and why."""

    first: int
    last: int
    reason: str


@dataclass(frozen=True, slots=True)
class Shown:
    """An answer: what was asked from, up to where it goes, and what it showed; or a place that was passed over."""

    asked: int
    upto: int
    items: Sequence[RawItem] = ()
    place: Place | None = None


def other_limit(page_size: int) -> int:
    """Another limit than the pollers', so that pages end elsewhere."""
    return page_size + 1 if page_size < 10 else page_size * 5 // 7


class Limit:
    """How many are asked for: fewer after a failure, and more again after some success. Pure."""

    def __init__(self, usual: int) -> None:
        self.now = self._usual = usual
        self._good, self._patience, self._grown = 0, GOOD_PAGES, False

    def failed(self) -> None:
        """The last page could not be had."""
        self._patience = min(GOOD_PAGES_MAX, self._patience * 2) if self._grown else GOOD_PAGES
        self.now, self._good, self._grown = max(1, self.now // 2), 0, False

    def succeeded(self) -> None:
        """The page came."""
        self._patience = GOOD_PAGES if self._grown else self._patience
        self._good, self._grown = self._good + 1, False
        if self._good >= self._patience and self.now < self._usual:
            self.now, self._good, self._grown = min(self._usual, self.now * 2), 0, True

    def reset(self) -> None:
        """What stood in the way is behind."""
        self.now, self._good, self._patience, self._grown = self._usual, 0, GOOD_PAGES, False


class Walk:
    """Everything below `at` was shown, or is told as a place."""

    def __init__(self, asking: Asks, clock: Clock, *, limit: int, after: bool, at: int = 0) -> None:
        """`after`: the operation may take the marker that it is asked from for one that was seen."""
        self.at = at
        self._asking = asking
        self._clock = clock
        self._limit = Limit(limit)
        self._after = after
        self._wide = 0
        self._known: set[RawItem] = set()
        self._empty = False
        self._answered = clock.monotonic()

    async def page(self, head: int) -> Shown:
        """The next answer, at this head of the POS. Raises Retry where the POS answers nothing at all, Reject."""
        asked, limit = self.at, max(self._limit.now, self._wide, self._alone)
        try:
            items = await self._page(asked, limit)
        except NotSent:
            raise
        except Retry as error:
            return await self._without(error, limit, head)
        self._limit.succeeded()
        return self._with(items, limit, head)

    @property
    def _alone(self) -> int:
        """The limit that gets one item more than what is known already."""
        return min(LIMIT_MAX, len(self._known) + 1)

    def _with(self, items: Sequence[RawItem], limit: int, head: int) -> Shown:
        """What lies above the head came since, or is a marker that is none: it leads nowhere."""
        asked = self.at
        markers = [item.marker for item in items if item.marker is not None and asked <= item.marker <= max(asked, head)]
        full = len(markers) + sum(item.marker is None for item in items) >= limit
        top = max(markers, default=asked)
        here = {item for item in items if item.marker == top}
        if top > asked or here - self._known:
            self._wide = _wider(limit) if full and top == asked else 0
            self._known = here | (self._known if top == asked else set())
            self.at = top
        elif full and limit < LIMIT_MAX:
            self._wide = _wider(limit)
        elif not (items or self._empty):
            self._empty = True  # asked again, before so many markers are passed for the sake of one answer
        else:
            self._step(1 if markers or full else max(1, limit - self._after))
            place = Place(asked, asked, f"{limit} items share this marker, and perhaps more") if full else None
            return Shown(asked, top, items, place)
        return Shown(asked, top, items)

    def _step(self, markers: int) -> None:
        self.at, self._wide, self._known, self._empty = self.at + markers, 0, set(), False

    async def _without(self, error: Retry, limit: int, head: int) -> Shown:
        """Ask for less, unless nothing is answered; and where one item alone cannot be had, find what lies behind it."""
        await self._clock.sleep(min(error.after or 0.0, WAIT_S_MAX))
        await self._asking.head()
        asked = self.at
        if limit > self._alone:
            self._wide = limit // 2 if self._wide else 0
            self._limit.failed()
            return Shown(asked, asked)
        if await self._can_be_had(asked, limit):  # by now
            return Shown(asked, asked)
        behind = await self._readable(error, asked + 1, head)
        first, last = asked + 1 if self._known and behind > asked + 1 else asked, behind - 1 + self._after
        self._limit.reset()
        self._step(behind - asked)
        return Shown(asked, last, (), Place(first, last, str(error)))

    async def _readable(self, error: Retry, first: int, head: int) -> int:
        """The lowest marker from which something can be had: where records are counted, what cannot may lie far ahead."""
        low, step = first, 1
        while not await self._can_be_had(low):
            if low > head:
                raise error
            first, low, step = low + 1, min(low + step, head + 1), step * 2
        while first < low:
            middle = (first + low) // 2
            if await self._can_be_had(middle):
                low = middle
            else:
                first = middle + 1
        return low

    async def _can_be_had(self, marker: int, limit: int = 1) -> bool:
        try:
            await self._page(marker, limit)
        except NotSent:
            raise
        except Retry as error:
            if self._clock.monotonic() - self._answered > PATIENCE_S:
                raise
            await self._clock.sleep(min(error.after or 0.0, WAIT_S_MAX))
            return False
        return True

    async def _page(self, marker: int, limit: int) -> Sequence[RawItem]:
        items = await self._asking.page(marker, limit)
        self._answered = self._clock.monotonic()
        return items


def _wider(limit: int) -> int:
    return min(LIMIT_MAX, limit * 10)
