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
from connector.source.entities import named
from connector.topics import positions_topic, status_topic

SILENT = 20.0
"""Seconds after which a row that no worker renewed is called silent: workers publish at least every 5 s."""


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
    row: dict[str, Any] = {
        "head": None,
        "position": None,
        "backlog": None,
        "age": None,
        "rate": None,
        "state": "unowned",
        "reason": "",
    }
    if position is not None:
        row["position"] = max(0, orjson.loads(position)["syncMarker"])
    if status is None:
        return row
    row |= {name: value for name, value in orjson.loads(status).items() if name not in ("administration", "entity", "position")}
    silent = (now - datetime.fromisoformat(row["at"])).total_seconds()
    if silent > SILENT:
        row |= {"state": "silent", "reason": f"no worker has reported for {silent:.0f} s", "rate": 0.0}
    if row["head"] is not None and row["position"] is not None:
        if row["state"] != "head-regressed":
            row["head"] = max(row["head"], row["position"])  # the position is newer than the published head
        row["backlog"] = max(0, row["head"] - row["position"])
    return row
