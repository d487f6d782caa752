"""Markers that were passed and showed no item, near the head: an item may become visible there late. Pure.

A POS may make marker 101 readable before 100. Most gaps are for ever (the item changed again, under a higher marker), so they are
looked for during a while only: until they lie far enough behind, or long enough ago, *and* were looked at once more after that.
So neither a slow POS nor a restart shortens the window.
"""

from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

RANGES_MAX = 1000
"""Ranges that are remembered; beyond that the lowest are given up. One takes about 25 bytes in the position record."""


@dataclass(frozen=True, slots=True)
class Window:
    """How far back (in markers) and how long (in seconds) late markers are waited for; 0 markers: not at all."""

    markers: int = 1000
    seconds: float = 60.0


class Gap(NamedTuple):
    """The markers from `first` to `last`, waited for until this monotonic time."""

    first: int
    last: int
    until: float

    @property
    def markers(self) -> int:
        """How many."""
        return self.last - self.first + 1


class Looked(NamedTuple):
    """What a look left: the gaps that stay open, and how many markers are no longer waited for."""

    gaps: "Gaps"
    expired: int


@dataclass(frozen=True, slots=True)
class Gaps:
    """Disjoint ranges in rising order."""

    rows: tuple[Gap, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.rows)

    def __contains__(self, marker: int) -> bool:
        at = bisect_left(self.rows, marker, key=lambda gap: gap.last)
        return at < len(self.rows) and self.rows[at].first <= marker

    @property
    def open(self) -> int:
        """Markers that are waited for."""
        return sum(gap.markers for gap in self.rows)

    def passed(self, after: int, upto: int, shown: Iterable[int], until: float) -> "Gaps":
        """A page led from `after` to `upto` and showed these markers: the others in between are gaps from now on."""
        new = tuple(Gap(first, last, until) for first, last in _missing(after, upto, shown))
        return Gaps((*self.rows, *new)[-RANGES_MAX:]) if new else self

    def below(self, marker: int) -> "Gaps":
        """The gaps up to a marker, from which on everything is read again."""
        return Gaps(tuple(gap._replace(last=min(gap.last, marker)) for gap in self.rows if gap.first <= marker))

    def next_look(self, after: int) -> int | None:
        """The lowest open marker above `after`; from the beginning again where there is none."""
        return next(
            (max(gap.first, after + 1) for gap in self.rows if gap.last > after), self.rows[0].first if self.rows else None
        )

    def looked(self, first: int, last: int, shown: Collection[int], *, now: float, floor: int) -> Looked:
        """A look showed all that is visible from `first` to `last`.

        What is shown is a gap no longer; what is waited for long enough, or lies below `floor`, is given up.
        """
        parts = [part for gap in self.rows for part in _parts(gap, first, last)]
        rest = [hidden for part in parts for hidden in (_hidden(part, shown) if first <= part.first <= last else [part])]
        over = [gap for gap in rest if first <= gap.first <= last and (gap.until <= now or gap.last < floor)]
        return Looked(Gaps(tuple(gap for gap in rest if gap not in over)), sum(gap.markers for gap in over))

    def encode(self, now: float) -> Sequence[tuple[int, int, int]]:
        """For the position record: first, last, milliseconds left, which no clock of another machine can shorten."""
        return [(gap.first, gap.last, max(0, round((gap.until - now) * 1000))) for gap in self.rows]

    @classmethod
    def decode(cls, rows: Iterable[Sequence[int]], now: float) -> "Gaps":
        """From the position record. Raises ValueError, TypeError."""
        return cls(tuple(Gap(first, last, now + left / 1000) for first, last, left in rows))


NONE = Gaps()


def _missing(after: int, upto: int, shown: Iterable[int]) -> Iterator[tuple[int, int]]:
    """The ranges in (after, upto] that hold none of these."""
    for marker in sorted({marker for marker in shown if after < marker <= upto}):
        if marker > after + 1:
            yield after + 1, marker - 1
        after = marker
    if upto > after:
        yield after + 1, upto


def _hidden(gap: Gap, shown: Iterable[int]) -> list[Gap]:
    """What of it shows none of these."""
    return [Gap(*hidden, gap.until) for hidden in _missing(gap.first - 1, gap.last, shown)]


def _parts(gap: Gap, first: int, last: int) -> Iterator[Gap]:
    """The gap, cut at the ends of a look."""
    for cut in (first, last + 1):
        if gap.first < cut <= gap.last:
            yield gap._replace(last=cut - 1)
            gap = gap._replace(first=cut)
    yield gap
