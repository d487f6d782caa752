"""The journeys of orders, as `views` publishes them."""

from typing import Any

import orjson

from connector.kafka.cluster import Cluster
from connector.kafka.reading.readers import follow
from connector.messages.topics import Topics


class Journeys:
    """The latest journey of each order, by key."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, Any]] = {}

    async def run(self, cluster: Cluster, administration: str) -> None:
        """Follow the topic from its beginning, for ever. Raises Fatal."""
        async for record in follow(cluster, [Topics(administration).journeys], from_start=True):
            key = (record.key or b"").decode()
            if record.value is None:
                self.rows.pop(key, None)
            else:
                self.rows[key] = orjson.loads(record.value)
