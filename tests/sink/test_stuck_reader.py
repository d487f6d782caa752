"""A command lane whose Kafka client stands still."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from connector.kafka.cluster import Cluster
from connector.kafka.reading.readers import PartitionReader, reading_from
from connector.kafka.records import Place
from connector.sandbox import Sandbox, SandboxOptions
from tests.support.sink.commanding import commanding, create, pay


async def test_a_lane_whose_client_stands_still_starts_anew(bootstrap: str, prefix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands sent afterwards are carried out, once, by the same worker with a client of its own."""
    readers: list[PartitionReader] = []

    @asynccontextmanager
    async def impatient(cluster: Cluster, place: Place, offset: int) -> AsyncIterator[PartitionReader]:
        async with reading_from(cluster, place, offset, polls=1) as reader:
            readers.append(reader)
            yield reader

    monkeypatch.setattr("connector.sink.task.reading_from", impatient)
    async with Sandbox(SandboxOptions(items=3)) as pos, commanding(bootstrap, prefix, pos) as commands:
        await commands.run(create("c-1", "web-1"))
        for reader in readers:  # as an error inside of the client would end it
            fetching: asyncio.Task[Any] = reader._consumer._fetcher._fetch_task
            fetching.cancel()
        await commands.run(pay("c-2", "web-1", 100))

        assert [("created", "web-1"), ("paid", "web-1")] == commands.effects()
        assert ["c-1", "c-2"] == [row["commandId"] for row in await commands.published()]
