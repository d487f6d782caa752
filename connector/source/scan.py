"""Reading an entity without publishing it: page after page from a marker on, by the rule of the pollers.

A page that cannot be had at its limit is asked smaller, down to one item. A place that cannot be read even so is passed, and
shown as an item that nobody can name: what lies there is unknown, not absent.
"""

import asyncio
from collections.abc import Sequence

from connector.errors import NotSent, Reject, Retry, Unanswered, Unreadable
from connector.mplus.client import Page
from connector.mplus.pages import Item, Undecodable
from connector.source.budget import Reservation
from connector.source.entities import Entity
from connector.source.position import Advance, Ask, Stuck, Widen, advance
from connector.source.positions import NEVER_READ
from connector.source.silence import Pages

UNREADABLE_IN_A_ROW_MAX = 100
"""Places passed one after the other, before it is the POS that is not understood, and no item."""

GOOD_PAGES = 10
"""To be had at a limit, before a larger one is tried again that took too long."""


class Scan:
    """Everything up to `marker` was shown, but for places that cannot be read."""

    def __init__(self, reader: Pages, entity: Entity, limit: int, marker: int = NEVER_READ) -> None:
        self.marker = marker
        self._reader = reader
        self._next = 0 if entity.asks_after else 1
        self._least = 2 if entity.asks_after else 1  # the last item may be shown once more
        self._limit = self._page_size = limit
        self._bad_within = 0
        """Among so many items from here on is one that makes its page unreadable; 0: none is known."""
        self._forced = False
        self._slow = self._passed = 0

    def jump(self, marker: int) -> None:
        """Go on behind this marker."""
        if marker > self.marker:
            self.marker, self._bad_within, self._forced = marker, 0, False

    async def page(self, head: int, room: Reservation | None = None, within: float | None = None) -> list[Item | Undecodable]:
        """The items up to where `marker` moves, at this head of the POS. Raises Retry, Reject.

        `room` holds them; `within`: seconds that a page may take (None: as long as a call may) before it is asked smaller.
        """
        while self.marker < head:
            ask = Ask(max(0, self.marker + self._next), self._limit, head)
            try:
                found = self._judged(ask, await self._asked(ask, room, within))
            except Retry as error:
                found = self._smaller(ask, error)
            if found is not None:
                return found
        return []

    async def _asked(self, ask: Ask, room: Reservation | None, within: float | None) -> Page:
        if room is not None:
            room.resize(0)  # what a failed attempt left
        try:
            async with asyncio.timeout(within):
                return await self._reader.page(ask.marker, ask.limit, room.grow if room is not None else None)
        except TimeoutError:
            raise Unanswered(f"the POS does not show a page of {ask.limit} items in {within} s") from None

    def _smaller(self, ask: Ask, error: Retry) -> list[Item | Undecodable] | None:
        """None: ask again, less. Raises the error where that is no help."""
        if isinstance(error, NotSent) or error.after is not None:
            raise error
        if ask.limit > self._least:
            self._limit = max(self._least, ask.limit // 2)
            self._bad_within, self._slow = (ask.limit, 0) if isinstance(error, Unreadable) else (0, GOOD_PAGES)
            return None
        if not isinstance(error, Unreadable) or self._passed >= UNREADABLE_IN_A_ROW_MAX:
            raise error
        self.marker = max(self.marker + 1, ask.marker)
        self._passed += 1
        self._bad_within, self._forced = 0, False
        return [_unknown(str(error))]

    def _judged(self, ask: Ask, page: Page) -> list[Item | Undecodable] | None:
        """None: ask again, more."""
        verdict = advance(self.marker, ask, [item.marker for item in page])
        if isinstance(verdict, Stuck):
            raise Reject(f"more than {ask.limit} items share the sync marker {verdict.marker}: the POS cannot show them all")
        if isinstance(verdict, Widen) and not self._bad_within:
            self._limit = verdict.limit if ask.limit >= self._page_size else min(self._page_size, 2 * ask.limit)
            return None
        return self._moved(ask, page, verdict.marker if isinstance(verdict, Advance) else None)

    def _moved(self, ask: Ask, page: Page, marker: int | None) -> list[Item | Undecodable]:
        """To this marker; None: past the highest one, as more cannot be asked for without what is unreadable."""
        before, self._passed, unknown = self.marker, 0, []
        self._forced |= marker is None
        self.marker = max(before + 1, *(item.marker or 0 for item in page)) if marker is None else marker
        if self._bad_within:
            passed = (
                sum(item.marker is not None and item.marker <= self.marker for item in page) if page else self.marker - before
            )
            self._bad_within = max(0, self._bad_within - max(1, passed))
        if self._forced and (not self._bad_within or self.marker >= ask.head):
            self._forced, unknown = False, [_unknown("an item beside others of the same sync marker cannot be read")]
        self._limit = self._next_limit(ask.limit)
        return [*_upto(page, before, ask, self.marker), *unknown]

    def _next_limit(self, limit: int) -> int:
        if self._bad_within:
            return max(self._least, min(limit, self._bad_within // 2))
        if self._slow:
            self._slow -= 1
            return min(limit, self._page_size)
        return min(2 * limit, self._page_size)


def _unknown(reason: str) -> Undecodable:
    return Undecodable(None, None, reason, b"")


def _upto(page: Page, before: int, ask: Ask, upto: int) -> Sequence[Item | Undecodable]:
    """Without what was shown before; what lies below the asked marker is there, too."""
    return [
        item
        for item in page
        if item.marker is None or (item.marker <= upto and (item.marker > before or item.marker < ask.marker))
    ]
