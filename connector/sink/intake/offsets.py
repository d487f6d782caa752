"""Which offsets of a partition are finished. Pure."""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise

Range = tuple[int, int]
"""First and last offset."""


class Finished:
    """Ranges of offsets that need not be done again."""

    def __init__(self, ranges: Sequence[Sequence[int]] = ()) -> None:
        self.ranges: list[Range] = [(first, last) for first, last in ranges]
        self._firsts = [first for first, _ in self.ranges]

    def __contains__(self, offset: int) -> bool:
        place = bisect_right(self._firsts, offset) - 1
        return place >= 0 and offset <= self.ranges[place][1]

    def within(self, first: int, following: int) -> int:
        """How many of the offsets from `first` to before `following` are in a range."""
        return sum(max(0, min(last + 1, following) - max(low, first)) for low, last in self.ranges)


class Progress:
    """Offsets are begun in rising order and finished in any; some beyond the start may be finished from `before`."""

    def __init__(self, start: int, before: Finished | None = None) -> None:
        self._open: dict[int, None] = {}
        self._next = start
        self._before = before or Finished()

    def __len__(self) -> int:
        """How many are begun and not finished."""
        return len(self._open)

    def __contains__(self, offset: int) -> bool:
        """Whether it is begun and not finished."""
        return offset in self._open

    @property
    def next(self) -> int:
        """The offset after the last that was begun."""
        return self._next

    def begin(self, offset: int) -> None:
        """An offset was read."""
        self._open[offset] = None
        self._next = offset + 1

    def skip(self, following: int) -> None:
        """What was not begun before this offset is gone: it counts as finished."""
        self._next = max(self._next, following)

    def finish(self, offset: int) -> None:
        """What it asks for is done."""
        self._open.pop(offset, None)

    def reopen(self, offset: int) -> None:
        """The offset was not finished, after all: nothing was written since."""
        self._open = dict.fromkeys(sorted({*self._open, offset}))

    @property
    def lowest(self) -> int:
        """The lowest unfinished offset: where to go on after a crash."""
        return next(iter(self._open), self._next)

    @property
    def beyond(self) -> list[Range]:
        """What is finished above the lowest unfinished offset: a range between any two that are open.

        However long one of them stays open, there are no more ranges than open offsets. What lies in a range and is no
        record (the marker of a transaction) does no harm.
        """
        bounds = [*self._open, self._next]
        here = [(low + 1, high - 1) for low, high in pairwise(bounds) if high - low > 1]
        return here + [(max(first, self._next), last) for first, last in self._before.ranges if last >= self._next]
