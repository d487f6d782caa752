"""Whether the POS was restored from a backup: one low head, or one odd look, proves nothing. Pure.

A POS that has just started may tell 0, and a replica may lag behind. So what contradicts the position is looked at again, and
believed when at least LOOKS looks over at least OVER_S seconds agree. Nothing is read meanwhile, so nothing is lost by waiting.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version

import orjson

from connector.messages.position import Anchor
from connector.mplus.responses.pages import Item, Undecodable
from connector.source.entities import Entity

DIGEST_CHARS = 6
"""Characters of the hash of a field, and of its name: an item's take some 500 bytes of the position record."""

FIELDS_MAX = 200
"""Fields that are hashed; an item may have more that no schema knows, and a position record must stay small."""

NAME_CHARS_MAX = 1000
"""Characters of the name of an item that may be an anchor."""

VERSION = version("mplus-connector")


@dataclass(frozen=True, slots=True)
class Confirmation:
    """How many looks over how many seconds confirm a doubt; `pause`: seconds between two of them."""

    looks: int = 3
    over: float = 30.0
    pause: float = 10.0


@dataclass(frozen=True, slots=True)
class Doubt:
    """What contradicts the position, since when (monotonic), and how often it was seen."""

    since: float
    last: float
    looks: int = 1

    def again(self, at: float) -> "Doubt":
        """The doubt was seen once more; the same look twice counts once."""
        return self if at <= self.last else replace(self, last=at, looks=self.looks + 1)

    def confirmed(self, rule: Confirmation) -> bool:
        """Whether it is believed."""
        return self.looks >= rule.looks and self.last - self.since >= rule.over


def _hash(entity: Entity, item: Item) -> str:
    """The hash of what an item holds in its plain fields, without those that change under the same marker.

    Fields come and go with the POS's version and CONNECTOR_KEEP, and within lists and objects nobody could tell: so each has
    a hash of its own, after one of its name.
    """
    fields = sorted((name, value) for name, value in orjson.loads(item.value).items() if name not in entity.drifting)
    plain = [(name, value) for name, value in fields if not isinstance(value, dict | list)]
    return f"{VERSION}:" + "".join(_digest(name.encode()) + _digest(orjson.dumps(value)) for name, value in plain[:FIELDS_MAX])


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=DIGEST_CHARS // 2).hexdigest()


def _agree(before: str, now: str) -> bool:
    """Whether nothing that is in both hashes differs. Another version of the connector may read the same otherwise."""
    (by, _, before), (us, _, now) = before.partition(":"), now.partition(":")
    if by != us:
        return True
    old, new = _by_name(before), _by_name(now)
    return all(new.get(name, value) == value for name, value in old.items())


def _by_name(hashes: str) -> dict[str, str]:
    parts = [hashes[at : at + DIGEST_CHARS] for at in range(0, len(hashes), DIGEST_CHARS)]
    return dict(zip(parts[::2], parts[1::2], strict=False))


def highest_of(entity: Entity, items: Iterable[Item | Undecodable], before: Anchor | None) -> Anchor | None:
    """The item with the highest marker of these, if it lies above the one before."""
    readable = [item for item in items if isinstance(item, Item) and len(item.identity) <= NAME_CHARS_MAX]
    best = max(readable, key=lambda item: item.marker, default=None)
    if best is None or (before is not None and best.marker <= before.marker):
        return before
    alone = sum(item.marker == best.marker for item in readable) == 1
    return Anchor(best.marker, entity.name_of(best.identity, best.marker), _hash(entity, best) if alone else "")


def contradiction(entity: Entity, anchor: Anchor, items: Sequence[Item | Undecodable]) -> str | None:
    """What items from the anchor's marker on prove: empty, all is well; a text, it lies there no more; None, nothing yet.

    An item that cannot be read proves nothing against the POS.
    """
    at = [item for item in items if item.marker == anchor.marker]
    same = [item for item in items if _named(entity, item) == anchor.name and (item.marker or 0) >= anchor.marker]
    hidden = any(isinstance(item, Undecodable) and item.marker in (None, anchor.marker) for item in items)
    if hidden or any(_unchanged(entity, anchor, item) for item in same):
        return ""
    if not at or not anchor.hash:
        return None
    what = "holds something else" if same else f"is {_named(entity, at[0])}"
    return f"the item at sync marker {anchor.marker} was {anchor.name}, and now it {what}"


def _named(entity: Entity, item: Item | Undecodable) -> str:
    return entity.name_of(item.identity or "", item.marker or 0)


def _unchanged(entity: Entity, anchor: Anchor, item: Item | Undecodable) -> bool:
    """Whether it is the anchor's item, as it was, or changed again under a higher marker."""
    if isinstance(item, Undecodable) or item.marker > anchor.marker or not anchor.hash:
        return True
    return _agree(anchor.hash, _hash(entity, item))
