"""Single records, read one after the other where somebody knows that they lie."""

import asyncio
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from connector.kafka.cluster import Cluster
from connector.kafka.connection import begin, close
from connector.kafka.reading.consumer import CLOSE_S, Consumer
from connector.kafka.records import Place

READING: Mapping[str, Any] = MappingProxyType(
    {
        "isolation_level": "read_committed",
        "auto_offset_reset": "earliest",
        "enable_auto_commit": False,
        "max_partition_fetch_bytes": 64 * 1024,  # one record is wanted, not a megabyte of them
        "fetch_max_wait_ms": 50,  # a fetch for more than there is holds up the next record
    }
)


class RecordReader:
    """Keeps one consumer, since connecting takes longer than reading; after an error the next record gets a new one."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._turn = asyncio.Lock()
        self._consumer: AIOKafkaConsumer | None = None
        self._era = 0

    async def pick(self, place: Place, offset: int, era: int, within: float) -> ConsumerRecord:
        """The first committed record from this offset on, which is a later one if that was deleted.

        In another `era` than before the consumer is made anew: its connections may be dead. Raises aiokafka's errors, and
        TimeoutError after so many seconds, the wait for others' turns included.
        """
        async with asyncio.timeout(within), self._turn:
            try:
                return await self._next(await self._connected(era, within), TopicPartition(*place), offset)
            except BaseException:  # also cancelled: nobody knows how the consumer stands
                await self.aclose()
                raise

    async def aclose(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await close(consumer, CLOSE_S)

    async def _connected(self, era: int, within: float) -> AIOKafkaConsumer:
        if self._consumer is not None and self._era == era:
            return self._consumer
        await self.aclose()
        self._consumer, self._era = Consumer(**self._cluster.arguments, **READING), era
        await begin(self._consumer.start, within)
        return self._consumer

    async def _next(self, consumer: AIOKafkaConsumer, where: TopicPartition, offset: int) -> ConsumerRecord:
        consumer.assign([where])
        consumer.seek(where, offset)
        while not (records := (await consumer.getmany(where, timeout_ms=500, max_records=1)).get(where)):
            pass
        consumer.pause(where)  # else it fetches what follows, for nobody
        return records[0]
