"""The status record of an entity: what its owner publishes of it every few seconds, as a row of a table. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

import orjson

from connector.kafka.records import Record
from connector.messages.loose_json import object_in
from connector.messages.topics import Topics

UNKNOWN_SINCE, DEAD_LETTERS = "unknownSince", "deadLetters"
WRITER = ("owner", "digest", "at")
"""Which worker wrote the row, by which settings, and when."""

NUMBER = int | float | None
KINDS: Mapping[str, Any] = {
    "head": int | None,
    "position": int | None,
    "backlog": int | None,
    "age": NUMBER,
    UNKNOWN_SINCE: str | None,
    "rate": NUMBER,
    "state": str,
    "reason": str,
}
"""Fields that readers rely on, and what each may be. `head`, `position`, `backlog`: markers; `age`: seconds; `rate`: items/s."""


class Told(NamedTuple):
    """A row, and when it was written."""

    row: dict[str, Any]
    at: datetime


def encode(administration: str, entity: str, row: Mapping[str, Any]) -> Record:
    """The record of a row."""
    value = {"administration": administration, "entity": entity, **row}
    return Record(Topics(administration).status, entity.encode(), orjson.dumps(value))


def read(value: bytes | None) -> Told | None:
    """The row in a record that anybody may have written, by the owner's clock; None where it is no worker's.

    What the worker did not write is None in it.
    """
    row = dict.fromkeys(KINDS) | object_in(value)
    at, since = (_moment(row.get(name)) for name in ("at", UNKNOWN_SINCE))
    if at is None or (since is None and row[UNKNOWN_SINCE] is not None):
        return None
    if not all(isinstance(row[name], kind) for name, kind in KINDS.items()):
        return None
    return Told({name: value for name, value in row.items() if name not in ("administration", "entity")}, at)


def _moment(written: object) -> datetime | None:
    """RFC 3339 with its zone; None for anything else."""
    try:
        found = datetime.fromisoformat(written) if isinstance(written, str) else None
    except ValueError:
        return None
    return found if found is None or found.tzinfo else None
