"""Where a consumer group goes on, set from outside of it."""

from collections.abc import Mapping
from typing import Any

from aiokafka import TopicPartition

from connector.kafka.connection import begin, close, unattended
from connector.kafka.reading.consumer import Consumer
from connector.kafka.reading.readers import DEADLINE, PATIENCE


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
