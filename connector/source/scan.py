"""Reading an entity without publishing it: page after page from a marker on, by the rule of the pollers."""

from connector.errors import Reject
from connector.mplus.pages import Item, Undecodable
from connector.source.bundles import publishable
from connector.source.entities import Entity
from connector.source.position import Advance, Ask, Stuck, advance
from connector.source.positions import NEVER_READ
from connector.source.reader import Reader


class Scan:
    """Everything up to `marker` was shown."""

    def __init__(self, reader: Reader, entity: Entity, limit: int, marker: int = NEVER_READ) -> None:
        self.marker = marker
        self._reader = reader
        self._next = 0 if entity.asks_after else 1
        self._limit = self._page_size = limit

    async def page(self, head: int) -> list[Item | Undecodable]:
        """The items up to where `marker` moves, at this head of the POS. Raises Retry, Reject."""
        while self.marker < head:
            ask = Ask(max(0, self.marker + self._next), self._limit, head)
            page = await self._reader.page(ask.marker, ask.limit)
            verdict = advance(self.marker, ask, [item.marker for item in page])
            if isinstance(verdict, Advance):
                self._limit, before, self.marker = self._page_size, self.marker, verdict.marker
                return publishable(page, before, self.marker)
            if isinstance(verdict, Stuck):
                raise Reject(f"more than {ask.limit} items share the sync marker {verdict.marker}: the POS cannot show them all")
            self._limit = verdict.limit
        return []
