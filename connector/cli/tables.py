"""Tables that several verbs show."""

from collections.abc import Mapping
from typing import Any

from rich.markup import escape
from rich.table import Table

COLOURS = {"running": "green", "paused": "yellow", "unreachable": "yellow", "unavailable": "yellow"}


def shards_table(rows: Mapping[tuple[str, str], Mapping[str, Any]]) -> Table:
    """A row per entity: head, position, backlog, age, rate, state, owner."""
    table = Table("administration", "entity", header_style="bold")
    for name in ("head", "position", "backlog", "age", "rate/s"):
        table.add_column(name, justify="right")
    table.add_column("state")
    table.add_column("owner")
    for (administration, entity), row in rows.items():
        table.add_row(administration, entity, *_numbers(row), _state(row), escape(str(row.get("owner", ""))))
    return table


def commands_table(rows: Mapping[tuple[str, str], Mapping[str, Any]]) -> Table:
    """A row per order command: in flight, waiting, and how those before ended."""
    names = {
        "inFlight": "in flight",
        "waiting": "waiting",
        "succeeded": "succeeded",
        "rejected": "rejected",
        "unknown": "unknown",
    }
    table = Table("administration", "command", header_style="bold")
    for title in names.values():
        table.add_column(title, justify="right")
    for (administration, command), row in rows.items():
        table.add_row(administration, command, *(str(row[name]) for name in names))
    return table


def _numbers(row: Mapping[str, Any]) -> list[str]:
    return [
        _shown(row.get("head")),
        _shown(row.get("position")),
        _shown(row.get("backlog")),
        _age(row.get("age")),
        _shown(row.get("rate")),
    ]


def _shown(value: object) -> str:
    return "–" if value is None else str(value)


def _age(seconds: float | None) -> str:
    return "–" if seconds is None else f"{seconds:.1f} s"


def _state(row: Mapping[str, Any]) -> str:
    state = str(row.get("state", "unknown"))
    text = f"[{COLOURS.get(state, 'red')}]{state}[/]"
    return f"{text} [dim]{escape(row['reason'])}[/]" if row.get("reason") else text
