"""Equal lines are summed up: what fails a thousand times a minute fails for one reason."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from connector.events import (
    CallRetried,
    CommandsHeldBack,
    DeadLettered,
    Event,
    MessageRefused,
    PartitionFailed,
    Rejoining,
    StateChanged,
    TransactionEnded,
)
from connector.ops.log import Line, line_of, write

EVERY = 60.0
"""Seconds after which they are summed up."""

LOOK = 1.0
"""Seconds between two looks for what is over: there may be thousands."""

FIRST = 5
"""Lines of a kind in that time that are written as they come."""

ALIKE: Mapping[type[Event], tuple[str, ...]] = {
    StateChanged: ("administration", "state", "reason"),
    DeadLettered: ("administration", "entity", "stage"),
    CallRetried: ("administration",),
    TransactionEnded: ("topic",),
    PartitionFailed: ("topic", "partition"),
    CommandsHeldBack: ("administration", "partition"),
    Rejoining: ("group",),
    MessageRefused: ("administration", "stage"),
}
"""What makes two lines of a kind equal. Others are written as they come: each matters by itself."""


@dataclass(slots=True)
class _Flood:
    line: Line
    since: float
    count: int = 0


class FloodLog:
    """Listens to events, and writes their lines: of equal ones the first few, and then how many more there were."""

    def __init__(self, now: Callable[[], float]) -> None:
        """`now`: monotonic seconds."""
        self._now = now
        self._floods: dict[tuple[object, ...], _Flood] = {}
        self._due = 0.0

    def __call__(self, event: Event) -> None:
        """Take an event in. Any event also brings out what is due."""
        if self._floods and self._now() >= self._due:
            self._sum_up()
        if (line := line_of(event)) is not None and self._first(event, line):
            level, text, fields = line
            write(level, text, **fields)

    def _first(self, event: Event, line: Line) -> bool:
        names = ALIKE.get(type(event))
        if names is None:
            return True
        key = (type(event), *(getattr(event, name) for name in names))
        flood = self._floods.setdefault(key, _Flood(line, self._now()))
        flood.line = line
        flood.count += 1
        return flood.count <= FIRST

    def _sum_up(self) -> None:
        now = self._now()
        self._due = now + LOOK
        over = [key for key, flood in self._floods.items() if now - flood.since >= EVERY]
        for flood in [self._floods.pop(key) for key in over]:
            if (more := flood.count - FIRST) > 0:
                level, text, fields = flood.line
                write(level, text, **fields, more=more, within=EVERY)
