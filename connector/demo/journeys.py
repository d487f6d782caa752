"""The journeys of orders and the figures, as `views` publishes them."""

from typing import Any

import orjson

from connector.kafka.cluster import Cluster
from connector.kafka.reading.readers import follow
from connector.messages.topics import Topics


class Journeys:
    """The latest journey of each order and the latest row of each window, by key."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, Any]] = {}
        self.windows: dict[str, dict[str, Any]] = {}

    async def run(self, cluster: Cluster, administration: str) -> None:
        """Follow their topics from the beginning, for ever. Raises Fatal."""
        topics = Topics(administration)
        kinds = {topics.journeys: self.rows, topics.windows: self.windows}
        async for record in follow(cluster, list(kinds), from_start=True):
            key, kind = (record.key or b"").decode(), kinds[record.topic]
            if record.value is None:
                kind.pop(key, None)
            else:
                kind[key] = orjson.loads(record.value)
