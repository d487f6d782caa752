"""Looking for markers that become visible late: a small page per look, from one open gap to the next."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from connector.clock import Clock
from connector.errors import Retry
from connector.mplus.pages import Item, Undecodable
from connector.source.entities import Entity
from connector.source.gaps import Gaps, Window
from connector.source.page_size import PageSize
from connector.source.position import Advance, Ask, Widen, advance
from connector.source.positions import Position
from connector.source.schedule import Head
from connector.source.silence import Pages

LOOK_ITEMS = 50
"""Items of a look: most of them are known already."""

MANY = 100
"""Ranges from which on a look is a whole page: else it would not come round in time."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a look found: late items, the gaps that stay open, and how many markers are no longer waited for."""

    items: list[Item | Undecodable]
    gaps: Gaps
    expired: int


class LateLook:
    """Of one shard: one look for each look at the head."""

    def __init__(self, reader: Pages, entity: Entity, clock: Clock, window: Window, page_size: int) -> None:
        self._reader = reader
        self._entity = entity
        self._clock = clock
        self._window = window
        self._page_size = page_size
        self._size = PageSize(min(LOOK_ITEMS, page_size))
        self._upto = -1
        self._looked_at = float("-inf")

    def due(self, position: Position, head: Head) -> bool:
        """Whether to look, at this head."""
        return bool(position.gaps) and head.asked_at > self._looked_at

    async def look(self, position: Position, head: Head, grow: Callable[[int], Awaitable[None]]) -> Found | None:
        """None where the POS does not show that place now: the gaps there stay open."""
        self._looked_at = head.asked_at
        first = position.gaps.next_look(self._upto)
        if first is None:
            return None
        self._upto = first if first <= self._upto else self._upto
        ask = Ask(self._entity.first_after(first - 1), self._limit(position), position.marker)
        try:
            page = await self._reader.page(ask.marker, ask.limit, grow)
        except Retry:
            self._upto = first if not self._size.failed() else first - 1
            return None
        self._size.had()
        verdict = advance(first - 1, ask, [item.marker for item in page])
        if isinstance(verdict, Widen):
            self._size.widened(verdict.limit)
            self._upto = first - 1
            return None
        self._size.moved()
        self._upto = min(verdict.marker, position.marker) if isinstance(verdict, Advance) else first
        return self._judged(position, first, page)

    def _limit(self, position: Position) -> int:
        return max(self._size.limit, self._page_size) if len(position.gaps.rows) >= MANY else self._size.limit

    def _judged(self, position: Position, first: int, page: list[Item | Undecodable]) -> Found:
        gaps, upto = position.gaps, self._upto
        late = [item for item in page if item.marker is not None and first <= item.marker <= upto and item.marker in gaps]
        shown = {item.marker for item in late if item.marker is not None}
        floor = position.marker - self._window.markers
        left = gaps.looked(first, upto, shown, now=self._clock.monotonic(), floor=floor)
        return Found(late, left.gaps, left.expired)
