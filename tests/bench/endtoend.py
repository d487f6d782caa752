"""End to end: a server of ready-made pages → decoded → committed in Kafka; ours beside the loop people write."""

import asyncio
import os
import statistics
import sys
import time
import uuid
from dataclasses import dataclass

from connector.demo.worker import started
from tests.bench.measure import Peak, cpu_seconds, table
from tests.bench.server import PageServer, serving

OURS, THEIRS = 20_000, 2_000
"""Orders per round: each side runs long enough for its speed to be steady."""
ROUNDS = 3


@dataclass(frozen=True)
class Run:
    """What one run did."""

    orders: int
    seconds: float
    cpu: float
    peak: int

    @property
    def rate(self) -> float:
        """Orders per second."""
        return self.orders / self.seconds

    @property
    def cpu_per_thousand(self) -> float:
        """CPU seconds per 1000 orders, the Kafka broker and the page server not counted."""
        return self.cpu / self.orders * 1000


async def ours(bootstrap: str, server: PageServer, orders: int) -> Run:
    """`mplus-connector run` as a user starts it, from its first page to its last commit."""
    name = f"bench-{uuid.uuid4().hex[:8]}"
    settings = {
        "MPLUS_URL": server.url, "MPLUS_IDENT": "bench", "MPLUS_SECRET": "bench", "MPLUS_ADMINISTRATION": name,
        "KAFKA_BOOTSTRAP_SERVERS": bootstrap, "CONNECTOR_GROUP": name, "CONNECTOR_ENTITIES": "order", "CONNECTOR_HTTP_PORT": "0",
        "CONNECTOR_REQUESTS_PER_SECOND": "1000", "CONNECTOR_LOG_LEVEL": "warning",
    }  # fmt: skip
    from pathlib import Path
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as directory:
        async with started(settings, Path(directory) / "log") as worker, Peak(worker.process.pid) as memory:
            pid = worker.process.pid
            while not (rows := await worker.rows()) or _position(rows) < 1:
                await asyncio.sleep(0.01)
            first, begun, used = _position(rows), time.perf_counter(), cpu_seconds(pid)
            while (reached := _position(await worker.rows())) < orders:
                await asyncio.sleep(0.02)
            return Run(reached - first, time.perf_counter() - begun, cpu_seconds(pid) - used, memory.peak)


def _position(rows: dict) -> int:  # type: ignore[type-arg]
    return max((int(row["position"]) for row in rows.values()), default=0)


async def theirs(bootstrap: str, server: PageServer, orders: int) -> Run:
    """The loop people write, in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.bench.loop",
        bootstrap,
        server.url,
        str(orders),
        stdout=asyncio.subprocess.PIPE,
        env=os.environ,
    )
    assert process.stdout is not None
    async with Peak(process.pid) as memory:
        seconds, cpu = (await process.stdout.readline()).split()
    await process.wait()
    return Run(orders, float(seconds), float(cpu), memory.peak)


async def compare(bootstrap: str) -> None:
    """Interleaved rounds, and a table of medians."""
    rounds: dict[str, list[Run]] = {"mplus-connector run": [], "zeep + orjson + aiokafka loop": []}
    async with serving(OURS) as server:
        for _ in range(ROUNDS):
            rounds["mplus-connector run"].append(await ours(bootstrap, server, OURS))
            rounds["zeep + orjson + aiokafka loop"].append(await theirs(bootstrap, server, THEIRS))
    medians = {name: _medians(runs) for name, runs in rounds.items()}
    rows = [(name, f"{rate:,.0f}", f"{cpu:.2f}", f"{peak / 1e6:.0f} MB") for name, (rate, cpu, peak) in medians.items()]
    table("End to end: pages → events committed in Kafka", ("what", "orders/s", "CPU s per 1000 orders", "peak RSS"), rows)
    (fast, _, _), (slow, _, _) = medians.values()
    print(f"\nratio {fast / slow:.1f}×, medians of {ROUNDS} interleaved rounds")


def _medians(runs: list[Run]) -> tuple[float, float, float]:
    return (
        statistics.median(run.rate for run in runs),
        statistics.median(run.cpu_per_thousand for run in runs),
        statistics.median(run.peak for run in runs),
    )
