"""`mplus-connector run` as a user starts it, for a benchmark to look at."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from connector.demo.worker import started


@dataclass(frozen=True)
class Running:
    """A running connector: its process, and its administration's name, which is the prefix of its topics."""

    pid: int
    administration: str
    _ops: httpx.AsyncClient

    async def rows(self) -> dict[str, Mapping[str, Any]]:
        """Its entities, as `/status` tells them. One connection for all calls: a new client each time costs 50 ms of CPU."""
        answer = (await self._ops.get("/status")).json()
        return {row["entity"]: row for row in answer["entities"]}

    async def positions(self) -> dict[str, int]:
        """The committed sync marker of each entity."""
        return {entity: int(row["position"]) for entity, row in (await self.rows()).items()}


@asynccontextmanager
async def running(bootstrap: str, url: str, *, roles: str = "source", **settings: object) -> AsyncIterator[Running]:
    """Start it on a fresh administration and group, and end it. `settings` are those of CONNECTOR_…, in lower case."""
    name = f"bench-{uuid.uuid4().hex[:8]}"
    defaults = {"http_port": 0, "requests_per_second": 1000, "log_level": "warning"}
    environment = {
        "MPLUS_URL": url,
        "MPLUS_IDENT": "sandbox",
        "MPLUS_SECRET": "sandbox",
        "MPLUS_ADMINISTRATION": name,
        "KAFKA_BOOTSTRAP_SERVERS": bootstrap,
        "CONNECTOR_GROUP": name,
        **{f"CONNECTOR_{key.upper()}": str(value) for key, value in (defaults | settings).items()},
    }
    with TemporaryDirectory() as directory:
        async with (
            started(environment, Path(directory) / "log", "--roles", roles) as worker,
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{worker.port}") as ops,
        ):
            yield Running(worker.process.pid, name, ops)


async def until(reached: Callable[[], Awaitable[bool]], *, within: float = 300.0, every: float = 0.02) -> None:
    """Look every so many seconds until it is so; TimeoutError after `within` seconds."""
    async with asyncio.timeout(within):
        while not await reached():  # noqa: ASYNC110  what is looked at is in another process
            await asyncio.sleep(every)
