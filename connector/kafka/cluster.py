"""Where the brokers are, for a library: from an address, or from the arguments of aiokafka's clients."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from connector.config.load import Kafka
from connector.errors import Fatal
from connector.kafka.connection import only_we_cancel, reaching
from connector.kafka.topics import existing

DEADLINE = 30.0
"""Seconds to reach a broker and to learn what topics there are."""


METADATA_AGE_MS = 10_000
"""Milliseconds after which it is seen that a topic has more partitions, or is gone, unless the caller says otherwise."""


class Cluster:
    """The arguments of any aiokafka client, and errors in our words."""

    def __init__(self, kafka: str | Mapping[str, Any]) -> None:
        """`kafka`: bootstrap servers (`host:port,host:port`), or aiokafka's arguments with security and login."""
        given: Mapping[str, Any] = {"bootstrap_servers": kafka} if isinstance(kafka, str) else kafka
        self.arguments: dict[str, Any] = {"metadata_max_age_ms": METADATA_AGE_MS, **given}
        # constructed, not validated: the environment would win over what the caller said
        self._named = Kafka.model_construct(
            bootstrap_servers=str(self.arguments.get("bootstrap_servers", "localhost")),
            security_protocol=self.arguments.get("security_protocol", "PLAINTEXT"),
        )

    @contextmanager
    def reaching(self) -> Iterator[None]:
        """aiokafka's errors in one line. Raises Fatal, or Retry where it gave up by itself."""
        with reaching(self._named), only_we_cancel():
            yield

    async def partitions(self, *topics: str, made_by: str = "run --roles commands") -> list[int]:
        """How many partitions each has. Raises Fatal for topics that do not exist: asking a broker about them might make them."""
        with self.reaching():
            async with asyncio.timeout(DEADLINE):
                there = await existing(self.arguments)
        if missing := [topic for topic in topics if topic not in there]:
            raise Fatal(f"topic {', '.join(missing)} does not exist, or this user may not see it: `{made_by}` creates it")
        return [there[topic] for topic in topics]
