"""The state of the whole fleet, read from the topics: what the workers publish, and the positions."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson

from connector.config import Config
from connector.errors import Fatal, TransactionLost
from connector.kafka.connection import client_arguments, reaching
from connector.kafka.reading import read_back
from connector.kafka.topics import existing
from connector.source.entities import ENTITIES, named
from connector.topics import positions_topic, status_topic

SILENT = 20.0
"""Seconds after which a row that no worker renewed is called silent: workers publish at least every 5 s."""

NUMBER = int | float | None
KEYS = frozenset(entity.name.encode() for entity in ENTITIES)
"""Of positions: what stands under another key is nobody's."""

KINDS = {
    "head": int | None,
    "backlog": int | None,
    "age": NUMBER,
    "unknownSince": str | None,
    "rate": NUMBER,
    "state": str,
    "reason": str,
}
"""What is shown of a report."""


async def rows(config: Config, now: datetime) -> dict[tuple[str, str], dict[str, Any]]:
    """A row per administration and entity. Raises Fatal when Kafka cannot be reached."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for administration in config.administrations:
        name = administration.administration
        statuses, positions = await _read(config, status_topic(name)), await _read(config, positions_topic(name))
        for entity in named(config.connector.entities):
            key = entity.name.encode()
            found[name, entity.name] = _row(statuses.get(key), positions.get(key), now)
    return found


async def _read(config: Config, topic: str) -> Mapping[bytes, bytes]:
    arguments = client_arguments(config.kafka)
    latest: dict[bytes, bytes] = {}
    with reaching(config.kafka):
        partitions = (await existing(arguments)).get(topic, 0)
    try:
        for partition in range(partitions):
            latest |= await read_back(arguments, topic, partition)
    except TransactionLost as error:
        raise Fatal(f"topic {topic} cannot be read: {error}") from error
    return latest


def _row(status: bytes | None, position: bytes | None, now: datetime) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(("head", "position", "backlog", "age", "unknownSince", "rate"))
    row |= {"state": "unowned", "reason": "", "position": _position(position)}
    told, at = _told(status)
    if at is None:
        return row
    row |= told
    silent = (now - at).total_seconds()
    if silent > SILENT:
        row |= {"state": "silent", "reason": f"no worker has reported for {silent:.0f} s", "rate": None}
        row |= {"unknownSince": row["unknownSince"] or row["at"], "age": (row["age"] or 0.0) + round(silent, 3), "backlog": None}
    if row["unknownSince"] is None and row["head"] is not None and row["position"] is not None:
        if row["state"] != "head-regressed":
            row["head"] = max(row["head"], row["position"])  # the position is newer than the published head
        row["backlog"] = max(0, row["head"] - row["position"])
    return row


def _position(written: bytes | None) -> int | None:
    marker = _object(written).get("syncMarker")
    return max(0, marker) if isinstance(marker, int) else None


def _told(status: bytes | None) -> tuple[dict[str, Any], datetime | None]:
    """What a worker reported, and when; nothing where the record is not a worker's."""
    row = _object(status)
    try:
        at = datetime.fromisoformat(row["at"])
    except (KeyError, TypeError, ValueError):
        return {}, None
    if at.tzinfo is None or not all(isinstance(row.get(name), kind) for name, kind in KINDS.items()):
        return {}, None
    return {name: value for name, value in row.items() if name not in ("administration", "entity", "position")}, at


def _object(value: bytes | None) -> dict[str, Any]:
    """Of a record that anybody may have written; empty where it is no JSON object."""
    try:
        found = orjson.loads(value or b"")
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}
