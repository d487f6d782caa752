"""The headers of a dead letter that is sent again: the letter's own, and where it comes from. Pure."""

from collections.abc import Iterator, Sequence
from typing import Any, cast

from connector.kafka.records import Record
from connector.messages.dead_letter import INTENT, REDRIVE, STAGE, WRITTEN

SHARES = (2, 4, 16, 64)
"""Parts of what may be left out that are kept, one after the other, until the topic takes the record; then nothing of it."""

Pairs = Sequence[tuple[str, bytes | None]]


def again(topic: str, letter: tuple[bytes | None, bytes | None, Pairs], coordinate: str, written: int) -> Iterator[Record]:
    """The record of a letter (key, value, headers), with all its headers; then smaller ones, for a topic that takes no more.

    What a worker judges by is kept to the last: what begins with mplus_, and the stage. Bytes and key are always whole.
    """
    key, value, pairs = letter
    own: Pairs = ((REDRIVE, coordinate.encode()), (WRITTEN, b"%d" % written))
    rest = [pair for pair in pairs if pair[0] not in (REDRIVE, WRITTEN)]
    for kept in _fewer(rest):
        yield Record(topic, key, value, cast(Any, (*kept, *own)))  # a null value is written as such


def _fewer(pairs: Pairs) -> Iterator[list[tuple[str, bytes | None]]]:
    """All of them, then without the largest, then only what counts, then without the intent: a worker then only looks."""
    yield list(pairs)
    spare = [pair for pair in pairs if not _counts(pair[0])]
    total = sum(map(_size, spare))
    for most in (*(total // share for share in SHARES), 0) if spare else ():
        small = _smallest(spare, most)
        yield [pair for pair in pairs if _counts(pair[0]) or id(pair) in small]
    if any(name == INTENT for name, _ in pairs):
        yield [pair for pair in pairs if _counts(pair[0]) and pair[0] != INTENT]


def _smallest(pairs: Pairs, most: int) -> set[int]:
    """The pairs that fit into so many bytes together, the smallest first, by id."""
    found, size = set(), 0
    for pair in sorted(pairs, key=_size):
        size += _size(pair)
        if size > most:
            break
        found.add(id(pair))
    return found


def _counts(name: str) -> bool:
    return name.startswith("mplus_") or name == STAGE


def _size(pair: tuple[str, bytes | None]) -> int:
    return len(pair[0].encode()) + len(pair[1] or b"")
