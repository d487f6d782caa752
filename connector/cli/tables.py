"""Tables that several verbs show."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from connector.messages.position import State
from connector.messages.status import UNKNOWN_SINCE

Rows = Mapping[tuple[str, str], Mapping[str, Any]]
COLOURS = {
    State.RUNNING: "green",
    State.PAUSED: "yellow",
    State.UNREACHABLE: "yellow",
    State.UNAVAILABLE: "yellow",
    State.HEAD_DOUBTED: "yellow",
    State.FAILED: "red",
    State.TOPIC_LOST: "red",
    State.HEAD_REGRESSED: "red",
    State.STUCK: "red",
    "silent": "red",
    "unowned": "red",
}
"""A state that is over by itself, or that somebody wanted, is yellow; one that somebody must end is red."""

UNBOUNDED_COLUMNS = 10_000
"""Columns of a terminal on which everything has room."""

NAMED_MAX = 4
"""Entities that a remark names."""


class Column(NamedTuple):
    """A column of the table of entities. `given_up` where there is no room, the highest first; 0: never."""

    title: str
    justify: str
    cell: Callable[[tuple[str, str], Mapping[str, Any]], str]
    given_up: int = 0


COLUMNS = (
    Column("administration", "left", lambda key, _: key[0]),
    Column("entity", "left", lambda key, _: key[1]),
    Column("head", "right", lambda _, row: _shown(row.get("head")), 3),
    Column("position", "right", lambda _, row: _shown(row.get("position")), 2),
    Column("backlog", "right", lambda _, row: _shown(row.get("backlog"))),
    Column("age", "right", lambda _, row: _age(row.get("age")), 1),
    Column("rate/s", "right", lambda _, row: _shown(row.get("rate")), 4),
    Column("state", "left", lambda _, row: str(row.get("state", "unknown"))),
    Column("owner", "left", lambda _, row: str(row.get("owner", "")), 5),
)


class Report:
    """The entities in one table; where there is no room, one for each administration, with what is to be said below it."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        """See rich's console protocol."""
        whole = shards_table(self._rows)
        if console.measure(whole, options=options.update(max_width=UNBOUNDED_COLUMNS)).maximum <= options.max_width:
            yield whole
            return
        for administration in dict.fromkeys(name for name, _ in self._rows):
            rows = {key: row for key, row in self._rows.items() if key[0] == administration}
            yield Text(administration, style="bold")
            yield _table(rows, _fitting(rows, options.max_width), _coloured)
            yield from _remarks(rows)


def shards_report(rows: Rows) -> Report:
    """A row per entity, as wide as there is room: on 60 columns too."""
    return Report(rows)


def shards_table(rows: Rows) -> Table:
    """A row per entity: head, position, backlog, age, rate, state with what is to be said of it, owner."""
    return _table(rows, COLUMNS, _state)


def _table(rows: Rows, columns: Sequence[Column], state: Callable[[Mapping[str, Any]], str]) -> Table:
    table = Table(header_style="bold")
    for column in columns:
        table.add_column(column.title, justify=column.justify, overflow="fold")  # type: ignore[arg-type]
    for key, row in rows.items():
        table.add_row(*(state(row) if column.title == "state" else escape(column.cell(key, row)) for column in columns))
    return table


def _fitting(rows: Rows, width: int) -> list[Column]:
    columns = [column for column in COLUMNS if column.title != "administration"]
    for victim in sorted(columns, key=lambda column: -column.given_up):
        if victim.given_up and _width(rows, columns) > width:
            columns.remove(victim)
    return columns


def _width(rows: Rows, columns: Sequence[Column]) -> int:
    """The width of a table with these columns: each cell has a blank on both sides, and a line."""
    cells = ([column.title, *(column.cell(key, row) for key, row in rows.items())] for column in columns)
    return sum(max(map(cell_len, texts)) + 3 for texts in cells) + 1


def _remarks(rows: Rows) -> Iterator[Text]:
    """What is to be said of several entities is said once."""
    groups: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for (_, entity), row in rows.items():
        if remark := _remark(row):
            groups[str(row.get("state")), remark].append(entity)
    for (state, remark), entities in groups.items():
        more = f" and {len(entities) - NAMED_MAX} more" if len(entities) > NAMED_MAX else ""
        yield Text(f"{state}: {', '.join(entities[:NAMED_MAX])}{more}: {remark}")


def commands_table(rows: Rows) -> Table:
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


def _shown(value: object) -> str:
    return "–" if value is None else str(value)


def _age(seconds: float | None) -> str:
    return "–" if seconds is None else f"{seconds:.1f} s"


def _coloured(row: Mapping[str, Any]) -> str:
    state = str(row.get("state", "unknown"))
    return f"[{COLOURS.get(state, 'red')}]{escape(state)}[/]"


def _state(row: Mapping[str, Any]) -> str:
    remark = _remark(row)
    return f"{_coloured(row)} [dim]{escape(remark)}[/]" if remark else _coloured(row)


def _remark(row: Mapping[str, Any]) -> str:
    """Why it is so, and since when nothing is known of the backlog."""
    since = row.get(UNKNOWN_SINCE)
    return "; ".join(filter(None, [str(row.get("reason") or ""), f"head unknown since {since}" if since else ""]))
