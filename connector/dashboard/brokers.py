"""Whether the brokers answer, since when not, and which topics there are."""

from collections.abc import Mapping
from typing import Any

from connector.clock import Clock
from connector.config.load import Kafka
from connector.dashboard.parts import PageParts
from connector.errors import Fatal, Retry
from connector.kafka.cluster import Cluster
from connector.kafka.configured import cluster_of
from connector.kafka.connection import begin
from connector.kafka.topics import existing

EVERY_S = 2.0
"""Seconds between looks."""
PATIENCE_S = 5.0
"""Seconds that the brokers have to answer."""


class BrokerWatch:
    """Shows part `kafka`. `outages` grows by one with each: who follows a topic begins anew, an old connection may be dead."""

    def __init__(self, kafka: Kafka, clock: Clock) -> None:
        """Raises Fatal for certificates that cannot be read."""
        self.cluster: Cluster = cluster_of(kafka)
        self.topics: Mapping[str, int] = {}
        self.outages = 0
        self._clock = clock
        self._since: float | None = None

    async def run(self, shown: PageParts) -> None:
        """Look until cancelled."""
        while True:
            shown.put("kafka", await self._look())
            await self._clock.sleep(EVERY_S)

    async def _look(self) -> dict[str, Any]:
        try:
            with self.cluster.reaching():
                await begin(self._ask, PATIENCE_S)  # as a start: cancelled half way it would leak its connection
        except (Fatal, Retry) as error:
            self.outages += self._since is None
            self._since = self._since or self._clock.wall().timestamp()
            return {"since": self._since, "reason": str(error)}
        self._since = None
        return {"since": None, "reason": ""}

    async def _ask(self) -> None:
        self.topics = await existing(self.cluster)
