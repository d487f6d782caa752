"""The state of the whole fleet, read from the topics: what the workers publish, and the positions."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from connector.config.load import Config
from connector.errors import Fatal, TransactionLost
from connector.kafka.configured import cluster_of
from connector.kafka.reading.readers import read_back_all
from connector.kafka.records import Place
from connector.kafka.topics import existing
from connector.messages.loose_json import object_in
from connector.messages.position import State
from connector.messages.status import KINDS, UNKNOWN_SINCE, read
from connector.messages.topics import Topics
from connector.source.entities import ENTITIES, named

SILENT_S = 20.0
"""Seconds after which a row that no worker renewed is called silent: workers publish at least every 5 s."""

KEYS = frozenset(entity.name.encode() for entity in ENTITIES)
"""Keys of position records: what stands under another key is nobody's."""


async def rows(config: Config, now: datetime) -> dict[tuple[str, str], dict[str, Any]]:
    """A row per administration and entity. Raises Fatal when Kafka cannot be reached."""
    names = [row.administration for row in config.administrations]
    latest = await _read(config, [topic for name in names for topic in (Topics(name).status, Topics(name).positions)])
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for name in names:
        statuses, positions = latest[Topics(name).status], latest[Topics(name).positions]
        for entity in named(config.connector.entities):
            key = entity.name.encode()
            found[name, entity.name] = _row(statuses.get(key), positions.get(key), now)
    return found


async def _read(config: Config, topics: Sequence[str]) -> Mapping[str, Mapping[bytes, bytes]]:
    """The latest values of each topic, none where there is no such topic."""
    cluster = cluster_of(config.kafka)
    with cluster.reaching():
        there = await existing(cluster)
    places = [Place(topic, partition) for topic in topics for partition in range(there.get(topic, 0))]
    latest: dict[str, dict[bytes, bytes]] = {topic: {} for topic in topics}
    try:
        for place, found in (await read_back_all(cluster, places)).items():
            latest[place.topic] |= found
    except TransactionLost as error:
        raise Fatal(f"what the workers tell cannot be read: {error}") from error
    return latest


def _row(status: bytes | None, position: bytes | None, now: datetime) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(KINDS)
    row |= {"state": "unowned", "reason": "", "position": _position(position)}
    told = read(status)
    if told is None:
        return row
    row |= {name: value for name, value in told.row.items() if name != "position"}
    silent = (now - told.at).total_seconds()
    if silent > SILENT_S:
        row |= {"state": "silent", "reason": f"no worker has reported for {silent:.0f} s", "rate": None}
        row |= {UNKNOWN_SINCE: row[UNKNOWN_SINCE] or row["at"], "age": (row["age"] or 0.0) + round(silent, 3), "backlog": None}
    if row[UNKNOWN_SINCE] is None and row["head"] is not None and row["position"] is not None:
        if row["state"] != State.HEAD_REGRESSED:
            row["head"] = max(row["head"], row["position"])  # the position is newer than the published head
        row["backlog"] = max(0, row["head"] - row["position"])
    return row


def _position(written: bytes | None) -> int | None:
    marker = object_in(written).get("syncMarker")
    return max(0, marker) if isinstance(marker, int) else None
