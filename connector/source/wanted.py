"""What a repair asks for. Pure."""

from typing import Any, NamedTuple

from connector.errors import Reject

MOST_ITEMS = 50
"""Items of a request: nothing else of the entity is read while they are, a page each at worst."""

MOST_GONE = 1000
"""Items of a request that are said to be gone: all of them are looked for in one pass over the source."""

LONGEST_IDENTITY = 500
"""Characters."""

Named = tuple[str, int]
"""An item's identity, and a sync marker."""


class Wanted(NamedTuple):
    """`items` shall be read again at their markers; `gone` are said to have vanished, their last markers being these."""

    items: tuple[Named, ...] = ()
    gone: tuple[Named, ...] = ()


def wanted(items: Any, gone: Any) -> Wanted:
    """What a request names, which may hold anything. Raises Reject."""
    found = Wanted(_named("items", items, MOST_ITEMS), _named("gone", gone, MOST_GONE))
    if not found.items and not found.gone:
        raise Reject("say which items, or which are gone")
    return found


def _named(field: str, rows: Any, most: int) -> tuple[Named, ...]:
    rows = [] if rows is None else rows
    if not isinstance(rows, list) or not all(_fine(row) for row in rows):
        raise Reject(f"{field} must be a list of [identity, sync marker]")
    if len(rows) > most:
        raise Reject(f"{len(rows)} {field} are too many for one request: {most} at most")
    return tuple((identity, marker) for identity, marker in rows)


def _fine(row: Any) -> bool:
    if not isinstance(row, list) or len(row) != 2:
        return False
    identity, marker = row
    fits = isinstance(identity, str) and 0 < len(identity) <= LONGEST_IDENTITY
    return fits and isinstance(marker, int) and not isinstance(marker, bool) and marker >= 0
