"""Sending a command and showing its result."""

import asyncio
import json
import sys
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
import typer
from rich.console import Console

from connector.cli.options import chosen
from connector.cli.orders.drafts import draft
from connector.cli.orders.options import Common, Flag
from connector.cli.terminal import progress, until_signalled
from connector.client import OrderCommands, Result
from connector.client.drafts import order_key
from connector.config.load import Config, load
from connector.errors import Misconfigured, Unanswered
from connector.kafka.configured import cluster_of
from connector.messages.command import Invalid, read
from connector.messages.topics import Topics

SHOWN = ("reason", "message", "orderId", "extOrderId", "invoiceId", "packingSlipId", "syncMarker", "attempts", "at")
UNKNOWN = "look at the order (`order find`, `order get`), then send the dead letter again: `dead-letters redrive`"


def send(verb: str, file: Path | None, flags: Sequence[Flag], common: Common) -> None:
    """Send what the flags and the file say. Exit code 0 succeeded (or sent), 1 anything else. Raises Misconfigured."""
    command = draft(verb, file, flags)
    command = {"commandId": str(uuid.uuid4()), **command}
    key = order_key(command)
    judged = read(key.encode(errors="surrogatepass"), json.dumps(command).encode())  # takes what orjson does not, to say it
    if isinstance(judged, Invalid):
        raise Misconfigured(*judged.problem.split("; "))
    config = load(common.config)
    administration = chosen(config, common.administration).administration
    until_signalled(_send(config, administration, command, common))


async def _send(config: Config, administration: str, command: Mapping[str, Any], common: Common) -> None:
    name, command_id = command["command"], command["commandId"]
    async with OrderCommands(cluster_of(config.kafka), administration) as commands:
        await commands.submit(command, timeout=common.timeout)
        if not common.wait:
            _sent(administration, command, common.as_json)
            return
        with progress(f"sent {name} {command_id}, waiting for its result"):
            result = await _result(commands, command_id, common.timeout)
    show(result, as_json=common.as_json)
    if not result.succeeded:
        raise typer.Exit(1)


async def _result(commands: OrderCommands, command_id: str, timeout: float) -> Result:
    again = f"it stands and will be carried out, so send it again with --command-id {command_id} to wait again (it runs once)"
    try:
        return await commands.result(command_id, timeout=timeout)
    except Unanswered as error:
        raise Unanswered(f"no result of command {command_id} after {timeout:g} s: {again}") from error
    except asyncio.CancelledError as error:  # Ctrl-C: nothing is undone by it
        raise Unanswered(f"no longer waiting for command {command_id}: {again}") from error


def _sent(administration: str, command: Mapping[str, Any], as_json: bool) -> None:
    row = {"commandId": command["commandId"], "command": command["command"], "key": order_key(command)}
    if as_json:
        typer.echo(orjson.dumps(row).decode())
    else:
        typer.echo(f"sent {row['command']} {row['commandId']}: its result will come on {Topics(administration).results}")


def show(result: Result, *, as_json: bool) -> None:
    """On stdout: JSON as published, or a line per field."""
    if as_json:
        typer.echo(orjson.dumps(dict(result.published)).decode())
        return
    row = {**result.published, "reconciled": result.reconciled or None, "duplicate": result.duplicate or None}
    lines = [("commandId", result.command_id), *((name, row.get(name)) for name in (*SHOWN, "reconciled", "duplicate"))]
    if result.outcome == "unknown":
        lines.append(("next", UNKNOWN))
    console = Console(soft_wrap=True, highlight=False)
    console.print(f"{result.command} {result.outcome}", style=None if not sys.stdout.isatty() else _style(result), markup=False)
    for name, value in lines:
        if value not in (None, ""):
            console.print(f"  {name:<14} {_text(value)}", markup=False)


def _style(result: Result) -> str:
    return "green" if result.succeeded else "red"


def _text(value: object) -> str:
    return "yes" if value is True else " ".join(str(value).split())
