"""Records that tell how commands ended: results and dead letters. Pure.

A message may hold anything, in any amount: what is written of it always fits where it goes.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from connector.kafka.records import Headers, Record, cut, header, size_of
from connector.messages.dead_letter import ERRORS, INTENT, LEFT_OUT, REDRIVE, WRITTEN, dead_letter_headers
from connector.messages.topics import Topics
from connector.tracing import carried

JSON = (("content-type", b"application/json"),)

COORDINATES = re.compile(rb"[0-9]{1,10}:[0-9]{1,19}")

LONGEST_NAME_BYTES = 4 * 255
"""Bytes of an order's name in UTF-8."""

TEXT_CHARS_MAX = 1000
"""Characters of a text in a result."""

LETTER_BYTES = (8 << 20) + (64 << 10)
"""With default settings."""

NOTE_BYTES = 2000
"""Bytes of what says what was left out."""


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
        """`partition:offset` of the dead letter that this message redrives; empty for any other, whatever its header says."""
        found = header(self.headers, REDRIVE)
        return found.decode() if found is not None and COORDINATES.fullmatch(found) else ""


def result_record(topics: Topics, message: Message, result: Mapping[str, Any]) -> Record:
    """A result under the command's key, and in its trace.

    A key that is longer than any order's name is none: under a part of it the result might be another order's.
    """
    key = message.key if len(message.key or b"") <= LONGEST_NAME_BYTES else None
    told = {name: _bounded(value) if isinstance(value, str) else value for name, value in result.items()}
    return Record(topics.results, key, orjson.dumps(told), (*JSON, *carried(message.headers)))


def dead_letter(
    topics: Topics,
    message: Message,
    stage: str,
    kind: str,
    reason: str,
    *,
    intent: bytes | None = None,
    most: int = LETTER_BYTES,
) -> Record:
    """The message unchanged, and beside its headers what is wrong. `intent`: what was sent, of an unknown outcome.
    `most`: bytes that its topic takes.

    What a former letter said is left out; and of what the topic does not take the largest, which LEFT_OUT then says.
    """
    told = dead_letter_headers((topics.commands, message.partition, message.offset), stage, kind, reason)
    told += [(INTENT, intent)] if intent is not None else []
    own = [(name, value) for name, value in message.headers if not _of_former(name)]
    whole = Record(topics.dead_letters, message.key, message.value, (*own, *told), _place(message.key))
    return whole if whole.size <= most else _fitting(whole, own, told, most)


def _place(key: bytes | None) -> int | None:
    """A key of megabytes would be hashed for a second, while everything else stands still."""
    return None if len(key or b"") <= LONGEST_NAME_BYTES else 0


def _of_former(name: str) -> bool:
    return name.startswith(ERRORS) or name in (REDRIVE, INTENT, WRITTEN)


def _fitting(letter: Record, own: Headers, told: Headers, most: int) -> Record:
    """Without the largest of its own headers, or all of them; then without its value, its intent, its key."""
    kept = dict(enumerate(own))
    size = letter.size
    for place in sorted(kept, key=lambda place: -size_of([own[place]])):
        if size <= most - NOTE_BYTES:
            break
        size -= size_of([kept.pop(place)])
    names = [name for place, (name, _) in enumerate(own) if place not in kept]
    for each in _smaller(letter._replace(headers=(*kept.values(), *told)), names):
        letter = each
        if letter.size <= most:
            break
    return letter


def _smaller(letter: Record, names: list[str]) -> Iterator[Record]:
    """Smaller and smaller."""
    left = [f"{len(names)} headers: {cut(', '.join(names[:10]), 200)}"] if names else []
    yield _saying(letter, left)
    yield _saying(letter._replace(value=None), [*left, "the value"])
    headers = [each for each in letter.headers if each[0] != INTENT]
    yield _saying(letter._replace(value=None, headers=headers), [*left, "the value", "the intent"])
    yield _saying(letter._replace(value=None, headers=headers, key=None), [*left, "the value", "the intent", "the key"])


def _saying(letter: Record, left_out: list[str]) -> Record:
    return letter._replace(headers=(*letter.headers, (LEFT_OUT, "; ".join(left_out).encode())))


def _bounded(text: str) -> str:
    """The text as a result can hold it: an error's may hold half a surrogate pair, which JSON cannot."""
    return cut(text, TEXT_CHARS_MAX).encode(errors="backslashreplace").decode()
