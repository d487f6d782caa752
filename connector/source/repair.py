"""Repair: items are read again and published by the one writer of their entity, and what is gone is marked so.

What is asked is a hint. An item is published as the POS shows it now, and only up to the position: what lies beyond comes by
itself. One that is said to be gone is looked for in all of the source; markers only rise, so that nothing evades a pass
that begins at the first one and ends at the head.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from connector.clock import Clock
from connector.errors import Reject, Unanswered
from connector.kafka.records import Record
from connector.messages.cloudevents import REPAIR
from connector.messages.control import Named, Wanted
from connector.messages.position import NEVER_READ, Position
from connector.mplus.client import Page
from connector.mplus.responses.pages import Item, Undecodable
from connector.source.budget import MemoryBudget
from connector.source.bundles import Bundle, Publisher
from connector.source.heads import Heads
from connector.source.list_poller import CONFIRMED_AFTER_S, content_hash, fitting
from connector.source.reading.reader import Reader
from connector.source.reading.scan import Scan

CLOSE_BY = 50
"""Limit of a page that is asked for the sake of one item: others that are wanted often lie near."""

PAGE_WITHIN_S = 60.0
"""Seconds that a page, or the head, may take while nothing else of the entity is read; then it is asked smaller, or given up."""


@dataclass(frozen=True, slots=True)
class RepairContext:
    """What a repair works with. `pause`: seconds between two pages of a long pass, so that pollers are not starved."""

    reader: Reader
    heads: Heads
    budget: MemoryBudget
    publisher: Publisher
    clock: Clock
    page_size: int
    pause: float


@dataclass(frozen=True, slots=True)
class Pace:
    """The pace of a pass: seconds between two pages, and those that a page may take (None: as long as a call may)."""

    pause: float
    within: float | None


class Search:
    """Looks for items in all of the source; `left` are those it has not come across.

    An empty page proves nothing: what it passed is asked again later, as is the place of each item that was not found, and
    then the POS must still show items where it showed most.
    """

    def __init__(self, parts: RepairContext, gone: Iterable[Named]) -> None:
        self._parts = parts
        self._entity = parts.publisher.entity
        self._scan = self._from(parts.page_size)
        self.left = {self._entity.name_of(*row): row for row in gone}
        self._doubts: list[tuple[int, int]] = []
        self._places_asked = False
        self._most = (0, 0)
        self._shown = self._nameless = 0

    async def upto(self, head: int, pace: Pace) -> None:
        """Look at everything up to this head. Raises Retry, and Reject where nobody can tell."""
        while self.left and self._scan.marker < head:
            before = self._scan.marker
            shown = await self._page(self._scan, head, pace)
            self._most = max(self._most, (shown, before))
            if not shown:
                self._doubts.append((before, self._scan.marker))
        if not self._places_asked:
            self._doubts += [(marker - 1, marker) for _, marker in self.left.values()]
            self._places_asked = True
        if self.left and self._shown and self._doubts:
            await self._again(head, pace)
        self.prove(head)

    async def _again(self, head: int, pace: Pace) -> None:
        """Look once more at what seems to be empty."""
        await self._parts.clock.sleep(CONFIRMED_AFTER_S)
        doubts, self._doubts = joined(self._doubts), []
        for after, last in doubts:
            scan = self._from(min(self._parts.page_size, max(CLOSE_BY, last - after)), after)
            while self.left and scan.marker < min(last, head):
                await self._page(scan, head, pace)
        count, place = self._most
        if self.left and not await self._page(self._from(self._parts.page_size, place), head, pace):
            raise Reject(f"the POS shows nothing where it showed {count} items before: that proves nothing")

    def _from(self, limit: int, marker: int = NEVER_READ) -> Scan:
        return Scan(self._parts.reader, self._entity, limit, marker)

    async def _page(self, scan: Scan, head: int, pace: Pace) -> int:
        async with self._parts.budget.reserve(self._parts.publisher.administration) as room:
            shown = self.strike(await scan.page(head, room, pace.within))
        await self._parts.clock.sleep(pace.pause)
        return shown

    def strike(self, items: Iterable[Item | Undecodable]) -> int:
        """Take out the items that are there; the number of those that can be named."""
        shown = 0
        for item in items:
            if item.identity is None or (item.marker is None and not self._entity.compacted):
                self._nameless += 1
                continue
            shown += 1
            self.left.pop(self._entity.name_of(item.identity, item.marker or 0), None)
        self._shown += shown
        return shown

    def prove(self, head: int) -> None:
        """What is left is gone, at this head of the POS. Raises Reject where nobody can tell."""
        if self.left and self._nameless:
            raise Reject("an item of the POS cannot be read: nobody can tell whether it is one that seems gone")
        if self.left and head > 0 and not self._shown:
            raise Reject("the POS shows no item at all, though it has markers: that proves nothing")


def joined(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Ranges (after, last] in rising order; those that touch are one. Pure."""
    found: list[tuple[int, int]] = []
    for after, last in sorted(ranges):
        if found and after <= found[-1][1]:
            found[-1] = (found[-1][0], max(last, found[-1][1]))
        else:
            found.append((after, last))
    return found


class Repair:
    """The repair of one entity. First `look`, while the poller goes on, then `mend`, in its place."""

    def __init__(self, parts: RepairContext) -> None:
        self._parts = parts
        self._entity = parts.publisher.entity

    async def look(self, wanted: Wanted) -> Search:
        """Look for what is said to be gone. Raises Retry, Reject."""
        search = Search(self._parts, wanted.gone)
        if search.left and self._entity.listed:
            search.strike(await self._list(None))
            await self._parts.clock.sleep(CONFIRMED_AFTER_S)
        elif search.left:
            await search.upto(await self._head(), Pace(self._parts.pause, None))
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
        try:
            async with asyncio.timeout(PAGE_WITHIN_S):
                return (await self._parts.heads.at_once(self._entity)).marker
        except TimeoutError:
            raise Unanswered(f"the POS does not tell its head in {PAGE_WITHIN_S:.0f} s") from None

    async def _read(self, wanted: Wanted, search: Search, position: Position) -> tuple[Page, Position]:
        head = await self._head()
        if head < position.highest:
            raise Reject(f"the POS's head fell to {head}")
        await search.upto(head, Pace(0.0, PAGE_WITHIN_S))
        return await self._items(wanted, position.marker, head), position

    async def _items(self, wanted: Wanted, upto: int, head: int) -> Page:
        """Each as it is now, if it still lies where it was named, or where that page ends; none beyond the position."""
        markers = sorted({marker for _, marker in wanted.items if marker <= upto})
        found: dict[tuple[int, str | None], Item | Undecodable] = {}
        scan = Scan(self._parts.reader, self._entity, CLOSE_BY)
        while markers:
            scan.jump(markers[0] - 1)
            async with self._parts.budget.reserve(self._parts.publisher.administration) as room:
                page = await scan.page(head, room, PAGE_WITHIN_S)
            found |= {(item.marker, item.identity): item for item in page if item.marker is not None and self._is(item, wanted)}
            markers = [marker for marker in markers if marker > scan.marker]
        return [item for (marker, _), item in found.items() if marker <= upto]

    def _is(self, item: Item | Undecodable, wanted: Wanted) -> bool:
        if item.identity is None:
            return item.marker in {marker for _, marker in wanted.items}
        names = {self._entity.name_of(*row) for row in wanted.items}
        return self._entity.name_of(item.identity, item.marker or 0) in names

    async def _list(self, within: float | None) -> Page:
        async with asyncio.timeout(within), self._parts.budget.reserve(self._parts.publisher.administration) as room:
            return await self._parts.reader.page(0, 0, room.grow)

    async def _listed(self, wanted: Wanted, search: Search, position: Position) -> tuple[Page, Position]:
        """Repair a slow list: with the next numbers, as a change."""
        try:
            page = await self._list(PAGE_WITHIN_S)
        except TimeoutError:
            raise Unanswered(f"the POS does not show the list in {PAGE_WITHIN_S:.0f} s") from None
        search.strike(page)
        search.prove(0)
        names, first = {identity for identity, _ in wanted.items}, max(position.marker, 0) + 1
        items = list({item.identity: item for item in page if isinstance(item, Item) and item.identity in names}.values())
        hashes = {**position.hashes, **{item.identity: content_hash(item) for item in items}}
        for identity, _ in search.left.values():
            hashes.pop(identity, None)
        numbered: Page = [item._replace(marker=first + count) for count, item in enumerate(items)]
        return numbered, replace(position, marker=first - 1 + len(items), hashes=fitting(hashes))


def _flat(lists: Iterable[Sequence[Record]]) -> Iterable[Record]:
    return (record for records in lists for record in records)
