"""From a sync marker to offsets, and a consumer group that is moved there."""

from collections.abc import Callable, Mapping
from contextlib import aclosing

from aiokafka import ConsumerRecord, TopicPartition

from connector.kafka import groups
from connector.kafka.cluster import Cluster
from connector.kafka.reading.topic_readers import Spans, committed, extent
from connector.kafka.records import header, number
from connector.messages.cloudevents import CE_SYNC_MARKER

STEP = 1000
"""Offsets between two signs of progress."""


Tell = Callable[[int, int, int], None]
"""Hears of progress: the partition, the offset that was looked at, and where it ends."""


async def seek(cluster: Cluster, topic: str, marker: int, tell: Tell) -> dict[int, int]:
    """The lowest offset of each partition from which on nothing of this sync marker or a higher one is missed.

    Every record before it is looked at: after a late marker, a resync or a repair, markers do not only rise. Where there
    is none yet, it is the end as of now. Raises Fatal.
    """
    spans = await extent(cluster, topic)
    return {partition: await _first(cluster, topic, {partition: span}, marker, tell) for partition, span in spans.items()}


async def _first(cluster: Cluster, topic: str, span: Spans, marker: int, tell: Tell) -> int:
    ((_, end),) = span.values()
    async with aclosing(committed(cluster, topic, span)) as records:
        async for record in records:
            if _marker(record) >= marker:
                return int(record.offset)
            if record.offset % STEP == 0:
                tell(record.partition, record.offset, end)
    return end


def _marker(record: ConsumerRecord) -> int:
    """Below all others where it is no event: then nothing is missed without it."""
    return number(header(record.headers, CE_SYNC_MARKER), -1)


async def move(cluster: Cluster, group: str, topic: str, offsets: Mapping[int, int]) -> None:
    """Commit a group's offsets, all or none. Raises Reject while the group has members, Fatal."""
    places = {TopicPartition(topic, partition): offset for partition, offset in offsets.items()}
    with cluster.reaching():
        await groups.move(cluster, group, places)
