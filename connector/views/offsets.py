"""What of a partition was fetched and not carried out: up to the lowest of it the offset may be committed. Pure.

Faust drops records it has fetched whenever partitions are handed out anew, and mostly seeks back. Here it does not matter:
what was dropped stays open, and nothing behind it is carried out or committed until it was read again.
"""

from collections.abc import Collection, Iterable, Mapping
from itertools import takewhile
from typing import Generic, TypeVar

Place = TypeVar("Place")


class OffsetTracker:
    """Offsets of one partition, from when it was handed out.

    Another thread tells what was fetched: here every look at what is open is one step of the interpreter.
    """

    def __init__(self) -> None:
        self._open: dict[int, None] = {}
        self._next: int | None = None

    def fetched(self, offsets: Iterable[int]) -> None:
        """Records were read, perhaps again: what is done stays done."""
        done = self._next or 0
        self._open.update(dict.fromkeys(offset for offset in offsets if offset >= done))

    def is_open(self, offset: int) -> bool:
        """Whether it was fetched and is not carried out."""
        return offset in self._open

    def in_turn(self, offsets: Collection[int]) -> list[int]:
        """Records to carry out now, in order: nothing before them is open but what is among them."""
        return list(takewhile(offsets.__contains__, sorted(self._open)))

    def carried_out(self, offset: int) -> None:
        """This one is done. One that was fetched before the partition was handed out says nothing."""
        if offset in self._open:
            del self._open[offset]
            self._next = max(self._next or 0, offset + 1)

    @property
    def lowest(self) -> int | None:
        """The lowest that is open; None where nothing is."""
        return min(self._open, default=None)

    @property
    def following(self) -> int | None:
        """What may be committed: the offset behind all that is done without a gap; None where nothing was done."""
        lowest = self.lowest
        return self._next if self._next is None or lowest is None else min(lowest, self._next)


class StallDetector(Generic[Place]):
    """Notices partitions whose lowest open record stays the same for `after` seconds: it was dropped, and nobody sought back."""

    def __init__(self, after: float) -> None:
        self._after = after
        self._seen: dict[Place, tuple[int, float]] = {}

    def see(self, lowest: Mapping[Place, int | None], now: float) -> list[Place]:
        """Partitions that are due, each once in `after` seconds."""
        self._seen = {
            place: self._seen[place] if self._seen.get(place, (None,))[0] == offset else (offset, now)
            for place, offset in lowest.items()
            if offset is not None
        }
        found = [place for place, (_, since) in self._seen.items() if now - since > self._after]
        self._seen |= {place: (self._seen[place][0], now) for place in found}
        return found
