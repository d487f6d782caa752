"""What operators ask of an entity's poller, and what its owner answers. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

from connector.errors import Reject
from connector.messages.loose_json import object_in
from connector.messages.position import Applied

NAME_CHARS_MAX = 200
"""Characters of a name: an answer repeats them, and one that the broker refuses would stop the task."""

ACCEPTED, DONE, REJECTED, FAILED = "accepted", "done", "rejected", "failed"
RESYNC, RESUME, REPAIR = "resync", "resume", "repair"

ITEMS_MAX = 50
"""Items of a request: nothing else of the entity is read while they are, a page each at worst."""

GONE_MAX = 1000
"""Items of a request that are said to be gone: all of them are looked for in one pass over the source."""

IDENTITY_CHARS_MAX = 500
"""Characters."""

Named = tuple[str, int]
"""An item's identity, and a sync marker."""


class ControlRequest(NamedTuple):
    """What shall be done: pause, resume or resync, from a marker on (None: as the entity's state says); or repair.

    A repair names `items` to read again, and what is `gone`, by identity and sync marker (of what is gone, the last one).
    """

    action: str
    entity: str
    start: int | None = None
    by: str = ""
    items: Sequence[tuple[str, int]] = ()
    gone: Sequence[tuple[str, int]] = ()

    def encode(self, request_id: str, at: str) -> bytes:
        """The record's value; `at` is RFC 3339."""
        row: dict[str, Any] = {"id": request_id, "action": self.action, "entity": self.entity}
        row |= {} if self.start is None else {"from": self.start}
        row |= {name: rows for name, rows in (("items", self.items), ("gone", self.gone)) if rows}
        return orjson.dumps(row | {"at": at, "by": self.by})


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a request."""

    id: str
    action: str
    entity: str
    status: str
    reason: str = ""

    def encode(self, at: str, owner: str) -> bytes:
        """The record's value."""
        named = {"id": self.id, "action": self.action, "entity": self.entity, "status": self.status}
        return orjson.dumps({**named, "reason": self.reason, "at": at, "owner": owner})


@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    """A request as it was read: `where` it lies, and its age in seconds. What it is about may be anything: see `problem`."""

    id: str
    action: str
    entity: str
    start: Any
    where: Applied
    age: float
    items: Any = None
    gone: Any = None

    def answer(self, status: str, reason: str = "") -> Answer:
        """What became of it."""
        return Answer(self.id, self.action, self.entity, status, reason)


def read(value: bytes | None, where: Applied, age: float) -> ReceivedRequest | None:
    """The request in a record; None where it has no id, or an endless one: nobody could be answered."""
    row = object_in(value)
    if not isinstance(row.get("id"), str) or len(row["id"]) > NAME_CHARS_MAX:
        return None
    action, entity = (str(row.get(name))[:NAME_CHARS_MAX] for name in ("action", "entity"))
    return ReceivedRequest(row["id"], action, entity, row.get("from"), where, age, row.get("items"), row.get("gone"))


class Wanted(NamedTuple):
    """`items` shall be read again at their markers; `gone` are said to have vanished, their last markers being these."""

    items: tuple[Named, ...] = ()
    gone: tuple[Named, ...] = ()


def wanted(items: Any, gone: Any) -> Wanted:
    """What a request names, which may hold anything. Raises Reject."""
    found = Wanted(_named("items", items, ITEMS_MAX), _named("gone", gone, GONE_MAX))
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
    fits = isinstance(identity, str) and 0 < len(identity) <= IDENTITY_CHARS_MAX
    return fits and isinstance(marker, int) and not isinstance(marker, bool) and marker >= 0
