"""Metrics of `views`, kept from its events."""

from collections.abc import Iterable

from connector.events.base import Event
from connector.events.views import ViewsLooked
from connector.ops.registry import Registry
from connector.ops.series import SERIES_OF_VIEWS


class ViewsMetrics:
    """Listens to events; `registry` is what `/metrics` shows."""

    def __init__(self, started: float = 0.0, topics: Iterable[str] = ()) -> None:
        """`started`: when, in epoch seconds. `topics`: those that are read; an alert sees no increase to a first sample."""
        self._series = Registry(SERIES_OF_VIEWS)
        self._series["started"].set(started)
        for topic in topics:
            self._series["refused"].labels(topic)
        self.registry = self._series.collected

    def __call__(self, event: Event) -> None:
        """Count an event."""
        self._series(event)
        if isinstance(event, ViewsLooked):
            self._series["lag"].clear()
            for topic, records in event.lag:
                self._series["lag"].labels(topic).set(records)

    def exposed(self) -> bytes:
        """All metrics in Prometheus's text format, as they are now."""
        return self._series.text()
