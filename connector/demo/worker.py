"""Parts of the connector as processes of their own, as a user would start them."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from connector.errors import Fatal
from connector.local_kafka.jvm import LEASH

PATIENCE_S = 60.0
"""Seconds that it gets to start, and to stop."""

PORT = re.compile(rb"(?:\bport |http://[\w.-]+:)(\d+)")
"""Where it says that it serves."""

Rows = Mapping[tuple[str, str], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Worker:
    """A running part of the connector, and the port that it serves."""

    verb: str
    process: asyncio.subprocess.Process
    port: int
    http: httpx.AsyncClient  # one for all looks: making one costs 50 ms
    log: Path

    async def rows(self) -> Rows:
        """The entities that `run` reads, as `/status` tells them. Raises Fatal when it is gone."""
        self.must_live()
        try:
            answer = (await self.http.get(f"http://127.0.0.1:{self.port}/status")).json()
        except httpx.HTTPError as error:
            self.must_live()
            raise Fatal(f"`{self.verb}` no longer answers ({type(error).__name__})") from error
        return {(row["administration"], row["entity"]): row for row in answer["entities"]}

    def must_live(self) -> None:
        """Raises Fatal with the last thing it said when it has ended."""
        if self.process.returncode is not None:
            raise Fatal(f"`{self.verb}` ended by itself (exit code {self.process.returncode}): {last_lines(self.log, 1)}")


@asynccontextmanager
async def started(settings: Mapping[str, str], log: Path, *options: str, verb: str = "run") -> AsyncIterator[Worker]:
    """Start a verb that serves HTTP; its output goes to `log`. Raises Fatal with its last line if it does not start."""
    process = await _leashed({**os.environ, **settings}, sys.executable, "-m", "connector", verb, *options)
    ports: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    copying = asyncio.create_task(_copy(process, log, ports))
    try:
        port = await _port(ports, verb, log)
        async with httpx.AsyncClient() as http:
            yield Worker(verb, process, port, http, log)
    finally:
        await _stop(process)
        await copying


async def _leashed(environment: Mapping[str, str], *argv: str) -> asyncio.subprocess.Process:
    """Start it in a session of its own: Ctrl-C asks the demo alone, and the demo asks its parts when it is done with them."""
    return await asyncio.create_subprocess_exec(
        "sh",
        "-c",
        LEASH,
        "leash",
        *argv,
        env=environment,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )


async def _port(ports: "asyncio.Future[int]", verb: str, log: Path) -> int:
    with suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE_S):
            if port := await ports:
                return port
    raise Fatal(f"`{verb}` did not start: {last_lines(log, 1)}")


async def _copy(process: asyncio.subprocess.Process, log: Path, ports: "asyncio.Future[int]") -> None:
    """Also tells the port as soon as it is said, or 0 at the end."""
    with log.open("wb", buffering=0) as file:
        while process.stderr is not None and (line := await process.stderr.readline()):
            file.write(line)
            if (found := PORT.search(line)) and not ports.done():
                ports.set_result(int(found.group(1)))
    if not ports.done():
        ports.set_result(0)


def last_lines(log: Path, most: int) -> str:
    """The end of a log."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-most:]) or "it said nothing"


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGTERM)  # terminate() may bury it behind asyncio's back, which then complains
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                await process.wait()
    if process.stdin is not None:
        process.stdin.close()  # ends what is left of it
    await process.wait()
