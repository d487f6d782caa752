"""Following a topic from where it ends: all partitions, also those that it gets later."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from itertools import chain

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from connector.errors import Fatal
from connector.kafka.cluster import Cluster
from connector.kafka.reading.topic_readers import REACHED_S, consuming

GONE_S = 60.0
"""Seconds without the topic until it is said to be gone: a broker that starts again may not know it at first."""


async def following(brokers: Cluster, topic: str, partitions: int) -> AsyncGenerator[Sequence[ConsumerRecord], None]:
    """First nothing, as soon as the ends are known; then what comes, in order per partition, or nothing for a second.

    Raises Fatal, also when the topic is gone.
    """
    async with consuming(brokers) as consumer:
        await _to_the_end(consumer, [TopicPartition(topic, partition) for partition in range(partitions)])
        yield ()
        watch = _Watch(topic)
        while True:
            await _widen(consumer, topic, watch.partitions(consumer))
            batches = await consumer.getmany(timeout_ms=1000)
            yield list(chain.from_iterable(batches.values()))


async def _to_the_end(consumer: AIOKafkaConsumer, places: list[TopicPartition]) -> None:
    consumer.assign(places)
    async with asyncio.timeout(REACHED_S):
        ends = await consumer.end_offsets(places)
    for place, end in ends.items():  # as read_committed sees them: before what is undecided
        consumer.seek(place, end)


async def _widen(consumer: AIOKafkaConsumer, topic: str, there: set[int]) -> None:
    """Read on in the same places, and from the beginning in those that are new."""
    new = {TopicPartition(topic, partition) for partition in there} - consumer.assignment()
    if not new:
        return
    at = {place: await consumer.position(place) for place in consumer.assignment()} | dict.fromkeys(new, 0)
    consumer.assign(list(at))
    for place, offset in at.items():
        consumer.seek(place, offset)


class _Watch:
    """Which partitions the topic has, as far as the brokers have said."""

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self._seen = asyncio.get_running_loop().time()

    def partitions(self, consumer: AIOKafkaConsumer) -> set[int]:
        """Raises Fatal when the topic has been away for too long."""
        now, there = asyncio.get_running_loop().time(), consumer.partitions_for_topic(self._topic)
        if there:
            self._seen = now
        elif now - self._seen > GONE_S:
            raise Fatal(f"topic {self._topic} is gone: `run --roles commands` creates it anew; then connect again")
        return set(there or ())
