"""How many items a page is asked for: fewer when it could not be had, more again when it could. Pure.

A gateway that gives a page 60 s, an answer that is cut, a POS that fails over one item: what cannot be had as it was asked is
asked smaller, down to one item. That one is given up only where the POS shows others beside it: see source.impasse.
"""

from connector.source.reading.paging import LIMIT_MAX

TRIES = 3
"""Failures in a row at a limit of one item, after which it is looked whether it is this item alone."""

STEADY = 8
"""Pages in a row, after which a limit that failed is tried again."""


BYTES_PER_ITEM = 4096
"""What an item is expected to have before the first page told better."""

TELLING = 100
"""Items that tell how large the next ones are."""

FEWEST = 10
"""Items of a page, at least, however little memory there is: a page is an answer of the POS and a transaction."""


class PageSize:
    """The limit of the next page, at most `most`."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.limit = most
        self._ceiling = most + 1
        self._item_bytes = BYTES_PER_ITEM
        self._had = 0
        self._alone = 0
        self._wider = 0
        self._low, self._over = 0, LIMIT_MAX + 1
        """The largest limit that did not lead on, and the smallest that failed, since the position moved."""
        self.wide = False
        """The limit was raised to get past one marker: a smaller one would show the same again."""

    @property
    def impasse(self) -> bool:
        """One item could not be had, again and again."""
        return self._alone >= TRIES

    @property
    def narrow(self) -> bool:
        """A page that does not lead on can be had, and none of one item more, again and again."""
        return self._wider >= TRIES

    def within(self, share: int) -> int:
        """The limit of a page that may have so many bytes; more only where all of it share a marker."""
        return self.limit if self.wide else max(1, min(self.limit, max(FEWEST, share // self._item_bytes)))

    def weighed(self, size: int, items: int) -> None:
        """Items had so many bytes; a handful tells little, so that they only raise what is expected."""
        mean = max(1, size // max(1, items))
        self._item_bytes = mean if items >= TELLING else max(mean, self._item_bytes)

    def failed(self) -> bool:
        """A page of this limit could not be had. Whether the next one is smaller."""
        self._had = 0
        if self.limit == 1:
            self._alone += 1
            return False
        self._over = min(self._over, self.limit)
        self._ceiling, self.limit, self.wide = self.limit, max(1, self.limit // 2), False
        return True

    def had(self) -> None:
        """A page came."""
        self._alone = 0
        self._had += 1

    def moved(self) -> bool:
        """The page led on. Whether the next one is larger."""
        before, self.wide = self.limit, False
        self._low, self._over = 0, LIMIT_MAX + 1
        if self.limit > 1:
            self._wider = 0
        if self.limit >= self.most:
            self.limit = self.most
            return before != self.limit
        if self.limit * 2 < self._ceiling or self._had >= STEADY:
            if self.limit * 2 >= self._ceiling:
                self._ceiling = self.limit * 4
            self._had, self.limit = 0, min(self.most, self.limit * 2)
        return before != self.limit

    def widened(self, asked: int, limit: int) -> None:
        """All items of a page share a marker: more than were asked are needed, this many if they can be had."""
        self._low = max(self._low, asked)
        if self._over - self._low <= 1 and self._over <= LIMIT_MAX:
            self._wider += 1
            self._low, self._over = asked, LIMIT_MAX + 1  # what failed may have failed for another reason
        self.limit = limit if limit < self._over else (self._low + self._over) // 2
        self.wide = True

    def hidden(self) -> None:
        """A page showed only what is known, as stock does: what follows cannot be had, as if it had failed."""
        self._alone, self._wider = TRIES, 0

    def passed_over(self) -> None:
        """The item was given up."""
        self._alone = 0
