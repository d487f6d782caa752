"""What the source holds against what a read_committed reader finds in the topic."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from connector.kafka.cluster import Cluster
from connector.kafka.reading.readers import committed
from connector.messages.cloudevents import CE_ID, CE_SYNC_MARKER
from connector.source.entities import Entity


@dataclass(frozen=True, slots=True)
class Comparison:
    """One entity: events in the topic, identities on both sides, and whether all is there once."""

    entity: str
    events: int
    at_source: int
    in_topic: int
    complete: bool


async def compare(records: AsyncIterator[Any], entity: Entity, found: Mapping[str, int]) -> Comparison:
    """Hold the last marker per identity among the records of an entity's topic against the source's."""
    markers: dict[str, int] = {}
    ids: list[bytes] = []
    async for record in records:
        headers = dict(record.headers)
        if CE_ID in headers:
            marker = int(headers[CE_SYNC_MARKER])
            markers[record.key.decode() if entity.compacted else str(marker)] = marker
            ids.append(headers[CE_ID])
    complete = bool(ids) and markers == dict(found) and len(ids) == len(set(ids))
    return Comparison(entity.name, len(ids), len(found), len(markers), complete)


async def whole(cluster: Cluster, topic: str, partitions: int) -> AsyncIterator[Any]:
    """All committed records of a topic, partition after partition."""
    for partition in range(partitions):
        async for record in committed(cluster, topic, partition):
            yield record
