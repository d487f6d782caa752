"""Peak memory of `run` while all entities catch up at once on long histories, and whether it stays constant."""

import asyncio
import time
from dataclasses import dataclass

from tests.bench.histories import POLLED, serving_histories
from tests.bench.measure import Peak, pss_bytes, table
from tests.bench.running import Running, running

PAGES = {1000: 10, 10_000: 3}
"""Page size → pages that every entity shall have committed."""
LONGEST = 90.0
"""Seconds after which a run ends nevertheless."""
ENDLESS = 1_000_000_000
"""The head of every history: pages follow for longer than the run takes."""


@dataclass(frozen=True)
class Curve:
    """Memory over one run. Bytes; `first` and `last` are the peaks of the first and last third of the catching up."""

    page_size: int
    pages: int
    items: int
    seconds: float
    peak: int
    first: int
    last: int
    pss: int


async def catch_up(bootstrap: str, url: str, page_size: int, pages: int) -> Curve:
    """Start `run` on empty topics; end it when every entity has committed so many pages, or at LONGEST."""
    names = ",".join(entity.name for entity in POLLED)
    async with running(bootstrap, url, entities=names, page_size=page_size) as connector:
        async with Peak(connector.pid) as resident, Peak(connector.pid, 0.5, pss_bytes) as proportional:
            while not any((await _items(connector)).values()):
                await asyncio.sleep(0.05)
            started, at = time.monotonic(), len(resident.seen)
            while (
                min((items := await _items(connector)).values()) < pages * (page_size - 1)
                and time.monotonic() - started < LONGEST
            ):
                await asyncio.sleep(0.1)
            seen = resident.seen[at:]
            third = len(seen) // 3
            return Curve(
                page_size, min(items.values()) // (page_size - 1), sum(items.values()), time.monotonic() - started,
                resident.peak, max(seen[:third]), max(seen[-third:]), proportional.peak,
            )  # fmt: skip


async def _items(connector: Running) -> dict[str, int]:
    """Items committed, per entity; 0 for one whose work partition is not owned yet. A full page publishes all but its last marker."""
    return {entity.name: 0 for entity in POLLED} | {entity: int(row["items"]) for entity, row in (await connector.rows()).items()}


async def main(bootstrap: str) -> None:
    """Print the table."""
    async with serving_histories(ENDLESS) as server:
        curves = [await catch_up(bootstrap, server.url, size, pages) for size, pages in PAGES.items()]
    header = ("page size", "peak RSS", "first third", "last third", "peak PSS", "pages per entity, at least", "items", "seconds")
    rows = [
        (f"{curve.page_size:,}", _mb(curve.peak), _mb(curve.first), _mb(curve.last), _mb(curve.pss),
         curve.pages, f"{curve.items:,}", f"{curve.seconds:.0f}")
        for curve in curves
    ]  # fmt: skip
    table(f"Memory of `run` and its child: {len(POLLED)} entities catch up at once", header, rows)


def _mb(size: int) -> str:
    return f"{size / 1e6:.0f} MB"
