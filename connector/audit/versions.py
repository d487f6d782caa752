"""Both sides of the comparison, compactly: for each item, its version at the source and in the topic. Pure.

A version is a sync marker, or the hash of a slow list's content. Measured: 185 MB per million items with keys of 36 characters.
"""

from array import array
from collections.abc import Iterator
from typing import NamedTuple

NONE, UNKNOWN = -1, -2
"""No version, and one that nobody can read: no marker stands at the record."""


class Versions:
    """Versions by the names of items."""

    def __init__(self) -> None:
        self._places: dict[bytes, int] = {}
        self._source = array("q")
        self._topic = array("q")
        self.deleted: set[bytes] = set()
        """Marked as deleted by the source."""

    def _place(self, name: bytes) -> int:
        place = self._places.setdefault(name, len(self._source))
        if place == len(self._source):
            self._source.append(NONE)
            self._topic.append(NONE)
        return place

    def show(self, name: bytes, version: int, *, deleted: bool = False) -> None:
        """The source has the item; of several states that were seen the one with the highest marker stands."""
        place = self._place(name)
        if version < self._source[place]:
            return
        self._source[place] = version
        (self.deleted.add if deleted else self.deleted.discard)(name)

    def hide(self, name: bytes) -> None:
        """The source has it no more."""
        self._source[self._place(name)] = NONE

    def record(self, name: bytes, version: int) -> None:
        """The topic's last record of it; NONE: removed."""
        self._topic[self._place(name)] = version

    def source(self, name: bytes) -> int:
        """NONE where the source does not have it."""
        return self._source[self._place(name)]

    def topic(self, name: bytes) -> int:
        """NONE where the topic does not have it."""
        return self._topic[self._place(name)]

    def differing(self) -> Iterator[bytes]:
        """The names of all items that are not the same on both sides."""
        for name, place in self._places.items():
            if self._source[place] != self._topic[place]:
                yield name

    def names(self) -> Iterator[bytes]:
        """The names of all items, on whichever side."""
        return iter(self._places)

    def lowest(self) -> int:
        """The lowest version at the source; NONE where it has nothing."""
        return min((version for version in self._source if version != NONE), default=NONE)

    def counts(self) -> tuple[int, int]:
        """Items at the source, and in the topic."""
        return len(self._source) - self._source.count(NONE), len(self._topic) - self._topic.count(NONE)


class Target(NamedTuple):
    """What the source had, and the topic shall have: NONE for nothing."""

    version: int
    deleted: bool = False
