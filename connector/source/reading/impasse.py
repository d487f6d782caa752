"""Getting past one item that the POS cannot show: the place from which on it can be read again is looked for.

What fails alone again and again may be a bad item, or a POS that fails altogether. So an item is given up only where another one
can be read at the same time; it becomes a dead letter that names the sync markers, and they stay open as gaps.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from connector.errors import NotSent, Retry
from connector.messages.position import Position
from connector.mplus.responses.pages import Item, Undecodable
from connector.source.entities import Entity
from connector.source.reading.paging import PageRequest
from connector.source.reading.silence import Pages

BACK_POWERS = 11
"""An older item is looked for 1, 2, 4… 1024 markers back."""


@dataclass(frozen=True, slots=True)
class Passed:
    """What stands for the sync markers up to this one."""

    items: Sequence[Item | Undecodable]
    marker: int


class Impasse:
    """The impasse of one shard. `error`: the last failure of a page."""

    def __init__(self, reader: Pages, entity: Entity) -> None:
        self._reader = reader
        self._entity = entity
        self.error = Retry("")

    async def passed(self, ask: PageRequest, position: Position) -> Passed | None:
        """How to go on; None where the POS shows nothing else either, or shows it now. Raises NotSent, Reject."""
        first = position.marker + 1
        good = await self._next_readable(first, ask.head)
        if good is None and await self._older_shown(position, first):
            good = ask.head + 1  # it is the newest
        if good is None or await self._shown(first) is not None:
            return None
        reason = f"the sync markers {first} to {good - 1} cannot be read, others can: {self.error}"
        return Passed([Undecodable(good - 1, None, reason, b"", first=first)], good - 1)

    async def _next_readable(self, bad: int, head: int) -> int | None:
        """The lowest marker above `bad` from which on an item can be read."""
        step, good = 1, None
        while good is None and bad < head:
            probe = min(bad + step, head)
            if await self._shown(probe):
                good = probe
            else:
                bad, step = probe, step * 2
        while good is not None and good - bad > 1:
            middle = (bad + good) // 2
            bad, good = (bad, middle) if await self._shown(middle) else (middle, good)
        return good

    async def _older_shown(self, position: Position, bad: int) -> bool:
        """Whether an item below can be read: the one at the position, or, as that may be the bad one now, one further back."""
        if position.anchor and await self._shown(position.anchor.marker):
            return True
        steps = [1 << power for power in range(BACK_POWERS) if 1 << power <= bad]
        for step in steps:  # an item that is asked for alone, or all in a window of markers
            if await self._shown(bad - step) or await self._shown(bad - step, step):
                return True
        return False

    async def _shown(self, marker: int, limit: int = 1) -> int | None:
        """How many items the POS shows there, of so many that are asked for; None where that fails."""
        try:
            page = await self._reader.page(self._entity.first_after(marker - 1), limit)
            if self._entity.asks_after and _all_below(marker, page):  # the row that it is asked after may be part of a page
                page = await self._reader.page(self._entity.first_after(marker - 1), limit + 1)
            return len(page) if not _all_below(marker, page) else 0
        except NotSent:
            raise
        except Retry:
            return None


def _all_below(marker: int, page: Sequence[Item | Undecodable]) -> bool:
    return all(item.marker is not None and item.marker < marker for item in page)
