"""Following partitions, each from an offset on, without a group."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import chain

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import TopicAuthorizationFailedError

from connector.errors import Blocked
from connector.kafka.cluster import Cluster
from connector.kafka.reading.consumer import open_consumer
from connector.kafka.records import Place

LONG_POLL_MS = 5000
"""Milliseconds that the broker holds a fetch while there is nothing: what comes is told at once, and idling costs nothing."""


class Follower:
    """Records as they come. `ends`: the offset after the last record of each partition, when it began."""

    def __init__(self, consumer: AIOKafkaConsumer, ends: Mapping[Place, int]) -> None:
        self._consumer = consumer
        self.ends = ends

    async def next(self) -> Sequence[ConsumerRecord]:
        """The next committed records, in order per partition; none after a second without any."""
        found = await self._consumer.getmany(timeout_ms=1000)
        return list(chain.from_iterable(found.values()))


@asynccontextmanager
async def following(cluster: Cluster, starts: Mapping[Place, int], isolation: str = "read_committed") -> AsyncIterator[Follower]:
    """Records from these offsets on, committed ones by default; from the first where the partition ends before: it was made anew.

    Raises Blocked where reading is denied, else aiokafka's errors.
    """
    try:
        async with open_consumer(cluster, isolation, fetch_max_wait_ms=LONG_POLL_MS) as consumer:
            places = [TopicPartition(*place) for place in starts]
            await consumer.take(places)
            ends = {Place(*place): int(end) for place, end in (await consumer.end_offsets(places)).items()}
            for place, start in starts.items():
                consumer.seek(TopicPartition(*place), start if start <= ends[place] else 0)
            yield Follower(consumer, ends)
    except TopicAuthorizationFailedError as error:
        topics = ", ".join(sorted({place.topic for place in starts}))
        raise Blocked(f"Kafka denies reading {topics}: grant this user the rights that docs/configuration.md lists") from error
