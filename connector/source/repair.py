"""Repair: items are read again and published by the one writer of their entity, and what is gone is marked so.

What is asked is a hint. An item is published as the POS shows it now, and only up to the position: what lies beyond comes by
itself. One that is said to be gone is looked for in all of the source; markers only rise, so that nothing evades a pass
that begins at the first one and ends at the head.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from connector.clock import Clock
from connector.errors import Reject
from connector.kafka.records import Record
from connector.mplus.client import Page
from connector.mplus.pages import Item, Undecodable
from connector.source.budget import Budget
from connector.source.bundles import REPAIR, Bundle, Publisher
from connector.source.heads import Heads
from connector.source.lists import content_hash
from connector.source.poller import BYTES_PER_ITEM
from connector.source.positions import Position
from connector.source.reader import Reader
from connector.source.scan import Scan
from connector.source.wanted import Named, Wanted

CLOSE_BY = 50
"""Limit of a page that is asked for the sake of one item: others that are wanted often lie near."""


@dataclass(frozen=True, slots=True)
class RepairParts:
    """What a repair works with. `pause`: seconds between two pages of a long pass, so that pollers are not starved."""

    reader: Reader
    heads: Heads
    budget: Budget
    publisher: Publisher
    clock: Clock
    page_size: int
    pause: float


class Search:
    """Looks for items in all of the source; `left` are those it has not come across."""

    def __init__(self, parts: RepairParts, gone: Iterable[Named]) -> None:
        self._parts = parts
        self._entity = parts.publisher.entity
        self._scan = Scan(parts.reader, self._entity, parts.page_size)
        self.left = {self._entity.name_of(*row): row for row in gone}
        self._shown = 0

    async def upto(self, head: int, pause: float = 0.0) -> None:
        """Raises Reject where nobody can tell: an item cannot be read, and may be one of them."""
        while self.left and self._scan.marker < head:
            async with self._parts.budget.room(self._parts.page_size * BYTES_PER_ITEM):
                self.strike(await self._scan.page(head))
            await self._parts.clock.sleep(pause)
        if self.left and head > 0 and not self._shown:
            raise Reject("the POS shows no item at all, though it has markers: that proves nothing")

    def strike(self, items: Iterable[Item | Undecodable]) -> None:
        """These are there."""
        for item in items:
            self._shown += 1
            if item.identity is None or item.marker is None:
                raise Reject("an item of the POS cannot be read: nobody can tell whether it is one that seems gone")
            self.left.pop(self._entity.name_of(item.identity, item.marker), None)


class Repair:
    """Of one entity. First `look`, while the poller goes on, then `mend`, in its place."""

    def __init__(self, parts: RepairParts) -> None:
        self._parts = parts
        self._entity = parts.publisher.entity

    async def look(self, wanted: Wanted) -> Search:
        """Look for what is said to be gone. Raises Retry, Reject."""
        search = Search(self._parts, wanted.gone)
        if search.left and not self._entity.listed:
            await search.upto(await self._head(), self._parts.pause)
        return search

    async def mend(self, wanted: Wanted, search: Search, position: Position) -> tuple[Bundle, str]:
        """What to commit, and what it is in words; nothing is read meanwhile. Raises Retry, Reject."""
        if position.state.stopped:
            raise Reject(f"it has stopped: {position.state}")
        items, position = await (self._listed if self._entity.listed else self._read)(wanted, search, position)
        stamp = self._parts.clock.stamp()
        bundle = self._parts.publisher.bundle(items, position, stamp, REPAIR)
        deleted = list(search.left.values())
        records = [*bundle.records, *_flat(self._parts.publisher.gone(*row, position.epoch, stamp) for row in deleted)]
        done = {"published again": (len(items), len(wanted.items)), "gone": (len(deleted), len(wanted.gone))}
        words = ", ".join(f"{count} of {asked} {what}" for what, (count, asked) in done.items() if asked)
        return replace(bundle, records=records), words

    async def _head(self) -> int:
        return (await self._parts.heads.newer(self._entity, self._parts.clock.monotonic())).marker

    async def _read(self, wanted: Wanted, search: Search, position: Position) -> tuple[Page, Position]:
        head = await self._head()
        if head < position.highest:
            raise Reject(f"the POS's head fell to {head}")
        await search.upto(head)
        return await self._items(wanted, position.marker, head), position

    async def _items(self, wanted: Wanted, upto: int, head: int) -> Page:
        """Each as it is now, if it still lies where it was named, or where that page ends; none beyond the position."""
        markers = sorted({marker for _, marker in wanted.items if marker <= upto})
        found: Page = []
        while markers:
            scan = Scan(self._parts.reader, self._entity, CLOSE_BY, markers[0] - 1)
            async with self._parts.budget.room(CLOSE_BY * BYTES_PER_ITEM):
                page = await scan.page(head)
            found += [item for item in page if item.marker is not None and item.marker <= upto and self._is(item, wanted)]
            markers = [marker for marker in markers if marker > scan.marker]
        return found

    def _is(self, item: Item | Undecodable, wanted: Wanted) -> bool:
        if item.identity is None:
            return item.marker in {marker for _, marker in wanted.items}
        names = {self._entity.name_of(*row) for row in wanted.items}
        return self._entity.name_of(item.identity, item.marker or 0) in names

    async def _listed(self, wanted: Wanted, search: Search, position: Position) -> tuple[Page, Position]:
        """Of a slow list: with the next numbers, as a change."""
        page = await self._parts.reader.page(0, 0)
        if search.left:
            search.strike(page)
        names, first = {identity for identity, _ in wanted.items}, max(position.marker, 0) + 1
        items = [item for item in page if isinstance(item, Item) and item.identity in names]
        hashes = {**position.hashes, **{item.identity: content_hash(item) for item in items}}
        for identity, _ in search.left.values():
            hashes.pop(identity, None)
        numbered: Page = [item._replace(marker=first + count) for count, item in enumerate(items)]
        return numbered, replace(position, marker=first - 1 + len(items), hashes=hashes)


def _flat(lists: Iterable[Sequence[Record]]) -> Iterable[Record]:
    return (record for records in lists for record in records)
