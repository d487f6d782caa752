"""How old the dashboard's numbers are in a browser, what showing them costs, and what finding orders needs."""

import asyncio
import time
import tracemalloc
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from shutil import which
from statistics import median, quantiles
from tempfile import TemporaryDirectory

from playwright.async_api import Page, expect

from connector.dashboard.folds.journeys import Index, RecordLocation
from connector.demo.worker import started
from connector.sandbox import Sandbox, SandboxOptions
from connector.source.entities import ENTITIES
from tests.bench.histories import POLLED
from tests.bench.measure import cpu_seconds, table
from tests.support.connectors import settings
from tests.support.kafka.topics import create_topic
from tests.support.views.browsing import EXECUTABLE, chromium
from tests.support.views.viewing import configuration, served, writing

CHANGES, ITEMS = 50.0, 50
"""Changes per second in the shop, and its items of each entity."""
SECONDS, EVERY = 60.0, 0.25
MANY = 20
"""Administrations of the large fleet."""
ORDERS = 100_000

AGES = "[...document.querySelectorAll('tr[data-at]')].map(row => Date.now() / 1000 - Number(row.dataset.at))"


async def main(bootstrap: str) -> None:
    """Print both tables. Needs Chromium."""
    if which(EXECUTABLE) is None:
        print(f"no {EXECUTABLE}: the page is left out")
        return
    ages, cpu = await _ages(bootstrap)
    figures = (f"{median(ages):.2f} s", f"{quantiles(ages, n=100)[98]:.2f} s", f"{max(ages):.2f} s", f"{cpu:.0%}", len(ages))
    head = ("entities", "changes/s", "p50 of a row's age", "p99", "oldest", "CPU of `views`", "rows looked at")
    table("The page: age of its data", head, [(len(POLLED), f"{CHANGES:.0f}", *figures)])
    busy, nodes = await _busy(bootstrap)
    row = (MANY * len(ENTITIES), f"{busy:.1%}", nodes, f"{ORDERS:,}", f"{_index() / 1e6:.0f} MB")
    header = ("rows", "browser's main thread at work", "nodes", "orders", "memory of the index")
    table("The page: a large fleet, and finding orders", header, [row])


@asynccontextmanager
async def _page(url: str, rows: int) -> AsyncIterator[Page]:
    """The page, once so many rows are reported."""
    async with chromium() as browser:
        page = await browser.new_page()
        await page.goto(url)
        await page.locator("details:not([open]) summary").evaluate_all("all => all.forEach(each => each.click())")
        await expect(page.locator("tr[data-at]")).to_have_count(rows, timeout=120_000)
        yield page


async def _ages(bootstrap: str) -> tuple[list[float], float]:
    """Ages of rows as a viewer sees them, and the share of a core that `views` took, all it does included."""
    name = f"bench-{uuid.uuid4().hex[:8]}"
    more = {"entities": ",".join(entity.name for entity in POLLED), "poll_interval": 1, "log_level": "warning"}
    async with Sandbox(SandboxOptions(items=ITEMS, activity=CHANGES)) as pos:
        environment = settings(pos, bootstrap, name, views_http_port=0, **more)
        with TemporaryDirectory() as directory:
            logs = Path(directory)
            async with (
                started(environment, logs / "run", "--roles", "source"),
                started(environment, logs / "views", verb="views") as views,
                _page(f"http://127.0.0.1:{views.port}/", len(POLLED)) as page,
            ):
                begun, used = time.monotonic(), cpu_seconds(views.process.pid)
                ages = await _sampled(page)
                return ages, (cpu_seconds(views.process.pid) - used) / (time.monotonic() - begun)


async def _sampled(page: Page) -> list[float]:
    ages: list[float] = []
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        ages += await page.evaluate(AGES)
        await asyncio.sleep(EVERY)
    return ages


async def _busy(bootstrap: str) -> tuple[float, int]:
    """The share of the browser's main thread that a large fleet takes, and how many nodes the page has."""
    names = [f"bench-{uuid.uuid4().hex[:8]}" for _ in range(MANY)]
    for name in names:
        await create_topic(bootstrap, f"{name}.connector-status")
    async with served(configuration(bootstrap, *names)) as url:
        reporting = [asyncio.create_task(_report(bootstrap, name)) for name in names]
        try:
            async with _page(url, MANY * len(ENTITIES)) as page:
                return await _measured(page)
        finally:
            for task in reporting:
                task.cancel()
            await asyncio.wait(reporting)


async def _report(bootstrap: str, name: str) -> None:
    async with writing(bootstrap, name, ()) as writer:
        count = 0
        while True:
            count += 1
            for entity in ENTITIES:
                await writer.status(entity.name, position=count, head=count + 3, backlog=3, rate=count % 7)
            await asyncio.sleep(2)


async def _measured(page: Page) -> tuple[float, int]:
    session = await page.context.new_cdp_session(page)
    await session.send("Performance.enable")

    async def metric(name: str) -> float:
        metrics = (await session.send("Performance.getMetrics"))["metrics"]
        return next(float(row["value"]) for row in metrics if row["name"] == name)

    begun, used = time.monotonic(), await metric("TaskDuration")
    await asyncio.sleep(SECONDS / 2)
    busy = (await metric("TaskDuration") - used) / (time.monotonic() - begun)
    return busy, int(await metric("Nodes"))


def _index() -> int:
    """Bytes for so many orders."""
    tracemalloc.start()
    try:
        index = Index()
        for number in range(ORDERS):
            index.put(f"web-{number}".encode(), str(uuid.UUID(int=number)), RecordLocation(number % 8, number))
        return tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
