"""The parts that a page is split into, and who takes them."""

from dataclasses import dataclass, field
from typing import Protocol


class Reader(Protocol):
    """What is done with the parts."""

    def around(self, text: str) -> None:
        """Text that is not between the first item and the last."""

    def is_list(self, tags: list[str]) -> bool:
        """Are these opening tags those around the items?"""

    def item(self, text: str) -> str:
        """One item, or what should be one. Returns what of its end is to be split once more."""

    def between(self, text: str) -> None:
        """What stands between two items and is none."""

    def too_large(self, parts: list[str]) -> "Rest":
        """An item, so far, that is larger than allowed."""

    def left_out(self) -> "LeftOut":
        """An element to leave out begins."""

    def size(self, text: str) -> int:
        """The size of a text, in bytes."""


class Rest(Protocol):
    """What follows of an item that is too large to be kept."""

    def feed(self, text: str) -> None:
        """Some of it."""

    def end(self) -> None:
        """The page has ended."""


class LeftOut(Protocol):
    """What is in an element to leave out: if it never ends, that was more than this element."""

    def feed(self, text: str) -> None:
        """Some of it."""

    def told(self) -> str:
        """What names the item, as XML."""


@dataclass(slots=True)
class Piece:
    """An item, or what stands between two, so far."""

    is_item: bool = False
    kept: list[str] = field(default_factory=list)
    length: int = 0
    size: int = 0
    open: list[str] = field(default_factory=list)
    """Names of the open elements that could be taken for its end: its own, those of items, those of the elements around."""
    next: int | None = None
    """Where in it the next item may begin."""
    omitted: int = 0
    """How many are open around and with the element that is left out now."""
    left_out: LeftOut | None = None
    rest: Rest | None = None
    """What follows, where it is too large."""
