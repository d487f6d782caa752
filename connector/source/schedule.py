"""When a shard reads, waits or stops. Pure: times are passed in as seconds of one monotonic clock."""

from collections import deque
from dataclasses import dataclass, field

REFUSED_AGAIN_S = 60.0
"""Seconds until an operation that was refused is tried again: a licence may have been bought."""


@dataclass(frozen=True, slots=True)
class Head:
    """The highest sync marker of an entity, and when it was asked for."""

    marker: int
    asked_at: float


def fell_below(highest: int, since: float, head: Head) -> bool:
    """Whether a head contradicts what was read up to `highest`, reached at time `since`.

    Only one asked after that can: a page may show changes that came after an older head.
    """
    return head.marker < highest and head.asked_at >= since


@dataclass(slots=True)
class Lag:
    """How old the oldest unread change is: since the first head that lay beyond the position."""

    most: int = 1000
    _seen: deque[tuple[float, int]] = field(default_factory=deque)

    def saw(self, head: int, at: float) -> None:
        """A head was seen at this time."""
        if not self._seen or head > self._seen[-1][1]:
            if len(self._seen) == self.most:
                self._seen.pop()  # the oldest tell the age; a coarser newest one only rounds it up later
            self._seen.append((at, head))

    def since(self, position: int) -> float | None:
        """When the oldest unread change was first known; None when everything is read."""
        while self._seen and self._seen[0][1] <= position:
            self._seen.popleft()
        return self._seen[0][0] if self._seen else None
