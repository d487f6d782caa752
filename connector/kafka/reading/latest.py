"""A look at the last records of a topic, without waiting for more."""

import asyncio

from aiokafka import ConsumerRecord, TopicPartition

from connector.kafka.cluster import Cluster
from connector.kafka.reading.consumer import Consumer, open_consumer

WITHIN_S = 15.0
"""Seconds to start in, and seconds to read in; closing takes its own."""


async def last_records(cluster: Cluster, topic: str, partitions: int, most: int) -> list[ConsumerRecord]:
    """The last of each partition, at most so many, also those that are not decided yet.

    Raises aiokafka's errors, also where there is nothing to read and reading is denied, and TimeoutError.
    """
    places = [TopicPartition(topic, partition) for partition in range(partitions)]
    async with open_consumer(cluster, "read_uncommitted", within=WITHIN_S) as consumer, asyncio.timeout(WITHIN_S):
        return await _last(consumer, places, most)


async def _last(consumer: Consumer, places: list[TopicPartition], most: int) -> list[ConsumerRecord]:
    await consumer.take(places)
    starts, ends = await consumer.beginning_offsets(places), await consumer.end_offsets(places)
    for place in places:
        consumer.seek(place, max(starts[place], ends[place] - most))
    found: list[ConsumerRecord] = []
    while True:
        for place, records in (await consumer.getmany(timeout_ms=200)).items():
            found += [record for record in records if record.offset < ends[place]]
        reached = all([await consumer.position(place) >= ends[place] for place in places])
        if reached and all(consumer.highwater(place) is not None for place in places):  # a fetch was answered: reading is allowed
            return found
