"""Where to begin reading partitions of which only the recent part matters."""

from collections.abc import Iterable, Mapping
from typing import Any

from aiokafka import TopicPartition

from connector.kafka.connection import begin, close
from connector.kafka.reading.consumer import Consumer
from connector.kafka.reading.readers import DEADLINE, PATIENCE
from connector.kafka.records import Place


async def since(arguments: Mapping[str, Any], places: Iterable[Place], moment: float, most: int) -> dict[Place, int]:
    """The first offset of each at or after a time (epoch seconds), but no more than `most` before its end.

    Raises aiokafka's errors.
    """
    wanted = [TopicPartition(*place) for place in places]
    consumer = Consumer(**arguments, enable_auto_commit=False)
    try:
        await begin(consumer.start, DEADLINE)
        await consumer.knows(place.topic for place in wanted)
        found = await consumer.offsets_for_times(dict.fromkeys(wanted, int(moment * 1000)))
        ends = await consumer.end_offsets(wanted)
    finally:
        await close(consumer, PATIENCE)
    return {Place(*place): _start(found.get(place), int(end), most) for place, end in ends.items()}


def _start(found: Any, end: int, most: int) -> int:
    """Nothing found: nothing is that young."""
    return max(0, end - most, end if found is None else int(found.offset))
