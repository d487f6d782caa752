"""An order's journey, read from its topic when somebody asks for it."""

import asyncio
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from connector.dashboard.cluster import Cluster
from connector.dashboard.journeys import Journeys, Spot
from connector.kafka.connection import begin, close
from connector.topics import journeys_topic

PATIENCE = 10.0
"""Seconds for reading one, waiting for others' turns included."""
CLOSING = 2.0
"""Seconds for closing the consumer, at most."""
SHOWN = (
    *("key", "orderId", "extOrderId", "state", "steps", "commands", "total", "paid"),
    *("syncMarker", "relationNumber", "relationName", "updatedAt"),
)
"""What a viewer gets of a journey: `views` keeps more in it."""
READING: Mapping[str, Any] = MappingProxyType(
    {
        "isolation_level": "read_committed",
        "auto_offset_reset": "earliest",
        "enable_auto_commit": False,
        "max_partition_fetch_bytes": 64 * 1024,  # one journey is wanted, not a megabyte of them
        "fetch_max_wait_ms": 50,  # a fetch for more than there is holds up the next request
    }
)


class Finder:
    """Finds orders in all administrations, one after the other, with one consumer: connecting takes longer than reading."""

    def __init__(self, cluster: Cluster, journeys: Journeys) -> None:
        self._cluster = cluster
        self._journeys = journeys
        self._turn = asyncio.Lock()
        self._consumer: AIOKafkaConsumer | None = None
        self._outages = 0

    def spots(self, name: str) -> dict[str, tuple[bytes, Spot]]:
        """Where the journey of the order with this extOrderId or orderId lies, by administration."""
        found = {administration: index.find(name) for administration, index in self._journeys.indexes.items()}
        return {administration: spot for administration, spot in found.items() if spot is not None}

    async def read(self, administration: str, key: bytes, spot: Spot) -> Any:
        """The journey, or None where it is there no more. Raises Fatal and Retry, also where it takes too long."""
        where = TopicPartition(journeys_topic(administration), spot.partition)
        with self._cluster.reaching():
            async with asyncio.timeout(PATIENCE), self._turn:
                record = await self._record(where, spot.offset)
        if record.key != key or not record.value:
            return None
        journey = orjson.loads(record.value)
        return {name: journey.get(name) for name in SHOWN}

    async def aclose(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await close(consumer, CLOSING)

    async def _record(self, where: TopicPartition, offset: int) -> ConsumerRecord:
        """The first one from this offset on: the one there may have been deleted meanwhile."""
        try:
            consumer = await self._connected()
            consumer.assign([where])
            consumer.seek(where, offset)
            while not (records := (await consumer.getmany(where, timeout_ms=500, max_records=1)).get(where)):
                pass
            consumer.pause(where)  # else it fetches what follows, for nobody
            return records[0]
        except BaseException:  # also cancelled: nobody knows how the consumer stands
            await self.aclose()
            raise

    async def _connected(self) -> AIOKafkaConsumer:
        """As it was left, or a new one: after an outage an old connection may be dead."""
        if self._consumer is not None and self._outages == self._cluster.outages:
            return self._consumer
        await self.aclose()
        self._consumer, self._outages = AIOKafkaConsumer(**self._cluster.arguments, **READING), self._cluster.outages
        await begin(self._consumer.start, PATIENCE)
        return self._consumer
