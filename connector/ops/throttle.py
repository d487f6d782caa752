"""Equal lines are summed up: what fails a thousand times a minute fails for one reason."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass

from connector.ops.stream import Line, write

EVERY_S = 60.0
"""Seconds after which they are summed up."""

LOOK_S = 1.0
"""Seconds between two looks for what is over: there may be thousands."""

LINES_MAX = 5
"""Lines of a kind in that time that are written as they come."""

KINDS_MAX = 2000
"""Kinds told apart at a time: whatever invents a new one each time gets no more."""


@dataclass(slots=True)
class _Flood:
    line: Line
    since: float
    count: int = 0


class Throttle:
    """Writes lines: of equal ones the first few, and then how many more there were."""

    def __init__(self, now: Callable[[], float]) -> None:
        """`now`: monotonic seconds."""
        self._now = now
        self._floods: dict[Hashable, _Flood] = {}
        self._due = 0.0

    def write(self, kind: Hashable, line: Line) -> None:
        """Write a line of a kind, or count it."""
        if kind not in self._floods and len(self._floods) >= KINDS_MAX:
            kind = KINDS_MAX
        flood = self._floods.setdefault(kind, _Flood(line, self._now()))
        flood.line = line
        flood.count += 1
        if flood.count <= LINES_MAX:
            level, text, fields = line
            write(level, text, **fields)

    def sum_up(self) -> None:
        """Write what is due."""
        now = self._now()
        if not self._floods or now < self._due:
            return
        self._due = now + LOOK_S
        over = [kind for kind, flood in self._floods.items() if now - flood.since >= EVERY_S]
        for flood in [self._floods.pop(kind) for kind in over]:
            if (more := flood.count - LINES_MAX) > 0:
                level, text, fields = flood.line
                write(level, text, **fields, more=more, within=EVERY_S)
