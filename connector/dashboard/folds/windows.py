"""Changes, commands and revenue of the last hour and of today, from the rows that `views` publishes. Pure."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import orjson

from connector.dashboard.parts import PageParts, text, whole
from connector.messages.window import Window

MINUTE_S, HOUR_S = 60, 3600
MINUTES, HOURS = 60, 24
"""How many of each are shown."""
KEPT = {MINUTE_S: MINUTES * MINUTE_S, HOUR_S: HOURS * HOUR_S}

ALL = -1
"""The partition of a window that is summed over all of them."""

Day = Callable[[float], tuple[float, float]]
"""When the day that holds a moment began and when the next one does, all in epoch seconds."""


def day_in(zone: str) -> Day:
    """Days from midnight to midnight in this time zone: of 23 or 25 hours where the clocks change."""
    there = ZoneInfo(zone)

    def day(now: float) -> tuple[float, float]:
        today = datetime.fromtimestamp(now, there).date()
        begin, end = (datetime.combine(date, time(), there) for date in (today, today + timedelta(days=1)))
        return begin.timestamp(), end.timestamp()

    return day


@dataclass(frozen=True, slots=True)
class Sum:
    """How many, and cents."""

    count: int = 0
    amount: int = 0


class Table:
    """Windows, summed over partitions as rows come: there are thousands, and they are shown every second."""

    def __init__(self) -> None:
        self.totals: dict[Window, Sum] = {}
        self._rows: dict[Window, dict[int, Sum]] = defaultdict(dict)
        self._told = False
        self._minute = 0

    def put(self, window: Window, told: Sum) -> None:
        """A partition's row takes its former one's place."""
        partition, window = window.partition, window._replace(partition=ALL)
        before, total = self._rows[window].get(partition, Sum()), self.totals.get(window, Sum())
        self._rows[window][partition] = told
        self.totals[window] = Sum(total.count - before.count + told.count, total.amount - before.amount + told.amount)
        self._told = True

    def changed(self, minute: int) -> bool:
        """Whether there is anything else to show than when this was asked last."""
        changed = bool(self.totals) and (self._told or minute != self._minute)
        self._told, self._minute = False, minute
        return changed

    def forget(self, now: float) -> None:
        """Leave out what is too old to be shown."""
        for window in [row for row in self.totals if row.start + row.size <= now - KEPT.get(row.size, 0)]:
            del self.totals[window], self._rows[window]


class Windows:
    """Parts `today/{administration}`. `day` says from when to when today is."""

    def __init__(self, shown: PageParts, administrations: Iterable[str], day: Day) -> None:
        self._shown = shown
        self._day = day
        self._tables = {name: Table() for name in administrations}

    def take(self, administration: str, key: bytes | None, value: bytes | None) -> None:
        """A row as it is now; a tombstone ends it. Raises ValueError, KeyError, TypeError."""
        window = Window.of(key or b"")
        row = {"count": 0} if value is None else orjson.loads(value)
        told = Sum(whole(row["count"]), whole(row.get("amount") or 0))
        self._tables[administration].put(window._replace(measure=text(window.measure)), told)

    def tick(self, now: float) -> None:
        """Show the windows up to now (epoch seconds), and forget what is too old."""
        for name, table in self._tables.items():
            if table.changed(int(now // MINUTE_S)):
                table.forget(now)
                self._shown.put(f"today/{name}", self._shown_of(table.totals, now))

    def _shown_of(self, totals: Mapping[Window, Sum], now: float) -> dict[str, Any]:
        since, until = self._day(now)
        today = {window: total for window, total in totals.items() if window.size == HOUR_S and since <= window.start < until}
        return {
            "since": since,
            "minutes": _series(totals, MINUTE_S, MINUTES, now),
            "hours": _series(totals, HOUR_S, HOURS, now),
            "changes": _by_measure(today, "changes."),
            "commands": _by_measure(today, "commands."),
            "revenue": {name: _revenue(today, name) for name in ("ordered", "invoiced")},
            "aside": _by_measure(today, "aside."),
        }


def _total(sums: Iterable[Sum]) -> Sum:
    found = list(sums)
    return Sum(sum(row.count for row in found), sum(row.amount for row in found))


def _series(totals: Mapping[Window, Sum], size: int, points: int, now: float) -> dict[str, Any]:
    """Changes of all entities in each of the last windows; the last of them is not over yet."""
    last = int(now // size) * size
    counts = dict.fromkeys(range(last - (points - 1) * size, last + size, size), 0)
    for window, total in totals.items():
        if window.size == size and window.measure.startswith("changes.") and window.start in counts:
            counts[window.start] += total.count
    return {"until": last + size, "changes": list(counts.values())}


def _by_measure(totals: Mapping[Window, Sum], prefix: str) -> dict[str, int]:
    found: dict[str, int] = defaultdict(int)
    for window, total in totals.items():
        if window.measure.startswith(prefix):
            found[window.measure.removeprefix(prefix)] += total.count
    return dict(sorted(found.items()))


def _revenue(totals: Mapping[Window, Sum], name: str) -> dict[str, int]:
    rows = [total for window, total in totals.items() if window.measure == f"revenue.{name}"]
    return asdict(_total(rows))
