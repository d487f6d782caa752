"""How a position moves with what was read: what it leaves behind as gaps, and the item that it stands at. Pure."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from connector.messages.position import Position
from connector.mplus.responses.pages import Item, Undecodable
from connector.source.doubt import highest_of
from connector.source.entities import Entity
from connector.source.reading.paging import PageRequest

Items = Sequence[Item | Undecodable]


@dataclass(frozen=True, slots=True)
class Reach:
    """Markers above `floor` that show nothing are waited for until this monotonic time."""

    floor: int
    until: float


def moved(entity: Entity, before: Position, marker: int, items: Items, reach: Reach) -> Position:
    """The position after these items, which are all that is shown up to this marker."""
    position = before.at(marker)
    shown = [item.marker for item in items if item.marker is not None and not _of_several(item)]
    gaps = before.gaps
    if position.marker > reach.floor:
        gaps = gaps.passed(max(before.marker, reach.floor), position.marker, shown, reach.until)
    return replace(position, gaps=gaps, anchor=highest_of(entity, items, before.anchor))


def _of_several(item: Item | Undecodable) -> bool:
    """Whether it stands for several markers, of which nobody knows which hold an item."""
    return isinstance(item, Undecodable) and item.first is not None and item.first != item.marker


def below(ask: PageRequest, items: Items) -> int:
    """Items with a marker below what was asked for: nobody knows what they mean."""
    return sum(item.marker is not None and item.marker < ask.marker for item in items)


def shows_more(items: Items, than: int) -> bool:
    """Whether there is an item above this marker: stock shows the known row once more."""
    return any(item.marker is not None and item.marker > than for item in items)


def without_known_letters(items: Items, known: Sequence[str]) -> tuple[list[Item | Undecodable], tuple[str, ...]]:
    """Items without a readable marker come again with the next page: those that are not known yet, and what is known then."""
    hashes = {_hash(item) for item in nameless(items)}
    fresh = [item for item in items if item.marker is not None or _hash(item) not in known]
    return fresh, tuple(sorted(hashes))


def nameless(items: Items) -> Iterable[Undecodable]:
    """Items whose marker nobody can read."""
    return (item for item in items if isinstance(item, Undecodable) and item.marker is None)


def _hash(item: Item | Undecodable) -> str:
    content = item.raw if isinstance(item, Undecodable) else item.value
    return hashlib.blake2b(content, digest_size=8).hexdigest()
