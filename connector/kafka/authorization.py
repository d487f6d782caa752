"""What a Kafka user may not do that `run` needs. Looks, and changes nothing."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial

from aiokafka import TopicPartition
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    KafkaError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)

from connector.kafka.clients import Producer, administering
from connector.kafka.cluster import Cluster
from connector.kafka.creating import Topic, would_create
from connector.kafka.reading.consumer import open_consumer

DENIED = (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)
WITHIN_S = 10.0
"""Seconds for one look."""


async def denied(cluster: Cluster, topics: Sequence[Topic], groups: Mapping[str, str], transactional_id: str) -> list[str]:
    """One line per right that is missing: creating `topics`, the transactional id, and each group (with a topic of its)."""
    looks: dict[str, Callable[[], Awaitable[object]]] = {
        f"use the consumer group {group}": partial(_group, cluster, group, topic) for group, topic in groups.items()
    }
    looks[f"use transactional ids like {transactional_id}, and write idempotently"] = partial(
        _producer, cluster, transactional_id
    )
    refused = [f"Kafka does not let this user {what}" for what, look in looks.items() if await _refused(look)]
    return [*await _creations(cluster, topics), *refused]


async def _refused(look: Callable[[], Awaitable[object]]) -> bool:
    try:
        async with asyncio.timeout(WITHIN_S):
            await look()
    except DENIED:
        return True
    except (KafkaError, TimeoutError):
        return False  # another look names what is wrong there
    return False


async def _group(cluster: Cluster, group: str, topic: str) -> None:
    async with open_consumer(cluster, group_id=group, closing=1.0) as consumer:
        await consumer.committed(TopicPartition(topic, 0))


async def _producer(cluster: Cluster, transactional_id: str) -> None:
    producer = Producer(**cluster.arguments, transactional_id=transactional_id)
    try:
        await producer.start()
    finally:
        await producer.stop()


async def _creations(cluster: Cluster, topics: Sequence[Topic]) -> list[str]:
    async with administering(cluster) as admin:
        there = set(await admin.list_topics())
        return await would_create(admin, [topic for topic in topics if topic.name not in there])
