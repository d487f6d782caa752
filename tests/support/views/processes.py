"""`mplus-connector views` as a process of its own, and what it says."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import aiohttp

REPOSITORY = Path(__file__).parents[3]


class ViewsProcess:
    """One worker; `end` leaves nothing of it."""

    def __init__(self, environment: Mapping[str, str], log: Path, *arguments: str, module: str = "connector") -> None:
        self.log = log
        with log.open("wb") as out:
            self._process = subprocess.Popen(
                [sys.executable, "-m", module, "views", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env={**os.environ, "CONNECTOR_VIEWS_HTTP_PORT": "0", **environment},
                cwd=REPOSITORY,
            )
        self.pid = self._process.pid

    @property
    def said(self) -> str:
        """All it said."""
        return self.log.read_text(errors="replace")

    @property
    def code(self) -> int | None:
        """Its exit code, once it has ended."""
        return self._process.poll()

    @property
    def stopped(self) -> bool:
        """Whether it is frozen."""
        assert self.code is None, f"views ended with {self.code}: {self.said[-2000:]}"
        return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    async def get(self, path: str) -> tuple[int, str]:
        """Status and body of what it serves; 0 while it does not answer."""
        port = re.search(r"metrics on port (\d+)", self.said)
        if port is None:
            assert self.code is None, f"views ended with {self.code}: {self.said[-2000:]}"
            return 0, ""
        try:
            async with aiohttp.request("GET", f"http://127.0.0.1:{port[1]}{path}", timeout=aiohttp.ClientTimeout(total=5)) as got:
                return got.status, await got.text()
        except (aiohttp.ClientError, TimeoutError):
            return 0, ""

    async def metric(self, name: str) -> float:
        """The sum of a metric's series."""
        _, text = await self.get("/metrics")
        return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith((f"{name} ", f"{name}{{")))

    async def up_to_date(self, within: float = 60.0) -> float:
        """Wait until it is ready and has no lag; the seconds that took."""
        started = time.monotonic()
        while not await self.idle():
            assert self.code is None, f"views ended with {self.code}: {self.said[-2000:]}"
            assert time.monotonic() - started < within, f"not up to date within {within} s: {self.said[-3000:]}"
            await asyncio.sleep(0.2)
        return time.monotonic() - started

    async def idle(self) -> bool:
        """Whether it is ready and has no lag, as it saw last."""
        ready, _ = await self.get("/health/ready")
        return ready == 200 and await self.metric("mplus_connector_views_lag_records") == 0

    async def ended(self, within: float = 60.0) -> int:
        """Its exit code, once it has ended by itself."""
        return await asyncio.to_thread(self._process.wait, within)

    def kill(self) -> None:
        """kill -9."""
        self._process.kill()
        self._process.wait()

    async def stop(self, within: float = 30.0) -> int:
        """SIGTERM; its exit code."""
        self._process.send_signal(signal.SIGTERM)
        return await asyncio.to_thread(self._process.wait, within)

    def end(self) -> None:
        """Whatever it does."""
        with suppress(ProcessLookupError):
            self._process.kill()
        self._process.wait()
