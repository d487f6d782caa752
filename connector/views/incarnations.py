"""Which topic stands behind a name: what is counted of one that was made anew is counted from its beginning."""

from typing import Any

from connector.clock import Clock
from connector.kafka.topic_ids import topic_id_patiently
from connector.views.app import ViewsApp


class Incarnations:
    """Ids of topics, asked for anew each time that Kafka hands out the partitions: it does when a topic is made anew."""

    def __init__(self, app: ViewsApp, clock: Clock) -> None:
        self._app = app
        self._clock = clock
        self._generation: int | None = None
        self._ids: dict[str, str] = {}

    async def of(self, topic: str) -> str:
        """The id of a topic. Raises aiokafka's errors."""
        if (generation := self._app.lease.generation) != self._generation:
            self._generation, self._ids = generation, {}
        if topic not in self._ids:
            producer: Any = self._app.producer
            self._ids[topic] = await topic_id_patiently(producer._ensure_producer().client, topic, self._clock)
        return self._ids[topic]
