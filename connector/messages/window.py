"""Windows of figures, as `{a}.views-windows` has them: a row per size, moment, measure and source partition. Pure."""

from typing import NamedTuple

KEPT = {60: 24 * 3600, 3600: 90 * 24 * 3600}
"""Size of a window in seconds → seconds that it is kept after it began."""


class Window(NamedTuple):
    """One window of one measure and source partition; `start` in seconds of the epoch."""

    size: int
    start: int
    measure: str
    partition: int

    @property
    def key(self) -> bytes:
        """Its key in the topic."""
        return f"{self.size}|{self.start}|{self.measure}|{self.partition}".encode()

    @classmethod
    def of(cls, key: bytes) -> "Window":
        """The window that has this key. Raises ValueError."""
        size, start, measure, partition = key.decode().split("|")
        return cls(int(size), int(start), measure, int(partition))

    def expired(self, now: float) -> bool:
        """Whether it is no longer kept; `now` in seconds of the epoch."""
        return self.start + KEPT[self.size] < now
