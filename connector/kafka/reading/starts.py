"""Where to begin reading partitions of which only the recent part matters."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from aiokafka import TopicPartition

from connector.kafka.cluster import Cluster
from connector.kafka.reading.consumer import open_consumer
from connector.kafka.records import Place


class Start(NamedTuple):
    """`clipped`: there are younger records before it, which were too many."""

    offset: int
    clipped: bool = False


async def since(cluster: Cluster, places: Iterable[Place], moment: float, most: int | None) -> dict[Place, Start]:
    """The first offset of each at or after a time (epoch seconds), but no more than `most` before its end.

    Raises aiokafka's errors.
    """
    wanted = [TopicPartition(*place) for place in places]
    async with open_consumer(cluster) as consumer:
        await consumer.knows(place.topic for place in wanted)
        found = await consumer.offsets_for_times(dict.fromkeys(wanted, int(moment * 1000)))
        ends = await consumer.end_offsets(wanted)
    return {Place(*place): _start(found.get(place), int(end), most) for place, end in ends.items()}


def _start(found: Any, end: int, most: int | None) -> Start:
    """Nothing found: nothing is that young."""
    first = end if found is None else int(found.offset)
    return Start(first) if most is None or end - most <= first else Start(end - most, clipped=True)
