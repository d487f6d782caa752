"""Series as Prometheus's client has them, moved by the events that their rows name."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, exposition

from connector.events.base import Event

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)

FIELDS = {"kind": "fault"}
"""Labels whose event's field has another name."""


@dataclass(frozen=True, slots=True)
class Series:
    """`event` moves it, or only such of them as `when` says. The labels are fields of the event."""

    name: str
    meaning: str
    labels: tuple[str, ...]
    event: type[Event] | None = None
    amount: str = ""
    when: Callable[[Any], object] = lambda _: True

    def values(self, event: Event) -> list[Any]:
        """The labels' values."""
        return [getattr(event, FIELDS.get(name, name)) for name in self.labels]


@dataclass(frozen=True, slots=True)
class Counted(Series):
    """A counter that grows by one, or by the event's field `amount`."""


@dataclass(frozen=True, slots=True)
class Shown(Series):
    """A gauge that shows the event's field `amount`."""


@dataclass(frozen=True, slots=True)
class Timed(Series):
    """A histogram of the event's `seconds`."""

    buckets: tuple[float, ...] = SECONDS


class Registry:
    """`registry[name]` is the client's counter, gauge or histogram of a row."""

    def __init__(self, table: Mapping[str, Series]) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # twice the series, and nothing reads them
        self.collected = CollectorRegistry()
        self._made = {name: self._make(row) for name, row in table.items()}
        self._moved: dict[type[Event], list[tuple[Series, Any]]] = defaultdict(list)
        for name, row in table.items():
            if row.event is not None:
                self._moved[row.event].append((row, self._made[name]))

    def _make(self, row: Series) -> Any:
        if isinstance(row, Timed):
            return Histogram(row.name, row.meaning, row.labels, buckets=row.buckets, registry=self.collected)
        kind = Counter if isinstance(row, Counted) else Gauge
        return kind(row.name, row.meaning, row.labels, registry=self.collected)

    def __getitem__(self, name: str) -> Any:
        return self._made[name]

    def __call__(self, event: Event, *, shows: bool = True) -> None:
        """Move what this event moves; gauges only if it `shows` anything."""
        for row, made in self._moved.get(type(event), ()):
            if row.when(event) and (shows or not isinstance(row, Shown)):
                _move(row, made.labels(*row.values(event)) if row.labels else made, event)

    def text(self) -> bytes:
        """All series in Prometheus's text format."""
        return exposition.generate_latest(self.collected)


def _move(row: Series, made: Any, event: Any) -> None:
    if isinstance(row, Timed):
        made.observe(event.seconds)
    elif isinstance(row, Shown):
        made.set(getattr(event, row.amount))
    else:
        made.inc(getattr(event, row.amount) if row.amount else 1)
