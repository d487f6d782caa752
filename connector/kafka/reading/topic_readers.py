"""Reading a topic up to now: all partitions at once, or a part of each."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from connector.errors import Fatal
from connector.kafka.cluster import Cluster
from connector.kafka.reading.consumer import open_consumer
from connector.kafka.reading.readers import HANGING
from connector.kafka.topics import partition_counts

REACHED_S = 30.0
"""Seconds to reach a broker and to learn what topics there are."""

STALLED_S = 40.0
"""Seconds without any movement: longer than the broker needs to end a transaction whose owner died (30 s)."""

Spans = Mapping[int, tuple[int, int]]
"""Partition → the first offset, and the one after the last."""


@asynccontextmanager
async def consuming(cluster: Cluster, isolation: str = "read_committed") -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer without a group, started; closed for certain. What is raised within is in our words, too."""
    with cluster.reaching():
        async with open_consumer(cluster, isolation, within=REACHED_S, attentive=True) as consumer:
            yield consumer


async def extent(cluster: Cluster, topic: str) -> Spans:
    """Every partition from its first record to its high watermark as of now. Raises Fatal."""
    (count,) = await partition_counts(cluster, topic)
    places = [TopicPartition(topic, partition) for partition in range(count)]
    async with consuming(cluster, "read_uncommitted") as consumer, asyncio.timeout(REACHED_S):
        starts, ends = await consumer.beginning_offsets(places), await consumer.end_offsets(places)
    return {place.partition: (starts[place], ends[place]) for place in places}


async def committed(cluster: Cluster, topic: str, spans: Spans) -> AsyncGenerator[ConsumerRecord, None]:
    """All committed records within the spans, in order per partition. Raises Fatal, also where a transaction hangs."""
    ends = {TopicPartition(topic, partition): end for partition, (start, end) in spans.items() if start < end}
    if not ends:
        return
    async with consuming(cluster) as consumer:
        consumer.assign(list(ends))
        for place in ends:
            consumer.seek(place, spans[place.partition][0])
        async for batch in _until(consumer, ends):
            for record in batch:
                yield record


async def _until(consumer: AIOKafkaConsumer, ends: Mapping[TopicPartition, int]) -> AsyncIterator[list[ConsumerRecord]]:
    """Positions say when it is done, not records: markers of transactions may stand last."""
    watch = _Movement()
    while unread := {place: at for place, end in ends.items() if (at := await consumer.position(place)) < end}:
        watch.see(unread)
        consumer.pause(*(ends.keys() - unread.keys()))
        for place, records in (await consumer.getmany(timeout_ms=200)).items():
            yield [record for record in records if record.offset < ends[place]]


class _Movement:
    def __init__(self) -> None:
        self._last: Mapping[TopicPartition, int] = {}
        self._since = 0.0

    def see(self, unread: Mapping[TopicPartition, int]) -> None:
        """Raises Fatal when nothing has moved for too long."""
        now = asyncio.get_running_loop().time()
        if unread != self._last:
            self._last, self._since = unread, now
        elif now - self._since > STALLED_S:
            place = min(unread)
            raise Fatal(HANGING.format(topic=place.topic, partition=place.partition))
