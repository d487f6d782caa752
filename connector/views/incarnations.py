"""Which topic stands behind a name: what is counted of one that was made anew is counted from its beginning."""

from typing import Any

from connector.clock import Clock
from connector.kafka.topic_ids import topic_id_patiently
from connector.views.app import ViewsApp


class Incarnations:
    """Ids of topics, asked for anew when Kafka hands out the partitions, or a partition is read from further back than before."""

    def __init__(self, app: ViewsApp, clock: Clock) -> None:
        self._app = app
        self._clock = clock
        self._generation: int | None = None
        self._ids: dict[str, str] = {}
        self._read: dict[tuple[str, int], int] = {}

    async def of(self, topic: str, partition: int, first: int, last: int) -> str:
        """The id of a topic of which a partition's records from `first` to `last` were read. Raises aiokafka's errors."""
        if (generation := self._app.lease.generation) != self._generation:
            self._generation, self._ids = generation, {}
        if first <= self._read.get((topic, partition), first):
            self._ids.pop(topic, None)
        self._read[topic, partition] = last
        if topic not in self._ids:
            producer: Any = self._app.producer
            self._ids[topic] = await topic_id_patiently(producer._ensure_producer().client, topic, self._clock)
        return self._ids[topic]
