"""Which offsets of a partition are finished. Pure."""

from collections.abc import Iterable


class Progress:
    """Offsets are begun in rising order and finished in any; some beyond the start may be `finished` from before."""

    def __init__(self, start: int, finished: Iterable[int] = ()) -> None:
        self._open: dict[int, None] = {}
        self._finished = set(finished)
        self._next = start

    def __len__(self) -> int:
        """How many are begun and not finished."""
        return len(self._open)

    def begin(self, offset: int) -> None:
        """An offset was read."""
        self._open[offset] = None
        self._next = offset + 1

    def finish(self, offset: int) -> None:
        """What it asks for is done."""
        del self._open[offset]
        self._finished.add(offset)

    @property
    def lowest(self) -> int:
        """The lowest unfinished offset: where to go on after a crash."""
        return next(iter(self._open), self._next)

    @property
    def beyond(self) -> list[int]:
        """Finished offsets above the lowest unfinished one: not to be done again."""
        lowest = self.lowest
        self._finished = {offset for offset in self._finished if offset > lowest}
        return sorted(self._finished)
