"""The position record of a shard: everything about it that must survive, the source offset first. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, NamedTuple

import orjson

from connector.errors import Blocked, Fatal
from connector.messages.gaps import NONE, Gaps

NEVER_READ = -1
"""Sync markers may start at 0."""


class State(StrEnum):
    """What a shard is doing. Those that only an operator ends survive in the position record."""

    RUNNING = "running"
    PAUSED = "paused"
    HEAD_REGRESSED = "head-regressed"
    STUCK = "stuck"
    TOPIC_LOST = "topic-lost"
    HEAD_DOUBTED = "head-doubted"
    FAILED = "failed"
    UNAVAILABLE = "unavailable"
    UNREACHABLE = "unreachable"

    @property
    def stopped(self) -> bool:
        """Only an operator ends it."""
        return self in (State.PAUSED, State.HEAD_REGRESSED, State.STUCK, State.TOPIC_LOST)


class Anchor(NamedTuple):
    """The item at the position: its marker, its name (see Entity.name_of) and hashes of what it held, one for each plain field.

    They are empty where several items shared the marker: then another one there proves nothing.
    """

    marker: int
    name: str
    hash: str


class Applied(NamedTuple):
    """Where a control request lies."""

    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Resync:
    """A resync under way: the request's id, and up to which marker events are published again (None: a whole slow list)."""

    id: str
    upto: int | None

    def over(self, marker: int) -> bool:
        """Whether it ends at this marker."""
        return self.upto is None or marker >= self.upto


class Pending(NamedTuple):
    """A repair that was accepted: the request's id, and where it lies."""

    id: str
    partition: int
    offset: int


class TopicFacts(NamedTuple):
    """What the entity's topic had when this was written: so many partitions, and end offsets of at least this sum."""

    partitions: int
    end: int


@dataclass(frozen=True, slots=True)
class Position:
    """All items with markers up to `marker` are in Kafka.

    `epoch` counts the restores of the POS after which markers came again. `hashes` are a slow list's last
    contents by identity; its marker counts its changes. `control` is the last control request that was applied; `repair`,
    one that was accepted and is not done yet. `gaps` are markers below at which an item may appear late; `anchor` is the item at
    the position, by which a restore is noticed; `topic` is what it is in; `letters` are hashes of the items of the last page
    whose marker nobody can read; `types` are the order types that were read (empty: the POS's own choice; None: not known, or
    nothing to choose).
    """

    marker: int = NEVER_READ
    state: State = State.RUNNING
    epoch: int = 0
    hashes: Mapping[str, str] = field(default_factory=dict)
    control: Applied | None = None
    resync: Resync | None = None
    repair: Pending | None = None
    gaps: Gaps = NONE
    anchor: Anchor | None = None
    topic: TopicFacts | None = None
    letters: tuple[str, ...] = ()
    types: tuple[str, ...] | None = None

    def at(self, marker: int) -> "Position":
        """The same, moved: at most to where a resync under way ends, so that a page is of one origin."""
        resync = self.resync
        if resync is None or resync.upto is None or resync.over(self.marker):
            return replace(self, marker=marker, resync=None)
        return replace(self, marker=min(marker, resync.upto))

    @property
    def highest(self) -> int:
        """The highest marker that was ever read: a head below it is that of a restored POS."""
        return self.marker if self.resync is None or self.resync.upto is None else max(self.marker, self.resync.upto)


NO_POSITION = (
    "its position is no record of this connector's: somebody else wrote to the topic of sync markers; resync it from the marker "
    "that it had, or from 0"
)


@dataclass(frozen=True, slots=True)
class Deployment:
    """Whose positions these are: two deployments on the same topics would publish everything twice."""

    group: str
    partitions: int
    adopt: bool = False

    def encode(self, position: Position, now: float = 0.0) -> bytes:
        """The record's value; `now` is the monotonic time, from which on gaps are waited for."""
        return orjson.dumps(
            {
                "syncMarker": position.marker,
                "group": self.group,
                "partitions": self.partitions,
                "state": position.state.value,
                "epoch": position.epoch,
                "hashes": dict(position.hashes),
                "control": position.control and position.control._asdict(),
                "resync": position.resync and {"id": position.resync.id, "upto": position.resync.upto},
                "repair": position.repair and position.repair._asdict(),
                "gaps": position.gaps.encode(now),
                "anchor": position.anchor and position.anchor._asdict(),
                "topic": position.topic and position.topic._asdict(),
                "letters": position.letters,
                "orderTypes": position.types,
            }
        )

    def decode(self, value: bytes | None, now: float = 0.0) -> Position:
        """The position of a record's value. Raises Fatal for another deployment's record, Blocked for what is none."""
        if value is None:
            return Position()
        try:
            row = orjson.loads(value)
            if problem := self.foreign(row):
                raise Fatal(problem)
            return _checked(Position(row["syncMarker"], State(row["state"]), row["epoch"], row["hashes"], **_later(row, now)))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise Blocked(f"{NO_POSITION} ({type(error).__name__})") from error

    def foreign(self, row: Mapping[str, object]) -> str:
        """What is wrong with a record of another deployment; empty when it is our own."""
        written, group = row["partitions"], row["group"]
        if written != self.partitions:
            return f"the positions were written with {written} work partitions: set CONNECTOR_WORK_PARTITIONS back to that"
        if group != self.group and not self.adopt:
            return f"the positions belong to the deployment {group}: stop it and start with --adopt, or set CONNECTOR_GROUP to it"
        return ""


def _later(row: Mapping[str, Any], now: float) -> dict[str, Any]:
    """What records of earlier versions do not have."""
    control, resync, repair = row.get("control"), row.get("resync"), row.get("repair")
    anchor, topic = row.get("anchor"), row.get("topic")
    return {
        "control": Applied(**control) if control else None,
        "resync": Resync(**resync) if resync else None,
        "repair": Pending(**repair) if repair else None,
        "gaps": Gaps.decode(row.get("gaps") or (), now),
        "anchor": Anchor(**anchor) if anchor else None,
        "topic": TopicFacts(**topic) if topic else None,
        "letters": tuple(row.get("letters") or ()),
        "types": None if row.get("orderTypes") is None else tuple(row["orderTypes"]),
    }


def _checked(position: Position) -> Position:
    """The same, if each part is of its kind. Raises TypeError, ValueError, AttributeError."""
    resync, repair, anchor = position.resync, position.repair, position.anchor
    upto = [] if resync is None or resync.upto is None else [resync.upto]
    edges = [edge for gap in position.gaps.rows for edge in (gap.first, gap.last + 1)]
    numbers = [position.marker, position.epoch, *(position.control or ()), *upto, *edges, *(position.topic or ())]
    numbers += [*(repair[1:] if repair else ()), *(anchor[:1] if anchor else ())]
    words = [*position.hashes, *position.hashes.values(), *position.letters, *(anchor[1:] if anchor else ())]
    words += [part.id for part in (resync, repair) if part is not None]
    if not all(type(number) is int for number in numbers) or not all(isinstance(word, str) for word in words):
        raise TypeError
    if min(numbers) < NEVER_READ or edges != sorted(edges):
        raise ValueError
    return position
