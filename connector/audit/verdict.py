"""What a difference between source and topic means. Pure."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from connector.audit.versions import NONE, Target


class Kind(StrEnum):
    """The first three are holes."""

    MISSING = "missing"
    STALE = "stale"
    GONE = "gone"
    UNREAD = "unread"
    DEAD_LETTER = "deadLetter"
    EXPIRED = "expired"
    UNPROVEN = "unproven"
    UNREADABLE = "unreadable"

    @property
    def hole(self) -> bool:
        """Whether the topic is wrong, and a repair would mend it."""
        return self in (Kind.MISSING, Kind.STALE, Kind.GONE)

    @property
    def open(self) -> bool:
        """Whether nothing is proven about it."""
        return self in (Kind.UNREAD, Kind.UNPROVEN, Kind.UNREADABLE)


@dataclass(frozen=True, slots=True)
class Finding:
    """An item whose two sides differ; a marker that is not there, or not known, is None.

    `asked`: where the POS shows it, if not at its own marker. Of a place that cannot be read, `marker` is the first one and
    `last` the last, and `reason` says why.
    """

    kind: Kind
    identity: str
    marker: int | None
    topic_marker: int | None
    asked: int | None = None
    last: int | None = None
    reason: str = ""


class Reach(NamedTuple):
    """Markers: up to where the source was read, and later the connector. What the topic has in between came since."""

    scanned: int
    committed: int


def judge(target: Target, topic: int, reach: Reach, *, read: bool) -> Kind | None:
    """None where nothing is wrong. `read`: whether the connector has read as far as the target."""
    if topic in (target.version, NONE if target.deleted else target.version) or reach.scanned < topic <= reach.committed:
        return None
    if not read:
        return Kind.UNREAD
    if target.version == NONE:
        return Kind.GONE
    return Kind.MISSING if topic == NONE else Kind.STALE
