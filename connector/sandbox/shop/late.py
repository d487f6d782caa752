"""Changes that become visible late: their sync marker is given out now, and readers see them after higher ones.

So it is in a database whose transactions end in another order than they began.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import inf
from random import Random

from connector.sandbox.shop.item import Item
from connector.sandbox.shop.sequence import MarkerSequence


@dataclass(frozen=True, slots=True)
class Change:
    """An item that is `new`, or takes `marker`; `deleted` None: that stays as it is."""

    item: Item
    marker: int
    deleted: bool | None = None
    new: bool = False

    def show(self, sequence: MarkerSequence) -> None:
        if self.new:
            sequence.append(self.item)
        else:
            sequence.move(self.item, self.marker, deleted=self.deleted)


class Late:
    """A `share` (0 to 1) of all changes is held back for `seconds`, or, where that is infinite, until the shop reveals them.

    Until then an item is what it was, and a new one is not there. `counted`: whether heads count what is held back.
    """

    def __init__(self, seed: int, clock: Callable[[], float]) -> None:
        self.share = 0.0
        self.seconds = inf
        self.counted = True
        self._luck = Random(f"late {seed}")
        self._clock = clock
        self._held: dict[str, list[tuple[float, Change]]] = {}

    def strikes(self) -> bool:
        """Whether the next change becomes visible late."""
        return self.share > 0 and self._luck.random() < self.share

    def hold(self, change: Change) -> None:
        self._held.setdefault(change.item.entity, []).append((self._clock() + self.seconds, change))

    def supersede(self, item: Item) -> bool | None:
        """Forget the item's change that is held back, as a newer one comes; return its `deleted`."""
        held = self._held.get(item.entity, ())
        old = [change for _, change in held if change.item is item]
        if old:
            self._held[item.entity] = [row for row in held if row[1].item is not item]
        return old[-1].deleted if old else None

    def due(self, entity: str, *, everything: bool = False) -> Iterator[Change]:
        """Take the changes whose time has come, or all, in the order they were held back, but for superseded ones."""
        if held := self._held.get(entity):
            now = inf if everything else self._clock()
            self._held[entity] = [row for row in held if row[0] > now]
            yield from (change for at, change in held if at <= now and (change.new or change.item.marker < change.marker))

    def unborn(self, entity: str) -> int:
        """How many new items are held back."""
        return sum(change.new for _, change in self._held.get(entity, ()))

    def shown_head(self, entity: str, head: int) -> int:
        """The entity's head as the POS tells it; `head` is the highest marker given out."""
        held = set() if self.counted else {change.marker for _, change in self._held.get(entity, ())}
        while head in held:
            head -= 1
        return head

    def forget(self, entity: str) -> None:
        """What is held back never happened."""
        self._held.pop(entity, None)
