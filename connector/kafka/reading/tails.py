"""The newest records of many partitions at once, without reading the partitions back."""

import asyncio
from collections.abc import Callable, Iterable, Mapping

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import TopicAuthorizationFailedError

from connector.errors import Blocked
from connector.kafka.cluster import Cluster
from connector.kafka.reading.consumer import Consumer, open_consumer
from connector.kafka.reading.readers import high_watermark
from connector.kafka.records import Place

READ_S = 60.0
"""Seconds to find what is wanted in, at most."""

TAIL = 64
"""Offsets before the end that are looked at first; where nothing wanted lies there, ever more."""

Wanted = Callable[[ConsumerRecord], bool]


async def newest(cluster: Cluster, places: Iterable[Place], wanted: Wanted) -> dict[Place, list[ConsumerRecord]]:
    """The last committed records of each partition that are wanted, in order: at least one where there is any.

    A transaction that is open now is not waited for. Raises Blocked where reading is denied, else aiokafka's errors, and
    TimeoutError.
    """
    try:
        async with open_consumer(cluster) as consumer, asyncio.timeout(READ_S):
            return await _Tails(consumer, wanted).read([TopicPartition(*place) for place in places])
    except TopicAuthorizationFailedError as error:
        raise Blocked(f"Kafka denies access: {error}; grant this user the rights that docs/configuration.md lists") from error


async def end_of(cluster: Cluster, place: Place) -> int:
    """The offset after the last record, committed or not. Raises as newest."""
    return await high_watermark(cluster, TopicPartition(*place))


async def lying_since(cluster: Cluster, place: Place, offset: int) -> list[ConsumerRecord]:
    """What lies in a partition from an offset on, also what is not decided or was aborted. Raises as newest."""
    where, found = TopicPartition(*place), list[ConsumerRecord]()
    async with open_consumer(cluster, "read_uncommitted") as consumer, asyncio.timeout(READ_S):
        await consumer.take([where])
        end = (await consumer.end_offsets([where]))[where]
        consumer.seek(where, offset)
        while await consumer.position(where) < end:
            found += (await consumer.getmany(where, timeout_ms=200)).get(where, [])
    return found


class _Tails:
    """Looks back further and further, only in those partitions where nothing was found yet."""

    def __init__(self, consumer: Consumer, wanted: Wanted) -> None:
        self._consumer = consumer
        self._wanted = wanted
        self._found: dict[Place, list[ConsumerRecord]] = {}

    async def read(self, places: list[TopicPartition]) -> dict[Place, list[ConsumerRecord]]:
        """See newest."""
        await self._consumer.take(places)
        starts, ends = await self._consumer.beginning_offsets(places), await self._consumer.end_offsets(places)
        window, todo = TAIL, {place: end for place, end in ends.items() if starts[place] < end}
        while todo:
            await self._look({place: max(starts[place], end - window) for place, end in todo.items()}, todo)
            todo = {
                place: end for place, end in todo.items() if Place(*place) not in self._found and end - window > starts[place]
            }
            window *= TAIL
        return self._found

    async def _look(self, begins: Mapping[TopicPartition, int], ends: Mapping[TopicPartition, int]) -> None:
        """Positions say when it is over: what lies last may be no record."""
        consumer = self._consumer
        consumer.pause(*(place for place in consumer.assignment() if place not in begins))
        for place, offset in begins.items():
            consumer.seek(place, offset)
        while open_ones := [place for place, end in ends.items() if await consumer.position(place) < end]:
            for place, records in (await consumer.getmany(*open_ones, timeout_ms=200)).items():
                hits = [record for record in records if record.offset < ends[place] and self._wanted(record)]
                if hits:
                    self._found.setdefault(Place(*place), []).extend(hits)
