"""Where a consumer group goes on, set from outside of it."""

from collections.abc import Collection, Mapping, Sequence

from aiokafka import TopicPartition

from connector.kafka.clients import administering
from connector.kafka.cluster import Cluster
from connector.kafka.errors import unattended
from connector.kafka.reading.consumer import open_consumer
from connector.kafka.records import Place
from connector.kafka.topics import existing


async def move(cluster: Cluster, group: str, places: Mapping[TopicPartition, int]) -> None:
    """Commit a group's offsets, all or none. Raises Reject while the group has members, else aiokafka's errors."""
    async with open_consumer(cluster, group_id=group) as consumer:
        consumer.assign(list(places))
        with unattended(group):
            await consumer.commit(places)


async def lag(cluster: Cluster, group: str, topics: Collection[str]) -> dict[Place, int]:
    """Records that the group has not committed, of each partition of these topics. Raises aiokafka's errors."""
    async with administering(cluster) as admin:
        committed = await admin.list_consumer_group_offsets(group)
    partitions = await existing(cluster)
    places = [TopicPartition(topic, number) for topic in topics for number in range(partitions.get(topic, 0))]
    async with open_consumer(cluster) as consumer:
        begins, ends = await consumer.beginning_offsets(places), await consumer.end_offsets(places)
    done = {place: max(begins[place], committed[place].offset if place in committed else 0) for place in places}
    return {Place(*place): max(0, int(ends[place]) - done[place]) for place in places}


async def reset(cluster: Cluster, group: str, topics: Sequence[str]) -> None:
    """Let a consumer group begin these topics again. Raises Reject while it has members, else aiokafka's errors."""
    partitions = await existing(cluster)
    places = {TopicPartition(topic, number): 0 for topic in topics for number in range(partitions.get(topic, 0))}
    await move(cluster, group, places)
