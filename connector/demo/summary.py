"""The demo's last words: what was compared, and whether all of it agrees. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from connector.demo.compare import Comparison
from connector.demo.screen import COLUMNS, commands, figures
from connector.demo.webshop import Said


@dataclass(frozen=True, slots=True)
class Findings:
    """Both sides compared. `orders`: how many the POS shows. `problems`: a line for each thing that does not agree."""

    entities: Sequence[Comparison]
    said: Sequence[Said]
    states: Mapping[str, str]
    orders: int
    problems: Sequence[str]


def tell(console: Console, found: Findings) -> bool:
    """Print it; whether all is well."""
    console.print(_entities(found.entities))
    console.print(commands(found.said, "order commands, and what became of them", COLUMNS | {"flight": "no result"}))
    for problem in found.problems:
        console.print(f"not right: {problem}", style="bold red", markup=False, highlight=False, soft_wrap=True)
    if found.problems:
        return False
    events, sent = sum(row.events for row in found.entities), len(found.said)
    console.print(f"[bold green]{events} events, nothing lost, nothing twice.[/]")
    console.print(f"[bold green]{sent} commands: each has its result, each was done once. {len(found.states)} journeys agree.[/]")
    console.print(f"[bold green]{found.orders} orders, the till's too: states, amounts, documents and revenue agree.[/]")
    return True


def _entities(comparisons: Sequence[Comparison]) -> Table:
    table = figures("identity → sync marker, at the POS and in Kafka", "entity", "events", "at the POS", "in the topic")
    table.add_column("equal")
    for row in comparisons:
        counts = (str(number) for number in (row.events, row.at_source, row.in_topic))
        table.add_row(row.entity, *counts, "[green]yes[/]" if row.complete else "[red]no[/]")
    return table
