"""Options that the order verbs share."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

AdministrationName = Annotated[
    str | None, typer.Option("--administration", help="Which one, where several are configured.", show_default=False)
]
File = Annotated[
    Path | None,
    typer.Option("--file", help="A whole command or order as JSON; -: standard input. Flags add to it.", show_default=False),
]
ExtOrderId = Annotated[str | None, typer.Option("--ext-order-id", help="The order's extOrderId.", show_default=False)]
OrderId = Annotated[
    str | None,
    typer.Option("--order-id", help="The order's orderId: with --ext-order-id, unless it has none.", show_default=False),
]
Payments = Annotated[list[str] | None, typer.Option("--pay", metavar="METHOD:CENTS", help="A payment; repeatable.")]
CommandId = Annotated[
    str | None, typer.Option("--command-id", help="Default: a new one. The same again asks for the result again.")
]
ExpiresAt = Annotated[
    str | None, typer.Option("--expires-at", metavar="TIME", help="RFC 3339: after it, it is rejected if it was not sent yet.")
]
Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the result.")]
Timeout = Annotated[float, typer.Option(min=0.1, help="Seconds to wait.")]


@dataclass(frozen=True, slots=True)
class Common:
    """What every command takes besides what it is about."""

    config: Path | None
    administration: str | None
    wait: bool
    timeout: float
    as_json: bool


@dataclass(frozen=True, slots=True)
class Flag:
    """What an option says: where in the command it goes, its text or texts, and how a text becomes a value (or ValueError)."""

    option: str
    path: tuple[str, ...]
    value: str | bool | Sequence[str] | None
    parse: Callable[[str], Any] = str
