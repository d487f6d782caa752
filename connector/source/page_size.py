"""How many items a page is asked for: fewer when it could not be had, more again when it could. Pure.

A gateway that gives a page 60 s, an answer that is cut, a POS that fails over one item: what cannot be had as it was asked is
asked smaller, down to one item. That one is given up only where the POS shows others beside it: see source.impasse.
"""

TRIES = 3
"""Failures in a row at a limit of one item, after which it is looked whether it is this item alone."""

STEADY = 8
"""Pages in a row, after which a limit that failed is tried again."""


class PageSize:
    """The limit of the next page, at most `most`."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.limit = most
        self._ceiling = most + 1
        self._had = 0
        self._alone = 0
        self._wider = 0
        self.wide = False
        """The limit was raised to get past one marker: a smaller one would show the same again."""

    @property
    def impasse(self) -> bool:
        """One item could not be had, again and again."""
        return self._alone >= TRIES

    @property
    def narrow(self) -> bool:
        """A page that does not lead on can be had, and larger ones could not, again and again."""
        return self._wider >= TRIES

    def failed(self) -> bool:
        """A page of this limit could not be had. Whether the next one is smaller."""
        self._had = 0
        if self.limit == 1:
            self._alone += 1
            return False
        self._wider += self.wide
        self._ceiling, self.limit, self.wide = self.limit, max(1, self.limit // 2), False
        return True

    def had(self) -> None:
        """A page came."""
        self._alone = 0
        self._had += 1
        if self.limit > 1:
            self._wider = 0

    def moved(self) -> bool:
        """The page led on. Whether the next one is larger."""
        before, self.wide = self.limit, False
        if self.limit >= self.most:
            self.limit = self.most
            return before != self.limit
        if self.limit * 2 < self._ceiling or self._had >= STEADY:
            if self.limit * 2 >= self._ceiling:
                self._ceiling = self.limit * 4
            self._had, self.limit = 0, min(self.most, self.limit * 2)
        return before != self.limit

    def widened(self, limit: int) -> None:
        """All items of the page share a marker: more of them are needed to get past it."""
        self.limit, self.wide = limit, True

    def passed_over(self) -> None:
        """The item was given up."""
        self._alone = 0
