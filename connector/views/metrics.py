"""Metrics of `views`, kept from its events."""

from connector.events.base import Event
from connector.events.views import ViewsLooked
from connector.ops.registry import Registry
from connector.ops.series import SERIES_OF_VIEWS


class ViewsMetrics:
    """Listens to events; `registry` is what `/metrics` shows."""

    def __init__(self) -> None:
        self._series = Registry(SERIES_OF_VIEWS)
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
