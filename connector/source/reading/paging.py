"""How far a shard has read, and how a page moves it. Pure: no I/O, no clock."""

from collections.abc import Sequence
from dataclasses import dataclass

LIMIT_MAX = 10_000
"""The POS caps syncMarkerLimit here."""


@dataclass(frozen=True, slots=True)
class PageRequest:
    """What a page is asked with: its first sync marker, its limit, and the head that was known before."""

    marker: int
    limit: int
    head: int


@dataclass(frozen=True, slots=True)
class Advance:
    """The position moves to `marker`; items up to it may be published, later ones come again."""

    marker: int


@dataclass(frozen=True, slots=True)
class Widen:
    """The page did not move the position: ask again with this higher limit."""

    limit: int


@dataclass(frozen=True, slots=True)
class Stuck:
    """More items share one sync marker than a page can hold: nobody can read past it."""

    marker: int


def judge_page(position: int, ask: PageRequest, markers: Sequence[int | None]) -> Advance | Widen | Stuck:
    """Judge a page by the sync markers of all its items (None: unreadable), in any order.

    Right whether the limit counts records or is a window of marker values, and where the POS gives fewer than it was asked for:
    a page proves nothing beyond the highest marker that it shows, and only an empty one has shown its window. A full page may
    have been cut within its highest marker, and so may one below the head of a POS that gives fewer: the items there are held
    back. Only the head ends the catching up.
    """
    known = {marker for marker in markers if marker is not None}
    new = {marker for marker in known if marker > position}  # stock shows the row at the position again
    highest = max(known, default=position)
    if len(markers) >= ask.limit:
        moved = highest - 1
    elif new:
        moved = highest - 1 if highest < ask.head and max(new - {highest}, default=position) > position else highest
    else:
        moved = min(ask.marker + ask.limit - 1, ask.head)
    if moved > position:
        return Advance(moved)
    return Widen(min(ask.limit * 10, LIMIT_MAX)) if ask.limit < LIMIT_MAX else Stuck(highest)


def alone(position: int, markers: Sequence[int | None]) -> Advance | Stuck | None:
    """Judge a page that does not lead on, where none of one item more can be had; None where it shows nothing new.

    A single new item may be all of its marker; of several nobody knows.
    """
    new = [marker for marker in markers if marker is None or marker > position]
    highest = max((marker for marker in new if marker is not None), default=position)
    if not new:
        return None
    return Advance(highest) if len(new) == 1 and highest > position else Stuck(highest)
