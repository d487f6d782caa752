"""The connector as a process of its own, as a user would start it."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from connector.errors import Fatal

PATIENCE = 60.0
"""Seconds that it gets to start, and to stop."""


@dataclass(frozen=True, slots=True)
class Worker:
    """A running connector and its ops port."""

    process: asyncio.subprocess.Process
    port: int
    http: httpx.AsyncClient  # one for all looks: making one costs 50 ms

    async def rows(self) -> dict[tuple[str, str], Mapping[str, Any]]:
        """Its entities, as `/status` tells them. Raises Fatal when it is gone."""
        try:
            answer = (await self.http.get(f"http://127.0.0.1:{self.port}/status")).json()
        except httpx.HTTPError as error:
            raise Fatal(f"the connector no longer answers ({type(error).__name__})") from error
        return {(row["administration"], row["entity"]): row for row in answer["entities"]}


@asynccontextmanager
async def started(settings: Mapping[str, str], log: Path, *options: str) -> AsyncIterator[Worker]:
    """Start `mplus-connector run`; its output goes to `log`. Raises Fatal with its last line if it does not start."""
    environment = {**os.environ, **settings}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "connector",
        "run",
        *options,
        env=environment,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    ports: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    copying = asyncio.create_task(_copy(process, log, ports))
    try:
        async with asyncio.timeout(PATIENCE):
            port = await ports
        async with httpx.AsyncClient() as http:
            yield Worker(process, port, http)
    finally:
        await _stop(process)
        await copying


async def _copy(process: asyncio.subprocess.Process, log: Path, ports: "asyncio.Future[int]") -> None:
    line = b""
    with log.open("wb") as file:
        while process.stderr is not None and (text := await process.stderr.readline()):
            line = text
            file.write(line)
            if (found := re.search(rb"status on port (\d+)", line)) and not ports.done():
                ports.set_result(int(found.group(1)))
    if not ports.done():
        ports.set_exception(Fatal(f"the connector did not start: {line.decode().strip()}"))


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
        try:
            async with asyncio.timeout(PATIENCE):
                await process.wait()
        except TimeoutError:
            process.kill()
