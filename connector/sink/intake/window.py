"""What the command tasks of a worker may hold in hand: a bound in bytes that they share evenly."""

OVERHEAD_BYTES = 1 << 10
"""Bytes that a command in hand takes besides its record."""


class Window:
    """`limit` bytes for all tasks together, evenly for those that hold anything now.

    A task that holds nothing may always take one command, however large. Should all others come to life after one has
    taken its share, they get theirs all the same: so it is a bound up to a small factor, and nobody waits for a neighbour.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._holding = 0

    @property
    def share(self) -> int:
        """Bytes for one task."""
        return self._limit // max(1, self._holding)

    def held(self, by: int) -> None:
        """Tasks more, or fewer, hold something now."""
        self._holding += by


class Share:
    """What one task holds: the bytes of each command, by offset."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self._sizes: dict[int, int] = {}
        self.used = 0

    @property
    def room(self) -> int:
        """Bytes that may still be taken; at least one while nothing is held."""
        return max(1, self._window.share - self.used) if not self._sizes else self._window.share - self.used

    def take(self, offset: int, size: int) -> None:
        """A command is in hand from now on."""
        if not self._sizes:
            self._window.held(1)
        self._sizes[offset] = size + OVERHEAD_BYTES
        self.used += size + OVERHEAD_BYTES

    def give(self, offset: int) -> None:
        """The command has ended, or its task does."""
        if (size := self._sizes.pop(offset, None)) is None:
            return
        self.used -= size
        if not self._sizes:
            self._window.held(-1)

    def give_all(self) -> None:
        """The task ends."""
        for offset in list(self._sizes):
            self.give(offset)
