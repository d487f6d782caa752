"""Prometheus metrics, kept from events."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, exposition

from connector.events.base import Event
from connector.events.commands import CommandEnded, CommandsHeldBack, LedgerCounted, MessageRefused
from connector.events.kafka import PartitionLost, PartitionOwned, TransactionEnded
from connector.events.pos import CallMade
from connector.events.source import ShardStarted, ShardStopped, StateChanged
from connector.messages.position import State
from connector.ops import Watch
from connector.ops.orders import COMMANDS
from connector.ops.series import (
    BEGUN_OF_A_SHARD,
    BUCKETS,
    COUNTED,
    COUNTERS,
    FIELDS,
    GAUGES,
    HISTOGRAMS,
    LETTERS,
    LETTERS_OF_COMMANDS,
    LISTENERS,
    OBSERVED,
    OF_A_SHARD,
    ORDER_COMMAND,
    OUTCOMES,
    SECONDS,
    SHOWN,
)
from connector.ops.status import WorkerStatus
from connector.ops.stream import log_stream


@dataclass(frozen=True, slots=True)
class Share:
    """What a worker may get to do: (administration, entity) and (administration, command) pairs, the partitions of its topics.

    `digest` is that of its settings, `page_size` what pages are asked with to begin with.
    """

    version: str
    digest: str
    shards: Sequence[tuple[str, str]]
    commands: Sequence[tuple[str, str]]
    partitions: Sequence[tuple[str, int]]
    page_size: int = 0


class Metrics(Watch):
    """Listens to events; `registry` is what `/metrics` shows."""

    def __init__(self, board: WorkerStatus) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # twice the series, and nothing reads them
        self.registry = registry = CollectorRegistry()
        self._board = board
        self._page_size = 0
        self._states: dict[tuple[str, str], str] = {}
        self._log = log_stream()
        self._lost_before = self._log.lost
        self._gauges = {name: Gauge(*row, registry=registry) for name, row in GAUGES.items()}
        self._counters = {name: Counter(*row, registry=registry) for name, row in COUNTERS.items()}
        self._times = {
            name: Histogram(*row, buckets=BUCKETS.get(name, SECONDS), registry=registry) for name, row in HISTOGRAMS.items()
        }

    def expect(self, share: Share) -> None:
        """Begin the counters that alerts watch at 0: an increase to the first one would not be seen."""
        self._gauges["info"].labels(share.version, share.digest).set(1)
        self._page_size = share.page_size
        for listener in LISTENERS:
            self._counters["listener"].labels(listener)
        for topic, count in share.partitions:
            self._gauges["shared"].labels(topic).set(count)
            self._gauges["partitions"].labels(topic).set(0)
            self._counters["lost"].labels(topic)
            self._counters["failed"].labels(topic)
        for shard in share.shards:
            self._gauges["configured"].labels(*shard).set(1)
            for name in BEGUN_OF_A_SHARD:
                self._counters[name].labels(*shard)
            self._begin("letters", shard, LETTERS)
        for administration, command in share.commands:
            self._counters["commands lost"].labels(administration)
            self._begin("letters", (administration, ORDER_COMMAND), LETTERS_OF_COMMANDS)
            self._begin("outcomes", (administration, command), OUTCOMES)

    def _begin(self, name: str, key: tuple[str, str], values: Sequence[str]) -> None:
        for value in values:
            self._counters[name].labels(*key, value)

    def __call__(self, event: Event) -> None:
        """Count an event."""
        for name, amount in COUNTED.get(type(event), ()):
            of = self._counters[name].labels(*_labels(COUNTERS[name][2], event))
            of.inc(getattr(event, amount) if amount else 1)
        if (time := OBSERVED.get(type(event))) is not None:
            self._times[time].labels(*_labels(HISTOGRAMS[time][2], event)).observe(event.seconds)  # type: ignore[attr-defined]
        if (shown := SHOWN.get(type(event))) is not None:
            self._show(*shown, event)
        if (keep := KEPT.get(type(event))) is not None:
            keep(self, event)

    def exposed(self) -> bytes:
        """In Prometheus's text format, as they are now."""
        self.collect()
        return exposition.generate_latest(self.registry)

    def collect(self) -> None:
        """Bring the gauges up to date: ages grow while nothing happens."""
        for key, row in self._board.rows().items():
            for name in ("position", "head", "backlog", "age"):
                self._set(name, key, row[name])
        for key, seconds in self._board.unknown.items():
            self._gauges["unknown"].labels(*key).set(seconds)
        for name in ("reachable", "oldest call"):
            self._gauges[name].clear()
        for administration, fault in self._board.faults.items():
            self._gauges["reachable"].labels(administration).set(not fault)
        for administration, seconds in self._board.oldest_calls.items():
            self._gauges["oldest call"].labels(administration).set(seconds)
        for key, command in self._board.commands.items():
            self._gauges["in flight"].labels(*key).set(command["inFlight"])
            self._gauges["waiting"].labels(*key).set(command["waiting"])
        self._counters["log lost"].inc(self._log.lost - self._lost_before)
        self._lost_before = self._log.lost

    def _set(self, name: str, key: tuple[str, ...], value: float | None) -> None:
        """What is not known is not shown: 0 would be a lie, and NaN would spoil sums."""
        if value is None:
            self._remove(name, *key)
        else:
            self._gauges[name].labels(*key).set(value)

    def _remove(self, name: str, *labels: str) -> None:
        with contextlib.suppress(KeyError):  # not every one was ever shown
            self._gauges[name].remove(*labels)

    def _show(self, name: str, amount: str, event: Any) -> None:
        if (event.administration, event.entity) in self._states:  # else it is another worker's by now
            self._gauges[name].labels(*_labels(GAUGES[name][2], event)).set(getattr(event, amount))

    def _state(self, event: ShardStarted | StateChanged) -> None:
        key = (event.administration, event.entity)
        if isinstance(event, ShardStarted):
            self._gauges["gaps"].labels(*key).set(0)
            self._gauges["limit"].labels(*key).set(self._page_size)
        elif key not in self._states:
            return
        self._gauges["regressed"].labels(*key).set(event.state == State.HEAD_REGRESSED)
        self._gauges["running"].labels(*key).set(event.state == State.RUNNING)
        self._remove("state", *key, self._states.get(key, ""))
        self._gauges["state"].labels(*key, event.state).set(1)
        self._states[key] = event.state

    def _stopped(self, event: ShardStopped) -> None:
        key = (event.administration, event.entity)
        self._remove("state", *key, self._states.pop(key, ""))
        for name in OF_A_SHARD:
            self._remove(name, *key)

    def _called(self, event: CallMade) -> None:
        self._times["call"].labels(event.administration, event.operation).observe(event.seconds)
        if event.fault and not event.cancelled:
            self._counters["faults"].labels(event.administration, event.operation, event.fault).inc()

    def _transacted(self, event: TransactionEnded) -> None:
        if event.lost:
            self._counters["lost"].labels(event.topic).inc()
        else:
            self._times["transaction"].labels(event.topic).observe(event.seconds)

    def _owned(self, event: PartitionOwned | PartitionLost) -> None:
        owned = sum(topic == event.topic for topic, _ in self._board.partitions)
        self._gauges["partitions"].labels(event.topic).set(owned)
        if isinstance(event, PartitionLost) and event.topic.endswith(COMMANDS):
            for name in ("ledger", "held back"):
                self._remove(name, event.topic.removesuffix(COMMANDS), str(event.partition))

    def _ledger(self, event: LedgerCounted) -> None:
        self._gauges["ledger"].labels(event.administration, event.partition).set(event.entries)
        self._gauges["held back"].labels(event.administration, event.partition)

    def _held_back(self, event: CommandsHeldBack) -> None:
        self._gauges["held back"].labels(event.administration, event.partition).set(event.seconds)

    def _ended(self, event: CommandEnded) -> None:
        key = (event.administration, event.command)
        if event.duplicate:
            self._counters["duplicates"].labels(*key).inc()
            return
        self._counters["outcomes"].labels(*key, event.outcome).inc()
        self._counters["reconciled"].labels(*key).inc(event.reconciled)
        self._times["command"].labels(*key).observe(event.seconds)

    def _refused(self, event: MessageRefused) -> None:
        self._counters["letters"].labels(event.administration, ORDER_COMMAND, event.stage).inc()


def _labels(names: Sequence[str], event: Event) -> list[str]:
    return [getattr(event, FIELDS.get(name, name)) for name in names]


KEPT: Mapping[type[Event], Callable[[Metrics, Any], None]] = {
    ShardStarted: Metrics._state,
    StateChanged: Metrics._state,
    ShardStopped: Metrics._stopped,
    CallMade: Metrics._called,
    TransactionEnded: Metrics._transacted,
    PartitionOwned: Metrics._owned,
    PartitionLost: Metrics._owned,
    LedgerCounted: Metrics._ledger,
    CommandsHeldBack: Metrics._held_back,
    CommandEnded: Metrics._ended,
    MessageRefused: Metrics._refused,
}
"""What takes more than a row of ops.series. HeadSeen: nothing; such gauges are taken from the board when they are asked for."""
