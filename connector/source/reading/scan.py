"""Reading an entity without publishing it: page after page from a marker on, by the rule of the pollers.

A page that cannot be had at its limit is asked smaller, down to one item. A place that cannot be had even so, while others can,
is passed, and shown as an item that nobody can name: what lies there is unknown, not absent.
"""

import asyncio
from collections.abc import Sequence

from connector.cancellation import cancel_wins
from connector.errors import NotSent, Reject, Retry, Unanswered
from connector.messages.position import NEVER_READ
from connector.mplus.client import Page
from connector.mplus.responses.pages import Item, Undecodable
from connector.source.budget import Reservation
from connector.source.entities import Entity
from connector.source.reading.narrowing import Narrowing
from connector.source.reading.paging import Advance, PageRequest, Stuck, Widen, judge_page
from connector.source.reading.silence import Pages

BAD_PLACES_MAX = 100
"""Passed one after the other, before it is the POS that is not understood, and no item of it."""


class Scan:
    """Everything up to `marker` was shown, but for places that cannot be had."""

    def __init__(self, reader: Pages, entity: Entity, limit: int, marker: int = NEVER_READ) -> None:
        self.marker = marker
        self._reader = reader
        self._next = 0 if entity.asks_after else 1
        self._narrowing = Narrowing(limit, 2 if entity.asks_after else 1)  # the last item may be shown once more
        self._good: int | None = None
        self._passed = 0

    def jump(self, marker: int) -> None:
        """Go on behind this marker."""
        if marker > self.marker:
            self.marker = marker
            self._narrowing.passes()

    async def page(self, head: int, room: Reservation | None = None, within: float | None = None) -> list[Item | Undecodable]:
        """The items up to where `marker` moves, at this head of the POS. Raises Retry, Reject.

        `room` holds them; `within`: seconds that a page may take (None: as long as a call may) before it is asked smaller.
        """
        while self.marker < head:
            ask = PageRequest(max(0, self.marker + self._next), self._narrowing.limit, head)
            try:
                with cancel_wins():
                    page = await self._asked((ask.marker, ask.limit), room, within)
            except Retry as error:
                found = await self._failed(ask, error, within)
            else:
                found = self._judged(ask, page)
            if found is not None:
                return found
        return []

    async def _asked(self, asked: tuple[int, int], room: Reservation | None, within: float | None) -> Page:
        if room is not None:
            room.resize(0)  # what a failed attempt left
        try:
            async with asyncio.timeout(within):
                return await self._reader.page(*asked, room.grow if room is not None else None)
        except TimeoutError:
            raise Unanswered(f"the POS does not show a page of {asked[1]} items in {within} s") from None

    async def _failed(self, ask: PageRequest, error: Retry, within: float | None) -> list[Item | Undecodable] | None:
        """None: ask again. A place is passed if another one can be read; else it is the POS that fails: raises its error."""
        if isinstance(error, NotSent) or error.after is not None or self._passed >= BAD_PLACES_MAX:
            self._narrowing.passes()
            raise error
        if self._narrowing.fails():
            return None
        self._narrowing.passes()
        other = (ask.marker + ask.head) // 2 + 1 if self._good is None else self._good
        await self._asked((other, 1), None, within)
        self.marker, self._passed = max(self.marker + 1, ask.marker), self._passed + 1
        return [_unknown(str(error))]

    def _judged(self, ask: PageRequest, page: Page) -> list[Item | Undecodable] | None:
        """None: ask again, more."""
        self._narrowing.had()
        verdict = judge_page(self.marker, ask, [item.marker for item in page])
        if isinstance(verdict, Stuck):
            raise Reject(f"more than {ask.limit} items share the sync marker {verdict.marker}: the POS cannot show them all")
        if isinstance(verdict, Widen) and self._narrowing.widens(verdict.limit):
            return None
        before, self._good, self._passed = self.marker, ask.marker, 0
        forced = isinstance(verdict, Widen)
        self.marker = verdict.marker if isinstance(verdict, Advance) else max(before + 1, *(item.marker or 0 for item in page))
        count = sum(item.marker is not None and item.marker <= self.marker for item in page) if page else self.marker - before
        hidden = self._narrowing.moves(count, forced=forced, ended=self.marker >= ask.head)
        unknown = [_unknown("an item beside others of the same sync marker cannot be read")] if hidden else []
        return [*_upto(page, before, ask, self.marker), *unknown]


def _unknown(reason: str) -> Undecodable:
    return Undecodable(None, None, reason, b"")


def _upto(page: Page, before: int, ask: PageRequest, upto: int) -> Sequence[Item | Undecodable]:
    """Without what was shown before; what lies below the asked marker is there, too."""
    return [
        item
        for item in page
        if item.marker is None or (item.marker <= upto and (item.marker > before or item.marker < ask.marker))
    ]
