"""How many items a page is asked for, where some cannot be had as they are asked. Pure.

What fails is halved, until it is known which item it is, or that it was too much at once; and grows back.
"""

from dataclasses import dataclass

GOOD_PAGES = 10
"""To be had at half of a limit that was too much, before more is tried again."""


@dataclass(slots=True)
class Narrowing:
    """`limit` is that of the next page: `size`, unless something failed, and never less than `least`."""

    size: int
    least: int
    limit: int = 0
    _bad_within: int = 0
    """Among so many items from here on is one that fails its page; 0: none is known."""
    _failed: int = 0
    """The limit at which the search for it began."""
    _retried: bool = False
    _widened: bool = False
    """What failed from this marker on was asked once more, at the least limit, or again at that of the failure: for chance."""
    _left_out: bool = False
    _slow: int = 0

    def __post_init__(self) -> None:
        """Begin with whole pages."""
        self.limit = max(self.size, self.least)

    def fails(self) -> bool:
        """The page failed. Whether to ask again; else it is this place that cannot be had."""
        if self.limit > self.least:
            self._failed, self._bad_within = self._failed or self.limit, self.limit
            self.limit = max(self.least, self.limit // 2)
            return True
        retried, self._retried = self._retried, True
        return not retried

    def had(self) -> None:
        """A page came whole."""
        if self.limit >= self._bad_within:
            self._bad_within = 0

    def passes(self) -> None:
        """The place that cannot be had is passed, or all that is known of what lies ahead forgotten."""
        self._bad_within = self._failed = self._slow = 0
        self._retried = self._widened = self._left_out = False

    def widens(self, limit: int) -> bool:
        """More must be asked for to get on. Whether it is; else it failed, and the highest marker must be passed as it is."""
        wider = limit if self.limit >= self.size else min(self.size, 2 * self.limit)
        if 0 < self._bad_within <= wider:
            if self._widened:
                return False
            self._widened = True
        self.limit = wider
        return True

    def moves(self, items: int, *, forced: bool, ended: bool) -> bool:
        """The marker moved past so many items, or was forced to. Whether one was left out, as was not known before."""
        self._retried, self._widened, self._left_out = False, False, self._left_out or forced
        self._bad_within = max(0, self._bad_within - max(1, items))
        if self._left_out and (ended or not self._bad_within):
            self.passes()
            return True
        self._next()
        return False

    def _next(self) -> None:
        if self._bad_within:
            self.limit = max(self.least, min(self.limit, self._bad_within // 2))
        elif self._failed:  # and each of its items was had
            self.limit, self._failed, self._slow = max(self.least, self._failed // 2), 0, GOOD_PAGES
        elif self._slow:
            self._slow -= 1
        else:
            self.limit = min(2 * self.limit, max(self.size, self.least))
