"""The program as its users start it: a process, its output and its exit code."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import httpx

from connector.sandbox import Sandbox
from tests.support import warm

SECRET = "s3cret-of-the-pos"

LEFT = "ignore::ResourceWarning"
"""A client that does not close within its deadline, on a busy machine, is left to the end of the process."""


@dataclass(frozen=True)
class Ended:
    """What a process left behind."""

    code: int
    out: str
    err: str

    @property
    def errors(self) -> list[str]:
        """The lines on stderr, which must not hold a traceback or the secret."""
        assert "Traceback" not in self.err + self.out
        assert SECRET not in self.err + self.out
        return [line for line in self.err.splitlines() if line.strip()]


def environment(**settings: object) -> dict[str, str]:
    """Nothing of the developer's, and these settings."""
    foreign = ("MPLUS_", "KAFKA_", "CONNECTOR_")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return inherited | {name: str(value) for name, value in settings.items()}


def at(pos: Sandbox | str, bootstrap: str, prefix: str, **more: object) -> dict[str, str]:
    """Settings for a deployment of one's own."""
    url, ident, secret = (pos, "me", SECRET) if isinstance(pos, str) else (pos.url, pos.ident, pos.secret)
    return environment(
        MPLUS_URL=url,
        MPLUS_IDENT=ident,
        MPLUS_SECRET=secret,
        MPLUS_ADMINISTRATION=prefix,
        KAFKA_BOOTSTRAP_SERVERS=bootstrap,
        CONNECTOR_GROUP=prefix,
        CONNECTOR_WORK_PARTITIONS=2,
        CONNECTOR_POLL_INTERVAL=0.2,
        CONNECTOR_SESSION_TIMEOUT=2,
        CONNECTOR_HTTP_PORT=0,
        **({"CONNECTOR_COMMAND_PARTITIONS": 2} | more),
    )


async def started(*arguments: str, env: Mapping[str, str]) -> asyncio.subprocess.Process:
    """The program under way."""
    pipe = asyncio.subprocess.PIPE
    program = (sys.executable, "-W", "error", "-W", LEFT, "-m", "connector", *arguments)
    return await asyncio.create_subprocess_exec(*program, env=dict(env), stdout=pipe, stderr=pipe, limit=1 << 24)


async def ended(*arguments: str, env: Mapping[str, str], within: float = 60, anew: bool = False) -> Ended:
    """The program, run to its end; without loading it anew, where that makes no difference.

    `anew`: it does here, for the program inherits something of this process.
    """
    if warm.as_here(env) and not anew:
        async with asyncio.timeout(within):
            code, out, err = await warm.run(arguments, env)
        return Ended(code, out.decode(), err.decode())
    process = await started(*arguments, env=env)
    try:
        async with asyncio.timeout(within):
            out, err = await process.communicate()
    finally:
        await killed(process)
    return Ended(process.returncode or 0, out.decode(), err.decode())


async def killed(process: asyncio.subprocess.Process) -> None:
    """Gone, if it was not yet."""
    with suppress(ProcessLookupError):
        process.kill()
    await process.wait()


@dataclass
class Running:
    """A worker under way, and where it serves."""

    process: asyncio.subprocess.Process
    port: int

    async def get(self, path: str) -> httpx.Response:
        """An answer of its HTTP."""
        try:
            async with httpx.AsyncClient(timeout=10) as client:
                return await client.get(f"http://127.0.0.1:{self.port}{path}")
        except httpx.ConnectError:
            said = b"" if self.process.stderr is None else await self.process.stderr.read(1 << 16)
            raise AssertionError(f"it serves no more: {said.decode()}") from None

    async def until(self, path: str, **wanted: Any) -> httpx.Response:
        """The first answer with this status code or these words."""
        async with asyncio.timeout(30):
            while True:
                assert self.process.returncode is None, (await self.process.communicate())[1].decode()
                answer = await self.get(path)
                if answer.status_code == wanted.get("code", answer.status_code) and wanted.get("words", "") in answer.text:
                    return answer
                await asyncio.sleep(0.05)

    async def stopped(self) -> Ended:
        """Ended by SIGTERM, as an orchestrator would."""
        self.process.terminate()
        async with asyncio.timeout(20):
            out, err = await self.process.communicate()
        return Ended(self.process.returncode or 0, out.decode(), err.decode())


@asynccontextmanager
async def running(env: Mapping[str, str]) -> AsyncIterator[Running]:
    """`run` while inside."""
    process = await started("run", env=env)
    assert process.stderr is not None
    try:
        async with asyncio.timeout(40):
            line = ""
            while "status on port" not in line:
                line = (await process.stderr.readline()).decode()
                assert line, "it ended before it served"
        yield Running(process, int(line.split()[-1]))
    finally:
        await killed(process)
