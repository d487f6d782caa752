"""What the demo shows while it runs: changes on their way to Kafka, orders on their way to the POS. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from connector.demo.orders import order_of, tally
from connector.demo.webshop import Said

STATES = {
    "commanded": "dim",
    "created": "cyan",
    "deposit": "cyan",
    "delivered": "blue",
    "invoiced": "blue",
    "paid": "green",
    "cancelled": "yellow",
    "rejected": "red",
    "unknown": "red",
}
"""Steps of a journey, in their order, and how each is drawn."""

COMPLETE = ("paid", "cancelled", "rejected")
"""States in which an order stays."""

SAID = {
    "create": "orders",
    "deposit": "pays a deposit",
    "rest": "pays the rest",
    "short": "pays a cent too little",
    "update": "changes the order",
    "deliver": "gets it delivered",
    "cancel": "cancels",
    "again": "orders the same again",
    "stranger": "orders, unknown to the shop",
}
"""What a customer does, by the step's word."""

LATEST = 6
"""Steps shown at most, the newest last."""

REST_LINES = 22
"""Lines that all else needs."""

LONGEST_NAME = len("deliverOrder")
WIDE_COLUMNS = 120
"""Columns from which all of it fits side by side."""

COLUMNS = {"sent": "sent", "succeeded": "succeeded", "rejected": "rejected", "repeated": "repeated"}
SHORT = {"sent": "sent", "succeeded": "yes", "rejected": "no", "flight": "open"}
"""Figures of a command, and what they are called where there is room, and where there is none."""


@dataclass(frozen=True, slots=True)
class View:
    """What is known at a moment: the entities as `/status` has them, what was commanded, the journey's state by order."""

    entities: Mapping[str, Mapping[str, Any]]
    said: Sequence[Said]
    journeys: Mapping[str, str]


def line(view: View) -> str:
    """All of it in a line, where there is no terminal."""
    rows, total = view.entities.values(), _total(view.said)
    return (
        f"{sum(row['backlog'] == 0 for row in rows)} of {len(rows)} entities at their head, "
        f"{sum(row['items'] for row in rows)} changes in Kafka; {total['sent']} commands: {total['succeeded']} succeeded, "
        f"{total['rejected']} rejected, {total['repeated']} repeated, {total['flight']} in flight; "
        f"{_complete(view)} of {len(_orders(view.said))} journeys complete"
    )


def screen(view: View, width: int, height: int) -> RenderableType:
    """Two tables side by side, on a terminal of so many columns and lines."""
    wide = width >= WIDE_COLUMNS
    columns = COLUMNS | {"flight": "in flight"} if wide else SHORT
    latest = _latest(view.said, min(LATEST, height - REST_LINES))
    grid = Table.grid(padding=(0, 4 if wide else 0))
    grid.add_row(
        _entities(view.entities, age=wide), Group(commands(view.said, "Kafka → POS", columns), "", _journeys(view), "", latest)
    )
    return Group(grid, Text("Ctrl-C ends the demo: it then compares both sides", style="dim"))


def _entities(rows: Mapping[str, Mapping[str, Any]], *, age: bool) -> Table:
    table = figures("POS → Kafka", "entity", "changes", "behind", *(["age"] if age else []))
    for entity, row in rows.items():
        behind = Text("–" if row["backlog"] is None else str(row["backlog"]), "green" if row["backlog"] == 0 else "yellow")
        table.add_row(entity, str(row["items"]), behind, *([f"{row['age']:.1f} s"] if age else []))
    return table


def commands(said: Sequence[Said], title: str, columns: Mapping[str, str]) -> Table:
    """A row per command, with the figures of `orders.tally` that are named."""
    table = figures(title, "command", *columns.values())
    table.columns[0].min_width = LONGEST_NAME
    for command, row in tally(said).items():
        table.add_row(command, *(str(row[name]) for name in columns))
    return table


def _journeys(view: View) -> Table:
    orders = _orders(view.said)
    table = Table.grid(padding=(0, 1))
    table.add_column(min_width=10)
    table.add_column(justify="right", min_width=3)
    table.add_row(Text("journeys", style="bold"), str(len(orders)), Text(f"{_complete(view)} complete", style="dim"))
    counts = Counter(view.journeys[order] for order in orders if order in view.journeys)
    for state, style in STATES.items():
        if counts[state]:
            table.add_row(state, str(counts[state]), Text("█" * min(counts[state], 30), style=style))
    return table


def _latest(said: Sequence[Said], most: int) -> RenderableType:
    table = Table.grid(padding=(0, 1))
    table.add_column(no_wrap=True, min_width=len("web-1001"))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    for each in [row for row in said if row.results][-most:] if most > 0 else []:
        result = each.results[0]
        told = "[green]✔[/]" if result.succeeded else f"[yellow]✘ {escape(_short(result.reason))}[/]"
        copies = " [dim]sent twice, done once[/]" if each.sent > 1 else ""
        table.add_row(f"[dim]{order_of(each)}[/]", SAID[each.step.word], f"{told}{copies}")
    return table


def _short(reason: str | None) -> str:
    return (reason or "").partition("-RESULT-")[2] or str(reason)


def figures(title: str, first: str, *others: str) -> Table:
    """A table of names and numbers."""
    table = Table(first, title=title, title_justify="left", title_style="bold", header_style="dim", box=box.SIMPLE_HEAD)
    for name in others:
        table.add_column(name, justify="right")
    return table


def _orders(said: Sequence[Said]) -> list[str]:
    return sorted({order_of(each) for each in said})


def _complete(view: View) -> int:
    return sum(view.journeys.get(order) in COMPLETE for order in _orders(view.said))


def _total(said: Sequence[Said]) -> Counter[str]:
    total: Counter[str] = Counter()
    for row in tally(said).values():
        total.update(row)
    return total
