"""Metrics of `views`, kept from its events."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, exposition

from connector.events.base import Event
from connector.events.views import ViewsBatchDone, ViewsLooked, ViewsRecordRefused
from connector.ops.series import SECONDS

STAGE = ("administration", "stage")
GAUGES = {
    "lag": ("mplus_connector_views_lag_records", "Records of this worker's partitions that are not folded yet", ("topic",)),
    "restoring": ("mplus_connector_views_restoring_entries", "Table entries still to be read back", ()),
    "ready": ("mplus_connector_views_ready", "1: this worker was up to date since it started, and has its partitions", ()),
}
COUNTERS = {
    "records": ("mplus_connector_views_records", "Records carried out", STAGE),
    "refused": ("mplus_connector_views_refused_records", "Records that cannot be understood and were passed over", ("topic",)),
}
HISTOGRAMS = {
    "batch": ("mplus_connector_views_batch_seconds", "Carrying out a batch of records, until Kafka has what came of it", STAGE),
}


class ViewsMetrics:
    """Listens to events; `registry` is what `/metrics` shows."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = registry = CollectorRegistry()
        self._gauges = {name: Gauge(*row, registry=registry) for name, row in GAUGES.items()}
        self._counters = {name: Counter(*row, registry=registry) for name, row in COUNTERS.items()}
        self._times = {name: Histogram(*row, buckets=SECONDS, registry=registry) for name, row in HISTOGRAMS.items()}

    def __call__(self, event: Event) -> None:
        """Count an event."""
        if isinstance(event, ViewsBatchDone):
            self._counters["records"].labels(event.administration, event.stage).inc(event.records)
            self._times["batch"].labels(event.administration, event.stage).observe(event.seconds)
        elif isinstance(event, ViewsRecordRefused):
            self._counters["refused"].labels(event.topic).inc()
        elif isinstance(event, ViewsLooked):
            self._looked(event)

    def exposed(self) -> bytes:
        """In Prometheus's text format, as they are now."""
        return exposition.generate_latest(self.registry)

    def _looked(self, event: ViewsLooked) -> None:
        self._gauges["lag"].clear()
        for topic, records in event.lag:
            self._gauges["lag"].labels(topic).set(records)
        self._gauges["restoring"].set(event.restoring)
        self._gauges["ready"].set(event.ready)
