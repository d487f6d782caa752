"""How fast `views` folds: everything read from scratch by one worker, and by two."""

import asyncio
import time
import uuid
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench.measure import cpu_seconds, rss_bytes, table
from tests.support.views.filling import environment, fill, prepare
from tests.support.views.histories import COMPLETE, complete
from tests.support.views.processes import ViewsProcess

ORDERS = 5_000
EVENTS = ORDERS * COMPLETE
WITHIN = 600.0


async def main(bootstrap: str) -> None:
    """Both."""
    rows = [await _measured(bootstrap, workers) for workers in (1, 2)]
    header = ("workers", "events/s", "CPU s per 1000 events", "memory, all workers")
    table(f"views: {EVENTS:,} events of {ORDERS:,} orders, from scratch", header, rows)


async def _measured(bootstrap: str, workers: int) -> tuple[str, ...]:
    name = f"bench-{uuid.uuid4().hex[:8]}"
    settings = environment(bootstrap, name)
    await prepare(settings)
    await fill(settings, (made for number in range(ORDERS) for made in complete(number)))
    with TemporaryDirectory() as directory:
        started = [ViewsProcess(settings, Path(directory) / str(number)) for number in range(workers)]
        try:
            seconds, cpu = await _folded(started)
            memory = sum(rss_bytes(each.pid) for each in started)
        finally:
            for each in started:
                each.end()
    return str(workers), f"{EVENTS / seconds:,.0f}", f"{1000 * cpu / EVENTS:.2f}", f"{memory >> 20} MB"


async def _folded(workers: list[ViewsProcess]) -> tuple[float, float]:
    """Seconds and CPU seconds from the first records on until all are folded."""
    while await _records(workers) == 0:  # noqa: ASYNC110  what is looked at is in other processes
        await asyncio.sleep(0.05)
    began, cpu = time.monotonic(), sum(cpu_seconds(each.pid) for each in workers)
    async with asyncio.timeout(WITHIN):
        while await _journeys(workers) < EVENTS:  # noqa: ASYNC110
            await asyncio.sleep(1)
    return time.monotonic() - began, sum(cpu_seconds(each.pid) for each in workers) - cpu


async def _records(workers: list[ViewsProcess], stage: str = "intake") -> float:
    return sum([await _stage(each, stage) for each in workers])


async def _journeys(workers: list[ViewsProcess]) -> float:
    return await _records(workers, "journeys")


async def _stage(worker: ViewsProcess, stage: str) -> float:
    _, text = await worker.get("/metrics")
    lines = (line for line in text.splitlines() if line.startswith("mplus_connector_views_records_total") and stage in line)
    return sum(float(line.split()[-1]) for line in lines)
