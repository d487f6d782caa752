"""Where a consumer group goes on, set from outside of it."""

from collections.abc import Mapping, Sequence
from typing import Any

from aiokafka import TopicPartition

from connector.kafka.connection import begin, close, unattended
from connector.kafka.reading.consumer import Consumer
from connector.kafka.reading.readers import DEADLINE, PATIENCE
from connector.kafka.topics import existing


async def move(arguments: Mapping[str, Any], group: str, places: Mapping[TopicPartition, int]) -> None:
    """Commit a group's offsets, all or none. Raises Reject while the group has members, else aiokafka's errors."""
    consumer = Consumer(**arguments, group_id=group, enable_auto_commit=False)
    try:
        await begin(consumer.start, DEADLINE)
        consumer.assign(list(places))
        with unattended(group):
            await consumer.commit(places)
    finally:
        await close(consumer, PATIENCE)


async def reset(arguments: Mapping[str, Any], group: str, topics: Sequence[str]) -> None:
    """Let a consumer group begin these topics again. Raises Reject while it has members, else aiokafka's errors."""
    partitions = await existing(arguments)
    places = {TopicPartition(topic, number): 0 for topic in topics for number in range(partitions.get(topic, 0))}
    await move(arguments, group, places)
