"""`status`: a row per entity, for the whole fleet, from what its workers publish."""

import asyncio
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.live import Live

from connector.admin.status import rows
from connector.cli.options import ConfigFile, Json
from connector.cli.tables import shards_report
from connector.cli.terminal import put, put_table, until_signalled
from connector.config.load import Config, load
from connector.source.entities import named

Rows = Mapping[tuple[str, str], Mapping[str, Any]]


def status(
    config: ConfigFile = None,
    watch: Annotated[bool, typer.Option("--watch", help="Keep showing it.")] = False,
    as_json: Json = False,
) -> None:
    """Head, position, backlog, age, rate, state and owner of every entity."""
    settings = load(config)
    named(settings.connector.entities)
    until_signalled(_watch(settings, as_json) if watch else _once(settings, as_json))


async def _once(config: Config, as_json: bool) -> None:
    _show(await rows(config, datetime.now(UTC)), as_json)


async def _watch(config: Config, as_json: bool) -> None:
    if as_json or sys.stdout is None or not sys.stdout.isatty():
        while True:
            await _once(config, as_json)
            await asyncio.sleep(2)
    with Live(console=Console(), refresh_per_second=2) as live:
        while True:
            live.update(shards_report(await rows(config, datetime.now(UTC))))
            await asyncio.sleep(1)


def _show(table: Rows, as_json: bool) -> None:
    if not as_json:
        put_table(shards_report(table))
        return
    for (administration, entity), row in table.items():
        put(orjson.dumps({"administration": administration, "entity": entity, **row}).decode() + "\n")
