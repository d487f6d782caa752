"""Connectors as processes of their own: started, looked at over HTTP, killed, frozen, and what they said last."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp

from connector.sandbox import Sandbox
from tests.support.crashing import Crash

REPOSITORY = Path(__file__).parents[2]
START = 60.0
"""Seconds that a connector gets to start on a busy machine."""

WORK, COMMANDS = ".work", ".order-commands"
"""How the topics end whose partitions are owned."""

Condition = Callable[[], bool | Awaitable[bool]]


async def until(condition: Condition, within: float, what: str | Callable[[], str], every: float = 0.05) -> float:
    """Wait until the condition holds; return the seconds that took. AssertionError after `within` seconds."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    while True:
        held = condition()
        if held if isinstance(held, bool) else await held:
            return loop.time() - started
        if loop.time() - started > within:
            raise AssertionError(f"not within {within:.0f} s: {what if isinstance(what, str) else what()}")
        await asyncio.sleep(every)


def settings(pos: Sandbox, bootstrap: str, name: str, **more: object) -> dict[str, str]:
    """The environment of a connector for this shop; `more` are CONNECTOR_… settings in lower case."""
    own = {"group": name, "poll_interval": 0.1, "requests_per_second": 200, "http_port": 0, "log_level": "debug", **more}
    return {
        "MPLUS_URL": pos.url,
        "MPLUS_IDENT": pos.ident,
        "MPLUS_SECRET": pos.secret,
        "MPLUS_ADMINISTRATION": name,
        "KAFKA_BOOTSTRAP_SERVERS": bootstrap,
        **{f"CONNECTOR_{key.upper()}": str(value) for key, value in own.items()},
    }


def run_with(roles: str, config: Path | None = None) -> list[str]:
    """The arguments that make a connector play these roles, or with "" all; `config`: by this file."""
    return ["run", *(["--roles", roles] if roles else []), *(["--config", str(config)] if config else [])]


class Connector:
    """A running `mplus-connector run`, leader of a process group of its own."""

    def __init__(self, pid: int, log: Path, ended: Callable[[], int | None]) -> None:
        self.pid = pid
        self._log = log
        self._ended = ended

    @property
    def log(self) -> str:
        """All it said."""
        return self._log.read_text(errors="replace")

    @property
    def alive(self) -> bool:
        """Whether it runs, or is frozen."""
        return self._ended() is None

    def signal(self, number: int) -> None:
        """To the connector alone: its decoder has to notice by itself."""
        os.kill(self.pid, number)

    async def end(self, within: float = START) -> int:
        """Its exit code, once it has ended: a negative one names a signal."""
        await until(lambda: not self.alive, within, f"the end of connector {self.pid}")
        code = self._ended()
        assert code is not None
        return code

    async def vanished(self, within: float = 10) -> None:
        """Wait until its decoder has ended too, by itself."""
        await until(lambda: not _group_exists(self.pid), within, f"the decoder of connector {self.pid} has ended")

    async def kill(self) -> None:
        """kill -9."""
        self.signal(signal.SIGKILL)
        assert -signal.SIGKILL == await self.end()

    def destroy(self) -> None:
        """Whatever is left of it: nothing outlives a test."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    async def status(self) -> Mapping[str, Any]:
        """What /status tells; empty while it does not answer."""
        if not (told := re.search(r"status on port (\d+)", self.log)):
            assert self.alive, f"the connector ended: {self.last_words()}"
            return {}
        try:
            async with aiohttp.request(
                "GET", f"http://127.0.0.1:{told[1]}/status", timeout=aiohttp.ClientTimeout(total=2)
            ) as answer:
                shown: Mapping[str, Any] = await answer.json()
                return shown
        except (aiohttp.ClientError, TimeoutError):
            return {}

    async def partitions(self, topic: str = WORK) -> set[int]:
        """The partitions of this topic that it owns."""
        rows = (await self.status()).get("partitions", ())
        return {row["partition"] for row in rows if row["topic"].endswith(topic)}

    async def owns(self, count: int = 1, topic: str = WORK) -> bool:
        """Whether it owns so many partitions of this topic, or more."""
        return len(await self.partitions(topic)) >= count

    def last_words(self, lines: int = 25) -> str:
        """The end of its log."""
        return "\n".join(self.log.splitlines()[-lines:])


def _group_exists(group: int) -> bool:
    """Whether any process of the group runs; one that nobody has buried yet does not."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return not Path("/proc/self/stat").exists() or any(_running(stat, group) for stat in Path("/proc").glob("[0-9]*/stat"))


def _running(stat: Path, group: int) -> bool:
    with suppress(OSError):
        state, _, member = stat.read_text().rpartition(")")[2].split()[:3]
        return int(member) == group and state != "Z"
    return False


class Fleet:
    """The connectors of a test: with the same settings, and none left when the block ends."""

    def __init__(self, directory: Path, environment: Mapping[str, str], roles: str = "") -> None:
        self.all: list[Connector] = []
        self._directory = directory
        self._environment = environment
        self._roles = roles

    def start(self, crash: Crash | None = None) -> Connector:
        """One more; with a Crash it is its own murderer."""
        log = self._directory / f"connector-{len(self.all)}.log"
        program = "tests.support.crashing" if crash else "connector"
        told = crash.environment() if crash else {}
        with log.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", program, *run_with(self._roles)],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env={**os.environ, **self._environment, **told},
                cwd=REPOSITORY,
                start_new_session=True,
            )
        return self.add(Connector(process.pid, log, process.poll))

    def add(self, connector: Connector) -> Connector:
        """Look after one that was started elsewhere."""
        self.all.append(connector)
        return connector

    async def at_head(self, heads: Mapping[str, int]) -> bool:
        """Whether everything up to these markers is committed, by whoever owns it."""
        assert any(connector.alive for connector in self.all), "no connector is left"
        rows = [row for connector in self.all if connector.alive for row in (await connector.status()).get("entities", ())]
        reached = {row["entity"]: row["position"] for row in rows}
        return all(reached.get(entity, -1) >= head for entity, head in heads.items())

    async def finish(self, heads: Mapping[str, int], within: float) -> float:
        """Wait for that; return the seconds it took."""
        return await until(lambda: self.at_head(heads), within, f"positions at the heads {dict(heads)}")

    async def stop(self) -> None:
        """SIGTERM for all that run: each ends with exit code 0, and its decoder with it."""
        running = [connector for connector in self.all if connector.alive]
        for connector in running:
            connector.signal(signal.SIGTERM)
        for connector in running:
            assert 0 == await connector.end(), connector.last_words()
        for connector in self.all:
            await connector.vanished()


@asynccontextmanager
async def fleet(directory: Path, environment: Mapping[str, str], roles: str = "") -> AsyncIterator[Fleet]:
    """Connectors to be; should the test fail, it shows what they said last."""
    connectors = Fleet(directory, environment, roles)
    try:
        yield connectors
    except BaseException:
        show(connectors.all[-4:])
        raise
    finally:
        for connector in connectors.all:
            connector.destroy()
        await asyncio.gather(*(connector.end() for connector in connectors.all))


def show(connectors: Iterable[Connector]) -> None:
    """Print what they said last."""
    for connector in connectors:
        print(f"--- connector {connector.pid}, {'alive' if connector.alive else 'ended'}\n{connector.last_words()}")
