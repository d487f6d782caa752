"""End to end: a server of ready-made pages → decoded → committed in Kafka; ours beside the loop people write."""

import asyncio
import os
import statistics
import sys
import time
from dataclasses import dataclass

from tests.bench.measure import Peak, cpu_seconds, table
from tests.bench.running import Running, running, until
from tests.bench.server import PageServer, serving_orders

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
    async with running(bootstrap, server.url, entities="order") as connector, Peak(connector.pid) as memory:
        await until(lambda: _reached(connector, 1), every=0.01)
        first, begun, used = await _position(connector), time.perf_counter(), cpu_seconds(connector.pid)
        await until(lambda: _reached(connector, orders))
        reached = await _position(connector)
        return Run(reached - first, time.perf_counter() - begun, cpu_seconds(connector.pid) - used, memory.peak)


async def _position(connector: Running) -> int:
    return (await connector.positions()).get("order", 0)


async def _reached(connector: Running, marker: int) -> bool:
    return await _position(connector) >= marker


async def theirs(bootstrap: str, server: PageServer, orders: int) -> Run:
    """The loop people write, in a process of its own. Needs MPLUS_WSDL."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.bench.loop", bootstrap, server.url, str(orders)), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    async with Peak(process.pid) as memory:
        seconds, cpu = (await process.stdout.readline()).split()
    await process.wait()
    return Run(orders, float(seconds), float(cpu), memory.peak)


async def compare(bootstrap: str) -> None:
    """Interleaved rounds, and a table of medians. Without MPLUS_WSDL there is no zeep to compare with."""
    sides = {"mplus-connector run": (ours, OURS)}
    if os.environ.get("MPLUS_WSDL"):
        sides["zeep + orjson + aiokafka loop"] = (theirs, THEIRS)
    rounds: dict[str, list[Run]] = {name: [] for name in sides}
    async with serving_orders(OURS) as server:
        for _ in range(ROUNDS):
            for name, (side, orders) in sides.items():
                rounds[name].append(await side(bootstrap, server, orders))
    _show({name: _medians(runs) for name, runs in rounds.items()})


def _show(medians: dict[str, tuple[float, float, float]]) -> None:
    rows = [(name, f"{rate:,.0f}", f"{cpu:.2f}", f"{peak / 1e6:.0f} MB") for name, (rate, cpu, peak) in medians.items()]
    table("End to end: pages → events committed in Kafka", ("what", "orders/s", "CPU s per 1000 orders", "peak RSS"), rows)
    rates = [rate for rate, _, _ in medians.values()]
    ratio = f"ratio {rates[0] / rates[1]:.1f}×, " if len(rates) > 1 else ""
    print(f"\n{ratio}medians of {ROUNDS} interleaved rounds")


def _medians(runs: list[Run]) -> tuple[float, float, float]:
    return (
        statistics.median(run.rate for run in runs),
        statistics.median(run.cpu_per_thousand for run in runs),
        statistics.median(run.peak for run in runs),
    )
