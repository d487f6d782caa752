"""An order's journey, read from its topic when somebody asks for it."""

from typing import Any

import orjson

from connector.dashboard.brokers import BrokerWatch
from connector.dashboard.folds.journeys import Journeys, RecordLocation
from connector.dashboard.parts import exact
from connector.kafka.reading.record_reader import RecordReader
from connector.kafka.records import Place
from connector.messages.topics import Topics

PATIENCE_S = 10.0
"""Seconds for reading one, waiting for others' turns included."""
SHOWN = (
    *("key", "orderId", "extOrderId", "state", "partly", "steps", "commands", "commandsLeftOut", "documentsLeftOut"),
    *("total", "paid", "syncMarker", "relationNumber", "relationName", "updatedAt"),
)
"""What a viewer gets of a journey: `views` keeps more in it."""


class JourneyLookup:
    """Finds orders in all administrations."""

    def __init__(self, brokers: BrokerWatch, journeys: Journeys) -> None:
        self._brokers = brokers
        self._journeys = journeys
        self._reader = RecordReader(brokers.cluster)

    def locations(self, name: str) -> dict[str, tuple[bytes, RecordLocation]]:
        """Where the journey of the order with this extOrderId or orderId lies, by administration."""
        found = {administration: index.find(name) for administration, index in self._journeys.indexes.items()}
        return {administration: location for administration, location in found.items() if location is not None}

    async def read(self, administration: str, key: bytes, location: RecordLocation) -> Any:
        """The journey, or None where it is there no more. Raises Fatal and Retry, also where it takes too long."""
        place = Place(Topics(administration).journeys, location.partition)
        with self._brokers.cluster.reaching():
            record = await self._reader.pick(place, location.offset, self._brokers.outages, PATIENCE_S)
        if record.key != key or not record.value:
            return None
        return _shown(record.value)

    async def aclose(self) -> None:
        await self._reader.aclose()


def _shown(value: bytes) -> dict[str, Any] | None:
    try:
        journey = orjson.loads(value)
    except orjson.JSONDecodeError:
        return None
    return {name: exact(journey.get(name)) for name in SHOWN} if isinstance(journey, dict) else None
