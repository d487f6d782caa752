"""Prometheus metrics, kept from events. Labels are bounded: administrations, entities, operations, kinds."""

import contextlib

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

from connector.clock import Clock
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

SHARD = ["administration", "entity"]
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metrics:
    """Listens to events; `registry` is what `/metrics` shows."""

    def __init__(self, board: Board, clock: Clock) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # twice the series, and nothing reads them
        self.registry = registry = CollectorRegistry()
        self._board = board
        self._clock = clock
        self.head = Gauge("mplus_connector_head_marker", "Highest sync marker of the POS", SHARD, registry=registry)
        self.position = Gauge(
            "mplus_connector_position_marker", "Sync marker up to which everything is in Kafka", SHARD, registry=registry
        )
        self.backlog = Gauge("mplus_connector_backlog_markers", "Sync markers not read yet", SHARD, registry=registry)
        self.age = Gauge("mplus_connector_backlog_age_seconds", "Age of the oldest unread change", SHARD, registry=registry)
        self.regressed = Gauge("mplus_connector_head_regressed", "1: the head fell below the position", SHARD, registry=registry)
        self.running = Gauge("mplus_connector_shard_running", "1: read by this worker and not stopped", SHARD, registry=registry)
        self.items = Counter("mplus_connector_items", "Items published", SHARD, registry=registry)
        self.pages = Counter("mplus_connector_pages", "Pages read", SHARD, registry=registry)
        self.letters = Counter(
            "mplus_connector_dead_letters", "Items that became dead letters", [*SHARD, "stage"], registry=registry
        )
        self.page_seconds = Histogram(
            "mplus_connector_page_seconds", "Fetching and decoding a page", SHARD, buckets=SECONDS, registry=registry
        )
        self.calls = Histogram(
            "mplus_connector_pos_call_seconds",
            "Calls of the POS",
            ["administration", "operation"],
            buckets=SECONDS,
            registry=registry,
        )
        self.faults = Counter(
            "mplus_connector_pos_faults", "Failed calls by kind", ["administration", "operation", "kind"], registry=registry
        )
        self.retries = Counter(
            "mplus_connector_pos_retries", "Repeated calls", ["administration", "operation"], registry=registry
        )
        self.reachable = Gauge(
            "mplus_connector_pos_reachable", "1: the last call was answered", ["administration"], registry=registry
        )
        self.transactions = Histogram(
            "mplus_connector_transaction_seconds", "Kafka transactions committed", buckets=SECONDS, registry=registry
        )
        self.lost = Counter(
            "mplus_connector_transactions_lost", "Kafka transactions aborted or of unknown outcome", registry=registry
        )
        self.partitions = Gauge("mplus_connector_work_partitions", "Work partitions owned by this worker", registry=registry)

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
                self.pages.labels(administration, entity).inc()
                self.page_seconds.labels(administration, entity).observe(seconds)
            case PageCommitted(administration=administration, entity=entity, items=items):
                self.items.labels(administration, entity).inc(items)
            case DeadLettered(administration=administration, entity=entity, stage=stage):
                self.letters.labels(administration, entity, stage).inc()
            case CallMade():
                self._call(event)
            case CallRetried(administration=administration, operation=operation):
                self.retries.labels(administration, operation).inc()
            case TransactionEnded():
                self._transaction(event)
            case PartitionOwned() | PartitionLost():
                self.partitions.set(len(self._board.partitions))
            case HeadSeen():
                pass  # gauges are taken from the board when they are asked for

    def collect(self) -> None:
        """Bring the gauges up to date: ages grow while nothing happens."""
        for key, row in self._board.rows().items():
            self.position.labels(*key).set(row["position"])
            self.age.labels(*key).set(row["age"])
            if row["head"] is not None:
                self.head.labels(*key).set(row["head"])
                self.backlog.labels(*key).set(row["backlog"])

    def _state(self, key: tuple[str, str], state: str) -> None:
        self.regressed.labels(*key).set(state == "head-regressed")
        self.running.labels(*key).set(state == "running")

    def _forget(self, key: tuple[str, str]) -> None:
        for gauge in (self.head, self.position, self.backlog, self.age, self.regressed, self.running):
            with contextlib.suppress(KeyError):  # not every shard had a head yet
                gauge.remove(*key)

    def _call(self, event: CallMade) -> None:
        self.calls.labels(event.administration, event.operation).observe(event.seconds)
        self.reachable.labels(event.administration).set(event.fault in ("", "Refused"))
        if event.fault:
            self.faults.labels(event.administration, event.operation, event.fault).inc()

    def _transaction(self, event: TransactionEnded) -> None:
        if event.lost:
            self.lost.inc()
        else:
            self.transactions.observe(event.seconds)
