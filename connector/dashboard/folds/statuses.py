"""The entities' rows, and how their rate and backlog went, from status records. Pure.

A row's age is counted from when its record came here: the worker's clock may be wrong, and is only compared.
"""

from collections import defaultdict, deque
from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from connector.dashboard.parts import TEXT_CHARS_MAX, PageParts, exact, text, whole
from connector.messages.status import KINDS, UNKNOWN_SINCE, WRITER, read

STEP_S = 10
"""Seconds per point of a chart."""
POINTS = 60
FIELDS = tuple(name for name in (*KINDS, *WRITER) if name not in (UNKNOWN_SINCE, "at"))
Point = tuple[int, float, int | None]
"""Step, rate, backlog; None where it is not known."""
OWNERS_MAX = 1000
"""Workers whose clocks are remembered: each start of one is another."""
REPORTS = 20
"""Reports of a worker by which its clock is judged."""


class Arrival(NamedTuple):
    """When a record came, by the clock of this process (epoch seconds); not `live`: it lay in Kafka, since `written`."""

    now: float
    written: float
    live: bool = True

    @property
    def moment(self) -> float:
        """Since when it is known."""
        return self.now if self.live else min(self.now, self.written)


class Statuses:
    """Parts `row/{administration}/{entity}` and `trend/…`; an entity that nobody reports is `unowned`."""

    def __init__(self, shown: PageParts, administrations: Iterable[str], entities: Iterable[str]) -> None:
        self._shown = shown
        self._entities = list(entities)
        self._points: dict[str, deque[Point]] = defaultdict(lambda: deque(maxlen=POINTS))
        self._ahead: dict[object, deque[float]] = defaultdict(lambda: deque(maxlen=REPORTS))
        for administration in administrations:
            for entity in self._entities:
                shown.put(f"row/{administration}/{entity}", {"state": "unowned", "reason": "", "at": None})

    def take(self, administration: str, key: bytes | None, value: bytes | None, arrival: Arrival) -> None:
        """A record of the status topic; of entities that are not configured, none. Raises ValueError, KeyError, TypeError."""
        entity = (key or b"").decode()
        if value is None or entity not in self._entities:
            return
        told = read(value)
        if told is None:
            raise ValueError("no status record")
        row, where, at = told.row, f"{administration}/{entity}", arrival.moment
        since, backlog = row[UNKNOWN_SINCE], row["backlog"]
        point = (int(at // STEP_S), float(row["rate"] or 0), None if backlog is None else whole(backlog))
        ahead = self._clock_of(row.get("owner"), told.at.timestamp(), arrival)
        unknown = None if since is None else _epoch(since) - (ahead or 0)
        times = {"at": at, "writtenAt": told.at.timestamp(), "ahead": ahead, UNKNOWN_SINCE: unknown}
        self._shown.put(f"row/{where}", {**{name: _shown(row.get(name)) for name in FIELDS}, **times})
        self._drawn(where, point)

    def _clock_of(self, owner: object, told: float, arrival: Arrival) -> float | None:
        """Whole seconds that the worker's clock is ahead of ours; None where it has not reported since we listen.

        A report that was long on its way makes the clock seem behind: of the last ones, the quickest is right.
        """
        if arrival.live:
            self._ahead[text(owner)].append(told - arrival.now)
            if len(self._ahead) > OWNERS_MAX:
                del self._ahead[next(iter(self._ahead))]
        return round(max(self._ahead[text(owner)])) if self._ahead[text(owner)] else None

    def _drawn(self, where: str, point: Point) -> None:
        """One point a step: the last that was reported in it."""
        points = self._points[where]
        if points and points[-1][0] >= point[0]:
            points[-1] = point
            return
        points.append(point)
        self._shown.put(f"trend/{where}", _trend(points))


def _epoch(written: str) -> float:
    return datetime.fromisoformat(written).timestamp()


def _shown(value: object) -> object:
    return exact(value) if value is None or isinstance(value, int | float) else text(value, TEXT_CHARS_MAX)


def _trend(points: Iterable[Point]) -> dict[str, Any]:
    """The steps up to the last one, with null where nothing was reported."""
    known = {step: (rate, backlog) for step, rate, backlog in points}
    last = max(known)
    steps = range(max(min(known), last - POINTS + 1), last + 1)
    return {
        "until": (last + 1) * STEP_S,
        "rate": [known[step][0] if step in known else None for step in steps],
        "backlog": [known[step][1] if step in known else None for step in steps],
    }
