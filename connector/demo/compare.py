"""What the source holds against what a read_committed reader finds in the topic."""

from collections.abc import Mapping
from dataclasses import dataclass

from connector.kafka.reading import committed
from connector.kafka.topics import existing
from connector.source.entities import named


@dataclass(frozen=True, slots=True)
class Comparison:
    """One entity: events in the topic, identities on both sides, and whether all is there once."""

    entity: str
    events: int
    at_source: int
    in_topic: int
    complete: bool


async def compare(bootstrap: str, administration: str, entity: str, found: Mapping[str, int]) -> Comparison:
    """Read the entity's topic and hold its last marker per identity against the source's."""
    row = named([entity])[0]
    topic, arguments = f"{administration}.{row.topic}", {"bootstrap_servers": bootstrap}
    markers: dict[str, int] = {}
    ids: list[bytes] = []
    for partition in range((await existing(arguments))[topic]):
        async for record in committed(arguments, topic, partition):
            headers = dict(record.headers)
            if "ce_id" in headers:
                marker = int(headers["ce_syncmarker"])
                markers[record.key.decode() if row.compacted else str(marker)] = marker
                ids.append(headers["ce_id"])
    complete = bool(ids) and markers == dict(found) and len(ids) == len(set(ids))
    return Comparison(entity, len(ids), len(found), len(markers), complete)
