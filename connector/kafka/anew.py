"""Beginning anew: topics emptied by making them again, and a consumer group that starts from the first records."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import UnknownTopicOrPartitionError, for_code

from connector.errors import Fatal
from connector.kafka.clients import administering
from connector.kafka.groups import move
from connector.kafka.reading.readers import DEADLINE
from connector.kafka.topics import existing


async def rewind(arguments: Mapping[str, Any], group: str, topics: Sequence[str]) -> None:
    """Let a consumer group begin these topics again. Raises Reject while it has members, else aiokafka's errors."""
    partitions = await existing(arguments)
    places = {TopicPartition(topic, number): 0 for topic in topics for number in range(partitions.get(topic, 0))}
    await move(arguments, group, places)


async def delete(arguments: Mapping[str, Any], topics: Sequence[str]) -> None:
    """Delete topics, and wait until they are gone. Raises Fatal where that is not allowed, else aiokafka's errors."""
    async with administering(arguments) as admin:
        answer = await admin.delete_topics(list(topics))
        for name, code in answer.topic_error_codes:
            if code and for_code(code) is not UnknownTopicOrPartitionError:
                raise Fatal(f"topic {name} cannot be deleted: {for_code(code).__name__}")
        async with asyncio.timeout(DEADLINE):
            while set(topics) & set(await admin.list_topics()):  # noqa: ASYNC110 - brokers tell nobody when it is gone
                await asyncio.sleep(0.1)
