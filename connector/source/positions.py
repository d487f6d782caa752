"""The position record of a shard: everything about it that must survive. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import orjson

from connector.errors import Fatal
from connector.source.schedule import State

NEVER_READ = -1
"""Sync markers may start at 0."""


@dataclass(frozen=True, slots=True)
class Position:
    """All items with markers up to `marker` are in Kafka.

    `epoch` counts the restores of the POS after which markers came again. `hashes` are a slow list's last
    contents by identity; its marker counts its changes.
    """

    marker: int = NEVER_READ
    state: State = State.RUNNING
    epoch: int = 0
    hashes: Mapping[str, str] = field(default_factory=dict)

    def at(self, marker: int) -> "Position":
        """The same, moved."""
        return replace(self, marker=marker)


@dataclass(frozen=True, slots=True)
class Deployment:
    """Whose positions these are: two deployments on the same topics would publish everything twice."""

    group: str
    partitions: int
    adopt: bool = False

    def encode(self, position: Position) -> bytes:
        """The record's value."""
        return orjson.dumps(
            {
                "syncMarker": position.marker,
                "group": self.group,
                "partitions": self.partitions,
                "state": position.state.value,
                "epoch": position.epoch,
                "hashes": dict(position.hashes),
            }
        )

    def decode(self, value: bytes | None) -> Position:
        """The position of a record's value. Raises Fatal for another deployment's record."""
        if value is None:
            return Position()
        row = orjson.loads(value)
        if problem := self.foreign(row):
            raise Fatal(problem)
        return Position(row["syncMarker"], State(row["state"]), row["epoch"], row["hashes"])

    def foreign(self, row: Mapping[str, object]) -> str:
        """What is wrong with a record of another deployment; empty when it is our own."""
        written, group = row["partitions"], row["group"]
        if written != self.partitions:
            return f"the positions were written with {written} work partitions: set CONNECTOR_WORK_PARTITIONS back to that"
        if group != self.group and not self.adopt:
            return f"the positions belong to the deployment {group}: stop it and start with --adopt, or set CONNECTOR_GROUP to it"
        return ""
