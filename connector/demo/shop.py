"""The demo's flow: a shop opens, its changes go to Kafka, and at the end both sides are compared."""

import asyncio
import contextlib
import signal
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table

from connector.cli.tables import shards_table
from connector.demo.compare import Comparison, compare
from connector.demo.worker import Worker, started
from connector.sandbox import Sandbox, SandboxOptions

ITEMS, CHANGES_PER_SECOND = 200, 20.0
SETTLE = 30.0
"""Seconds that the connector gets to read the last changes, once the shop has closed."""


async def show(bootstrap: str, log: Path, seconds: float | None, console: Console) -> int:
    """Open the shop for so many seconds (None: until Ctrl-C); 0 if everything arrived."""
    administration = f"demo-{uuid.uuid4().hex[:6]}"
    async with Sandbox(SandboxOptions(items=ITEMS, activity=CHANGES_PER_SECOND)) as pos:
        settings = _settings(pos, bootstrap, administration)
        async with started(settings, log) as worker:
            _announce(console, pos, bootstrap, worker, administration)
            await _open(console, worker, seconds)
            pos.activity.rate = 0
            await _settled(worker, pos.shop.heads())
        comparisons = [await compare(bootstrap, administration, entity, found) for entity, found in pos.truth().items()]
    console.print(_summary(comparisons))
    lost = [row.entity for row in comparisons if not row.complete]
    if lost:
        console.print(f"not complete: {', '.join(lost)}; the end of the connector's log:", style="bold red")
        console.print(_last_lines(log), markup=False)
        return 1
    console.print(f"[bold green]{sum(row.events for row in comparisons)} events, nothing lost, nothing twice.[/]")
    return 0


def _last_lines(log: Path) -> str:
    return "\n".join(log.read_text().splitlines()[-20:])


def _settings(pos: Sandbox, bootstrap: str, administration: str) -> dict[str, str]:
    return {
        "MPLUS_URL": pos.url,
        "MPLUS_IDENT": pos.ident,
        "MPLUS_SECRET": pos.secret,
        "MPLUS_ADMINISTRATION": administration,
        "KAFKA_BOOTSTRAP_SERVERS": bootstrap,
        "CONNECTOR_GROUP": administration,
        "CONNECTOR_POLL_INTERVAL": "0.5",
        "CONNECTOR_REQUESTS_PER_SECOND": "50",
        "CONNECTOR_HTTP_PORT": "0",
    }


def _announce(console: Console, pos: Sandbox, bootstrap: str, worker: Worker, administration: str) -> None:
    console.print(f"Kafka        {bootstrap}, topics {administration}.*", highlight=False)
    console.print(f"POS          {pos.url} (simulated, {CHANGES_PER_SECOND:.0f} changes per second)", highlight=False)
    console.print(f"connector    http://127.0.0.1:{worker.port}/status, /metrics, /health/ready", highlight=False)


async def _open(console: Console, worker: Worker, seconds: float | None) -> None:
    """Show what happens until the time is over, or Ctrl-C."""
    closing = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, closing.set)
    watching = asyncio.create_task(_watch(console, worker))
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await asyncio.wait([watching, asyncio.create_task(closing.wait())], return_when=asyncio.FIRST_COMPLETED)
    if watching.done():
        await watching  # the connector died: say so
    watching.cancel()


async def _watch(console: Console, worker: Worker) -> None:
    if not console.is_terminal:
        while True:
            rows = await worker.rows()
            at_head = sum(row["backlog"] == 0 for row in rows.values())
            console.print(
                f"{at_head} of {len(rows)} entities at their head, {sum(row['items'] for row in rows.values())} items read"
            )
            await asyncio.sleep(5)
    with Live(console=console, refresh_per_second=4) as live:
        while True:
            live.update(shards_table(await worker.rows()))
            await asyncio.sleep(0.25)


async def _settled(worker: Worker, heads: Mapping[str, int]) -> None:
    deadline = time.monotonic() + SETTLE
    while time.monotonic() < deadline:
        rows = await worker.rows()
        if all(_position(rows, entity) >= head for entity, head in heads.items()):
            return
        await asyncio.sleep(0.1)


def _position(rows: Mapping[tuple[str, str], Mapping[str, Any]], entity: str) -> int:
    return next((int(row["position"]) for (_, name), row in rows.items() if name == entity), -1)


def _summary(comparisons: list[Comparison]) -> Table:
    table = Table("entity", title="identity → marker, at the source and in the topic", header_style="bold")
    for name in ("events", "at the source", "in the topic"):
        table.add_column(name, justify="right")
    table.add_column("equal")
    for row in comparisons:
        table.add_row(
            row.entity, str(row.events), str(row.at_source), str(row.in_topic), "[green]yes[/]" if row.complete else "[red]no[/]"
        )
    return table
