"""Prometheus metrics, kept from events. Labels are bounded: administrations, entities, operations, kinds."""

import contextlib

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

from connector.events import (
    CallMade,
    CallRetried,
    DeadLettered,
    Event,
    HeadSeen,
    PageCommitted,
    PageRead,
    PartitionLost,
    PartitionOwned,
    ShardStarted,
    ShardStopped,
    StateChanged,
    TransactionEnded,
)
from connector.ops.board import Board

SHARD = ("administration", "entity")
CALL = ("administration", "operation")
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)

GAUGES = {
    "head": ("mplus_connector_head_marker", "Highest sync marker of the POS", SHARD),
    "position": ("mplus_connector_position_marker", "Sync marker up to which everything is in Kafka", SHARD),
    "backlog": ("mplus_connector_backlog_markers", "Sync markers not read yet", SHARD),
    "age": ("mplus_connector_backlog_age_seconds", "Age of the oldest unread change", SHARD),
    "regressed": ("mplus_connector_head_regressed", "1: the head fell below the position", SHARD),
    "running": ("mplus_connector_shard_running", "1: read by this worker and not stopped", SHARD),
    "reachable": ("mplus_connector_pos_reachable", "1: the last call was answered", ("administration",)),
    "partitions": ("mplus_connector_owned_partitions", "Partitions owned by this worker", ("topic",)),
}
COUNTERS = {
    "items": ("mplus_connector_items", "Items published", SHARD),
    "pages": ("mplus_connector_pages", "Pages read", SHARD),
    "letters": ("mplus_connector_dead_letters", "Items that became dead letters", (*SHARD, "stage")),
    "faults": ("mplus_connector_pos_faults", "Failed calls by kind", (*CALL, "kind")),
    "retries": ("mplus_connector_pos_retries", "Repeated calls", CALL),
    "lost": ("mplus_connector_transactions_lost", "Kafka transactions aborted or of unknown outcome", ()),
}
HISTOGRAMS = {
    "page": ("mplus_connector_page_seconds", "Fetching and decoding a page", SHARD),
    "call": ("mplus_connector_pos_call_seconds", "Calls of the POS", CALL),
    "transaction": ("mplus_connector_transaction_seconds", "Kafka transactions committed", ()),
}
OF_A_SHARD = ("head", "position", "backlog", "age", "regressed", "running")


class Metrics:
    """Listens to events; `registry` is what `/metrics` shows."""

    def __init__(self, board: Board) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # twice the series, and nothing reads them
        self.registry = registry = CollectorRegistry()
        self._board = board
        self._gauges = {name: Gauge(*row, registry=registry) for name, row in GAUGES.items()}
        self._counters = {name: Counter(*row, registry=registry) for name, row in COUNTERS.items()}
        self._times = {name: Histogram(*row, buckets=SECONDS, registry=registry) for name, row in HISTOGRAMS.items()}

    def __call__(self, event: Event) -> None:
        """Count an event."""
        match event:
            case ShardStarted(administration=administration, entity=entity, state=state):
                self._state((administration, entity), state)
            case ShardStopped(administration=administration, entity=entity):
                self._forget((administration, entity))
            case StateChanged(administration=administration, entity=entity, state=state):
                self._state((administration, entity), state)
            case PageRead(administration=administration, entity=entity, seconds=seconds):
                self._counters["pages"].labels(administration, entity).inc()
                self._times["page"].labels(administration, entity).observe(seconds)
            case PageCommitted(administration=administration, entity=entity, items=items):
                self._counters["items"].labels(administration, entity).inc(items)
            case DeadLettered(administration=administration, entity=entity, stage=stage):
                self._counters["letters"].labels(administration, entity, stage).inc()
            case CallMade():
                self._call(event)
            case CallRetried(administration=administration, operation=operation):
                self._counters["retries"].labels(administration, operation).inc()
            case TransactionEnded():
                self._transaction(event)
            case PartitionOwned(topic=topic) | PartitionLost(topic=topic):
                self._gauges["partitions"].labels(topic).set(sum(owned == topic for owned, _ in self._board.partitions))
            case HeadSeen():
                pass  # gauges are taken from the board when they are asked for

    def collect(self) -> None:
        """Bring the gauges up to date: ages grow while nothing happens."""
        for key, row in self._board.rows().items():
            self._gauges["position"].labels(*key).set(row["position"])
            self._gauges["age"].labels(*key).set(row["age"])
            if row["head"] is not None:
                self._gauges["head"].labels(*key).set(row["head"])
                self._gauges["backlog"].labels(*key).set(row["backlog"])

    def _state(self, key: tuple[str, str], state: str) -> None:
        self._gauges["regressed"].labels(*key).set(state == "head-regressed")
        self._gauges["running"].labels(*key).set(state == "running")

    def _forget(self, key: tuple[str, str]) -> None:
        for name in OF_A_SHARD:
            with contextlib.suppress(KeyError):  # not every shard had a head yet
                self._gauges[name].remove(*key)

    def _call(self, event: CallMade) -> None:
        self._times["call"].labels(event.administration, event.operation).observe(event.seconds)
        self._gauges["reachable"].labels(event.administration).set(event.answered)
        if event.fault:
            self._counters["faults"].labels(event.administration, event.operation, event.fault).inc()

    def _transaction(self, event: TransactionEnded) -> None:
        if event.lost:
            self._counters["lost"].inc()
        else:
            self._times["transaction"].observe(event.seconds)
