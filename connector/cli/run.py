"""`run`: the connector itself."""

import asyncio
import sys
from typing import Annotated

import typer
from rich.console import Console, Group
from rich.live import Live

from connector.cli.options import ConfigFile
from connector.cli.tables import commands_table, shards_report
from connector.cli.terminal import until_signalled
from connector.config.load import Config, load
from connector.errors import Misconfigured
from connector.ops import log
from connector.ops.status import WorkerStatus
from connector.ops.stream import log_stream
from connector.wiring import ROLES, Worker
from connector.wiring import run as run_worker


def run(
    config: ConfigFile = None,
    roles: Annotated[str, typer.Option(help=f"Parts to run, comma-separated, of: {', '.join(ROLES)}.")] = ",".join(ROLES),
    adopt: Annotated[bool, typer.Option("--adopt", help="Take over what another deployment wrote.")] = False,
) -> None:
    """Read every change of the POS into Kafka, and carry order commands out there.

    Start it on as many machines as you like: Kafka spreads the work.
    """
    chosen = [role.strip() for role in roles.split(",")]
    if unknown := [role for role in chosen if role not in ROLES]:
        raise Misconfigured(f"--roles: {', '.join(unknown)}: not one of {', '.join(ROLES)}")
    settings = load(config)
    log.configure(settings.connector.log_format, settings.connector.log_level)
    until_signalled(_run(settings, chosen, adopt))


async def _run(config: Config, roles: list[str], adopt: bool) -> None:
    started: asyncio.Future[Worker] = asyncio.get_running_loop().create_future()
    announcing = asyncio.create_task(_announce(started))
    try:
        await run_worker(config, roles=roles, adopt=adopt, started=started)
    finally:
        announcing.cancel()


async def _announce(started: "asyncio.Future[Worker]") -> None:
    """Say where health is served; on a terminal keep a summary in sight."""
    worker = await started
    log_stream().write(f"health, metrics, status on port {worker.port}\n")
    if sys.stderr is None or not sys.stderr.isatty():
        return
    with Live(console=Console(stderr=True), refresh_per_second=2, transient=True) as live:
        while True:
            live.update(summary(worker.status))
            await asyncio.sleep(0.5)


def summary(board: WorkerStatus) -> Group:
    """What this worker does: its entities, and the order commands since there were any."""
    shards, commands = board.rows(), board.commands
    tables = [shards_report(shards)] if shards or not commands else []
    return Group(*tables, *([commands_table(commands)] if commands else []))
