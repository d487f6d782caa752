"""Looking for markers that become visible late: a small page per look, from one open gap to the next."""

from collections import Counter
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, replace

from connector.clock import Clock
from connector.errors import NotSent, Reject, Retry
from connector.messages.gaps import Gaps, Looked, Window
from connector.messages.position import Position
from connector.mplus.responses.pages import Item, Undecodable
from connector.source.entities import Entity
from connector.source.reading.impasse import Impasse
from connector.source.reading.page_size import TRIES, PageSize
from connector.source.reading.paging import Advance, PageRequest, Widen, judge_page
from connector.source.reading.silence import Pages
from connector.source.schedule import Head

LOOK_ITEMS = 50
"""Items of a look: most of them are known already."""

LOOK_EVERY_S = 1.0
"""Between two looks, at least: with a short poll interval they would be most of what the POS is asked."""

MANY = 100
"""Ranges from which on a look is a whole page: else it would not come round in time."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a look found: late items, the gaps that stay open, and how many markers are no longer waited for."""

    items: list[Item | Undecodable]
    gaps: Gaps
    expired: int


class LateLook:
    """Looks of one shard: at most one for each look at the head, and one a second."""

    def __init__(self, reader: Pages, entity: Entity, clock: Clock, window: Window, page_size: int) -> None:
        self._reader = reader
        self._entity = entity
        self._clock = clock
        self._window = window
        self._small = PageSize(min(LOOK_ITEMS, page_size))
        self._whole = PageSize(page_size)
        self._impasse = Impasse(reader, entity)
        self._tries: Counter[int] = Counter()
        """How often a look at one item failed, by where it was asked."""
        self._upto = -1
        self._looked_at = float("-inf")

    def due(self, position: Position, head: Head) -> bool:
        """Whether to look, at this head."""
        return bool(position.gaps) and head.asked_at >= self._looked_at + LOOK_EVERY_S

    async def look(self, position: Position, head: Head, grow: Callable[[int], Awaitable[None]]) -> Found | None:
        """None where the POS does not show that place now: the gaps there stay open. Raises NotSent, Reject."""
        self._looked_at = head.asked_at
        first = position.gaps.next_look(self._upto)
        if first is None:
            return None
        self._upto = first if first <= self._upto else self._upto
        size = self._whole if len(position.gaps.rows) >= MANY else self._small
        ask = PageRequest(self._entity.first_after(first - 1), size.limit, position.marker)
        try:
            page = await self._reader.page(ask.marker, ask.limit, grow)
        except Reject:  # of this look; whether it is of the entity, its pages tell
            self._upto = first
            return None
        except Retry as error:
            self._upto = first - 1
            outage = isinstance(error, NotSent) or error.after is not None
            return None if outage or size.failed() else await self._passed(position, first, error)
        size.had()
        del self._tries[first]
        verdict = judge_page(first - 1, ask, [item.marker for item in page])
        if isinstance(verdict, Widen) and not size.narrow:
            size.widened(ask.limit, verdict.limit)
            self._upto = first - 1
            return None
        size.moved()
        self._upto = min(verdict.marker, position.marker) if isinstance(verdict, Advance) else first
        return self._judged(position, first, page)

    async def _passed(self, position: Position, first: int, error: Retry) -> Found | None:
        """What cannot be looked at is not waited for without end: when its time is over, it is given up like a page would be."""
        self._upto, self._impasse.error = first, error
        self._tries[first] += 1
        if self._tries[first] < TRIES or not self._left(position, first, first).expired:
            return None
        ask = PageRequest(self._entity.first_after(first - 1), 1, position.marker)
        passed = await self._impasse.passed(ask, replace(position, marker=first - 1))
        if passed is None:
            return None
        self._tries.clear()
        self._upto = min(passed.marker, position.marker)
        left = self._left(position, first, self._upto)
        return Found(list(passed.items), left.gaps, left.expired)

    def _judged(self, position: Position, first: int, page: list[Item | Undecodable]) -> Found:
        gaps, upto = position.gaps, self._upto
        late = [item for item in page if item.marker is not None and first <= item.marker <= upto and item.marker in gaps]
        left = self._left(position, first, upto, {item.marker for item in late if item.marker is not None})
        return Found(late, left.gaps, left.expired)

    def _left(self, position: Position, first: int, last: int, shown: Collection[int] = ()) -> Looked:
        floor = position.marker - self._window.markers
        return position.gaps.looked(first, last, shown, now=self._clock.monotonic(), floor=floor)
