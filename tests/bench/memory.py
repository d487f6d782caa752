"""Peak memory of `run` while all entities catch up at once on long histories, and whether it stays constant."""

import contextlib
from dataclasses import dataclass
from time import monotonic

import httpx

from tests.bench.histories import POLLED, serving_histories
from tests.bench.measure import Peak, pss_bytes, table
from tests.bench.running import Running, running, until

LONGEST = 90.0
"""Seconds of catching up after which a run ends nevertheless."""
ENDLESS = 1_000_000_000
"""The head of every history: pages follow for longer than the run takes."""


@dataclass(frozen=True)
class Story:
    """What a run goes through: every entity is at `head`, then ENDLESS items follow, of which `pages` pages are read."""

    name: str
    page_size: int
    pages: int
    head: int = 0


STORIES = (
    Story("empty topics", 1000, 10),
    Story("empty topics", 10_000, 3),
    Story("after an outage", 1000, 3, head=5),
    Story("after an outage", 10_000, 1, head=5),
)


@dataclass(frozen=True)
class Curve:
    """Memory over one run. Bytes; `first` and `last` are the peaks of the first and last third of the catching up."""

    pages: int
    items: int
    seconds: float
    peak: int
    first: int
    last: int
    pss: int


async def catch_up(bootstrap: str, url: str, story: Story) -> Curve:
    """Start `run` and end it when every entity has committed the pages, or at LONGEST."""
    names = ",".join(entity.name for entity in POLLED)
    await _move_head(url, story.head)
    async with (
        running(bootstrap, url, entities=names, page_size=story.page_size, poll_interval=0.2) as connector,
        Peak(connector.pid) as resident,
        Peak(connector.pid, 0.5, pss_bytes) as proportional,
    ):
        await until(lambda: _all_have(connector, story.head))
        await _move_head(url, ENDLESS)
        started, before = monotonic(), len(resident.seen)
        # A full page publishes all but its last marker, which the next page asks again.
        with contextlib.suppress(TimeoutError):
            await until(lambda: _all_have(connector, story.head + story.pages * (story.page_size - 1)), within=LONGEST, every=0.1)
        items = await _items(connector)
        seen = resident.seen[before:]
        third = max(1, len(seen) // 3)
        return Curve(
            pages=(min(items) - story.head) // (story.page_size - 1),
            items=sum(items),
            seconds=monotonic() - started,
            peak=resident.peak,
            first=max(seen[:third]),
            last=max(seen[-third:]),
            pss=proportional.peak,
        )


async def _move_head(url: str, head: int) -> None:
    async with httpx.AsyncClient() as client:
        (await client.post(f"{url}head", content=str(head))).raise_for_status()


async def _items(connector: Running) -> list[int]:
    """Items committed, per entity; 0 for one whose work partition is not owned yet."""
    rows = await connector.rows()
    return [int(rows[entity.name]["items"]) if entity.name in rows else 0 for entity in POLLED]


async def _all_have(connector: Running, items: int) -> bool:
    return min(await _items(connector)) >= items and len(await connector.rows()) == len(POLLED)


async def main(bootstrap: str) -> None:
    """Print the table."""
    async with serving_histories(ENDLESS) as server:
        curves = [(story, await catch_up(bootstrap, server.url, story)) for story in STORIES]
    header = (
        "catching up",
        "page size",
        "peak RSS",
        "first third",
        "last third",
        "peak PSS",
        "pages of each",
        "items",
        "seconds",
    )
    rows = [_row(story, curve) for story, curve in curves]
    table(f"Memory of `run` and its child: {len(POLLED)} entities catch up at once", header, rows)


def _row(story: Story, curve: Curve) -> tuple[str, ...]:
    memory = [f"{size / 1e6:.0f} MB" for size in (curve.peak, curve.first, curve.last, curve.pss)]
    return story.name, f"{story.page_size:,}", *memory, f"≥ {curve.pages}", f"{curve.items:,}", f"{curve.seconds:.0f}"
