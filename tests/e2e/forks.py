"""The parent's side of `zygote.py`: connectors that start without the second that loading takes."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from tests.support.connectors import REPOSITORY, Connector, run_with, show
from tests.support.crashing import Crash


class Zygote:
    """Starts connectors, one at a time."""

    def __init__(self, process: asyncio.subprocess.Process, directory: Path) -> None:
        self._process = process
        self._directory = directory
        self._started = 0

    @asynccontextmanager
    async def connector(
        self, environment: Mapping[str, str], crash: Crash | None = None, roles: str = "", config: Path | None = None
    ) -> AsyncIterator[Connector]:
        """A connector, which the block must bring to its end."""
        self._started += 1
        log = self._directory / f"connector-{os.getpid()}-{self._process.pid}-{self._started}.log"
        log.touch()
        told = {**environment, **(crash.environment() if crash else {})}
        asked = {"environment": told, "log": str(log), "arguments": run_with(roles, config)}
        assert self._process.stdin
        self._process.stdin.write(json.dumps(asked).encode() + b"\n")
        pid = await self._number()
        ending = asyncio.create_task(self._number())
        connector = Connector(pid, log, lambda: ending.result() if ending.done() else None)
        try:
            yield connector
        finally:
            connector.destroy()
            await ending

    async def _number(self) -> int:
        assert self._process.stdout
        return int(await self._process.stdout.readline())


@asynccontextmanager
async def zygote(directory: Path) -> AsyncIterator[Zygote]:
    """A process that has loaded the connector; it ends with the block."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.e2e.zygote"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=REPOSITORY,
    )
    try:
        yield Zygote(process, directory)
    finally:
        assert process.stdin
        process.stdin.close()
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        await process.wait()


class Nursery:
    """Connectors with the same settings and roles, as many at the same time as there are zygotes; `all` that ever were."""

    def __init__(self, zygotes: Iterable[Zygote], environment: Mapping[str, str], roles: str, config: Path | None = None) -> None:
        self.all: list[Connector] = []
        self._environment = environment
        self._roles = roles
        self._config = config
        self._idle: asyncio.Queue[Zygote] = asyncio.Queue()
        for one in zygotes:
            self._idle.put_nowait(one)

    @asynccontextmanager
    async def connector(self, crash: Crash | None = None) -> AsyncIterator[Connector]:
        """One more, which the block must bring to its end."""
        one = await self._idle.get()
        try:
            async with one.connector(self._environment, crash, self._roles, self._config) as connector:
                self.all.append(connector)
                yield connector
        finally:
            self._idle.put_nowait(one)


@asynccontextmanager
async def nursery(
    directory: Path, environment: Mapping[str, str], roles: str, size: int, config: Path | None = None
) -> AsyncIterator[Nursery]:
    """Connectors to be; should the test fail, it shows what they said last."""
    async with AsyncExitStack() as stack:
        connectors = Nursery(
            [await stack.enter_async_context(zygote(directory)) for _ in range(size)], environment, roles, config
        )
        try:
            yield connectors
        except BaseException:
            show(connectors.all[-4:])
            raise
