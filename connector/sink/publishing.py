"""Records that tell how commands ended: results and dead letters. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from connector.kafka.records import Headers, Record, dead_letter_headers
from connector.tracing import carried

JSON = (("content-type", b"application/json"),)


@dataclass(frozen=True, slots=True)
class Topics:
    """Names of an administration's topics."""

    commands: str
    results: str
    ledger: str
    dead_letters: str


@dataclass(frozen=True, slots=True)
class Message:
    """A record of the command topic, as it lies there."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers

    @classmethod
    def of(cls, record: Any) -> "Message":
        """From what a consumer returns."""
        return cls(record.partition, record.offset, record.key, record.value, tuple(record.headers))

    @property
    def coordinates(self) -> str:
        """`partition:offset` of the dead letter that this message redrives; empty for any other."""
        return next((value.decode(errors="replace") for name, value in self.headers if name == REDRIVE_HEADER), "")


REDRIVE_HEADER = "mplus_redrive"


def result_record(topics: Topics, message: Message, result: Mapping[str, Any]) -> Record:
    """A result under the command's key, and in its trace."""
    return Record(topics.results, message.key, orjson.dumps(result), (*JSON, *carried(message.headers)))


def dead_letter(topics: Topics, message: Message, stage: str, kind: str, reason: str, *, intent: bytes | None = None) -> Record:
    """The message unchanged, with what is wrong in its headers."""
    origin = (topics.commands, message.partition, message.offset)
    told = dead_letter_headers(origin, stage, kind, reason)
    if intent is not None:
        told.append(("mplus_intent", intent))
    return Record(topics.dead_letters, message.key, message.value, (*told, *carried(message.headers)))
