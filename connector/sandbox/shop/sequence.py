"""One entity's items in the order of their sync markers, with a journal that a restore plays back."""

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from connector.sandbox.shop.item import Item

JOURNAL = 200_000  # changes that can be undone; older ones are forgotten


class Before(NamedTuple):
    """What an item was before a change."""

    marker: int
    revision: int
    epoch: int
    deleted: bool
    parts: tuple[int, ...]
    content: Mapping[str, Any] | None
    first_changed: datetime | None
    last_changed: datetime | None


@dataclass(frozen=True, slots=True)
class Step:
    """A change, with the head just after it; `before` is None where it created the item."""

    head: int
    item: Item
    before: Before | None


class MarkerSequence:
    """`head` is the highest marker given out; a change moves its item to the end and leaves a gap behind.

    `now` dates the changes; it answers None as long as the seed does.
    """

    def __init__(self, now: Callable[[], datetime | None]) -> None:
        self._now = now
        self.head = 0
        self.epoch = 0
        self.by_identity: dict[str, Item] = {}
        self._items: list[Item] = []
        self._markers: list[int] = []
        self._journal: deque[Step] = deque(maxlen=JOURNAL)

    def next_marker(self) -> int:
        self.head += 1
        return self.head

    def append(self, item: Item) -> None:
        """A new item at the marker it carries."""
        self.by_identity[item.identity] = item
        self._journal.append(Step(self.head, item, None))
        self._place(item)

    def move(self, item: Item, marker: int, *, deleted: bool | None = None, content: Mapping[str, Any] | None = None) -> None:
        """A change of the item, which takes `marker`; of its parts one in turn takes it too. None: that stays as it is."""
        self._journal.append(Step(self.head, item, _before(item)))
        self._take_out(item)
        item.parts = tuple(marker if place == item.revision % len(item.parts) else old for place, old in enumerate(item.parts))
        item.marker, item.revision, item.epoch = marker, item.revision + 1, self.epoch
        item.deleted = item.deleted if deleted is None else deleted
        item.content = item.content if content is None else content
        item.last_changed = self._now()
        item.first_changed = item.last_changed if item.revision == 1 else item.first_changed
        item.xml.clear()
        self._place(item)

    def at_or_above(self, marker: int) -> Iterator[Item]:
        """The items from `marker` on, the lowest first."""
        for place in range(bisect_left(self._markers, marker), len(self._items)):
            yield self._items[place]

    def __iter__(self) -> Iterator[Item]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def item_at(self, place: int) -> Item:
        return self._items[place]

    def fall_back(self, by: int) -> None:
        """Undo every change of the last `by` markers, as restoring a backup does. ValueError: the journal is too short."""
        target = max(0, self.head - by)
        if self._journal.maxlen == len(self._journal) and self._journal[0].head > target:
            raise ValueError(f"only the last {self.head - self._journal[0].head} markers can be undone")
        while self._journal and self._journal[-1].head > target:
            self._undo(self._journal.pop())
        self.head = target
        self.epoch += 1
        self._sort(self.by_identity.values())

    def _undo(self, step: Step) -> None:
        item, before = step.item, step.before
        item.xml.clear()
        if before is None:
            del self.by_identity[item.identity]
        else:
            item.marker, item.revision, item.epoch, item.deleted, item.parts, item.content, *changed = before
            item.first_changed, item.last_changed = changed

    def _sort(self, items: Iterable[Item]) -> None:
        self._items = sorted(items, key=lambda item: item.marker)
        self._markers = [item.marker for item in self._items]

    def _place(self, item: Item) -> None:
        place = bisect_right(self._markers, item.marker)  # the end, but for a change that becomes visible late
        self._items.insert(place, item)
        self._markers.insert(place, item.marker)

    def _take_out(self, item: Item) -> None:
        place = bisect_left(self._markers, item.marker)
        while self._items[place] is not item:
            place += 1
        del self._items[place], self._markers[place]


def _before(item: Item) -> Before:
    state = (item.marker, item.revision, item.epoch, item.deleted, item.parts, item.content)
    return Before(*state, item.first_changed, item.last_changed)
