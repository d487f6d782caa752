"""What arrives from Kafka, and what a stage makes of it. Pure."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson

from connector.messages.cloudevents import CE_TIME

Json = dict[str, Any]


class InputRecord(NamedTuple):
    """A record as it was read; `timestamp` in milliseconds of the epoch."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Mapping[str, bytes | None]

    @property
    def at(self) -> str:
        """When it happened: as its CloudEvents header tells, else when Kafka got it. RFC 3339."""
        told = milliseconds(self.header(CE_TIME).decode(errors="replace"))
        return rfc3339(self.timestamp if told is None else told)

    def header(self, name: str) -> bytes:
        """Empty where there is none of that name, or it is null."""
        return self.headers.get(name) or b""

    @property
    def written(self) -> str:
        """When Kafka got it. RFC 3339."""
        return rfc3339(self.timestamp)

    @property
    def name(self) -> bytes:
        """Its key. Raises ValueError where it has none."""
        if self.key is None:
            raise ValueError("no key")
        return self.key

    def document(self) -> Json:
        """Its value. Raises ValueError, TypeError where that is no JSON object."""
        found: Json = orjson.loads(self.value or b"")
        if not isinstance(found, dict):
            raise TypeError("not a JSON object")
        return found


class OutputRecord(NamedTuple):
    """A record for the next stage."""

    topic: str
    key: bytes
    value: bytes
    partition: int | None = None


class Measurement(NamedTuple):
    """Something to be counted in the window that `ms` (epoch) falls into; `amount` in cents where it is about money."""

    offset: int
    ms: int
    measure: str
    number: int = 1
    amount: int | None = None


class StageResult(NamedTuple):
    """What one record leads to: records to send, figures to count, entries of the stage's table to write (None: delete)."""

    sends: tuple[OutputRecord, ...] = ()
    counts: tuple[Measurement, ...] = ()
    writes: Mapping[bytes, bytes | None] = {}


Get = Callable[[bytes], bytes | None]
"""The table's entry of a key, as the records before this one left it."""

NOTHING = StageResult()


def rfc3339(moment: int) -> str:
    """Milliseconds of the epoch as text: of equal length, so that texts compare as moments do."""
    return datetime.fromtimestamp(moment / 1000, UTC).isoformat(timespec="milliseconds")


def milliseconds(moment: object) -> int | None:
    """The epoch's milliseconds of an RFC 3339 text; None for anything else."""
    try:
        found = datetime.fromisoformat(moment) if isinstance(moment, str) else None
    except ValueError:
        return None
    if found is None:
        return None
    return round((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() * 1000)
