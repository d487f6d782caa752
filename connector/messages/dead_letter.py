"""Dead letters: what could not be read or done, as it came, with headers that say why. Pure.

Headers follow Kafka Connect's convention; those of a redriven one say which letter it was.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from connector.kafka.records import Place, cut, number

ERRORS = "__connect.errors."
STAGE, LEFT_OUT = ERRORS + "stage", ERRORS + "left.out"
REDRIVE, INTENT, WRITTEN = "mplus_redrive", "mplus_intent", "mplus_letter_written"
"""Headers of a message that was a dead letter before: which one, what was sent to the POS (see Intent), when it was written."""

FIRST_MARKER, EPOCH = "mplus_first_syncmarker", "mplus_epoch"
"""Headers of a letter of the source: it stands for all markers from there on; the position's epoch, where it is above 0."""

SINK_STAGES = ("parse", "validate", "outcome", "unexpected")
"""Stages of order commands: the letter is the command, and can be sent again."""

TOLD_CHARS_MAX = 1000
"""Characters of what a dead letter says about an error."""


def dead_letter_headers(origin: tuple[str, int, int], stage: str, kind: str, message: str) -> list[tuple[str, bytes]]:
    """Headers in the Kafka Connect convention; `origin` is topic, partition and offset (-1 where there is none)."""
    topic, partition, offset = origin
    return [
        (ERRORS + "topic", topic.encode()),
        (ERRORS + "partition", b"%d" % partition),
        (ERRORS + "offset", b"%d" % offset),
        (STAGE, stage.encode()),
        (ERRORS + "exception.class.name", _told(kind)),
        (ERRORS + "exception.message", _told(message)),
    ]


def _told(text: str) -> bytes:
    """An error's text may hold anything, and much of it."""
    return cut(text, TOLD_CHARS_MAX).encode(errors="backslashreplace")


class Origin(NamedTuple):
    """Where the record lay that became a letter; -1 where it never lay in Kafka."""

    topic: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One dead letter. Its headers may be anything: what cannot be read is empty, or -1."""

    place: Place
    offset: int
    timestamp: int
    """Milliseconds since 1970."""
    key: bytes | None
    value: bytes | None
    headers: Mapping[str, bytes | None]
    pairs: Sequence[tuple[str, bytes | None]] = ()
    """The same as they stand in the record: a name may be there more than once."""

    @property
    def coordinate(self) -> str:
        """PARTITION:OFFSET in the topic of dead letters."""
        return f"{self.place.partition}:{self.offset}"

    @property
    def at(self) -> datetime:
        """When it was written; a moment that no calendar knows is the first that it knows."""
        try:
            return datetime.fromtimestamp(self.timestamp / 1000, UTC)
        except (ValueError, OverflowError, OSError):
            return datetime.fromtimestamp(0, UTC)

    @property
    def stage(self) -> str:
        """`parse`, `validate`, `outcome`, `unexpected`; of the source `decode` and `too-large`."""
        return self._text("stage")

    @property
    def message(self) -> str:
        """Why it could not be done."""
        return self._text("exception.message")

    @property
    def kind(self) -> str:
        """The error's class."""
        return self._text("exception.class.name")

    @property
    def origin(self) -> Origin:
        """Where it comes from."""
        return Origin(self._text("topic"), _number(self._text("partition")), _number(self._text("offset")))

    def _text(self, name: str) -> str:
        return (self.headers.get(ERRORS + name) or b"").decode(errors="replace")


def _number(text: str) -> int:
    return number(text.encode(), -1)
