"""Prometheus metrics, kept from events."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

from connector.events import (
    CallMade,
    CallRetried,
    CommandEnded,
    CommandsHeldBack,
    CommandsLost,
    CommandTaken,
    DeadLettered,
    Event,
    LedgerCounted,
    MessageRefused,
    PageCommitted,
    PageDecoded,
    PageRead,
    PartitionFailed,
    PartitionLost,
    PartitionOwned,
    ShardStarted,
    ShardStopped,
    StateChanged,
    TransactionEnded,
)
from connector.ops.board import Board
from connector.ops.orders import COMMANDS
from connector.ops.series import (
    BUCKETS,
    COUNTERS,
    GAUGES,
    HISTOGRAMS,
    LETTERS,
    LETTERS_OF_COMMANDS,
    OF_A_SHARD,
    ORDER_COMMAND,
    OUTCOMES,
    SECONDS,
)

"""How the name of a command topic ends, after its administration's."""


@dataclass(frozen=True, slots=True)
class Share:
    """What a worker may get to do: (administration, entity) and (administration, command) pairs, the partitions of its topics.

    `digest` is that of its settings.
    """

    version: str
    digest: str
    shards: Sequence[tuple[str, str]]
    commands: Sequence[tuple[str, str]]
    partitions: Sequence[tuple[str, int]]


class Metrics:
    """Listens to events; `registry` is what `/metrics` shows."""

    def __init__(self, board: Board) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # twice the series, and nothing reads them
        self.registry = registry = CollectorRegistry()
        self._board = board
        self._gauges = {name: Gauge(*row, registry=registry) for name, row in GAUGES.items()}
        self._counters = {name: Counter(*row, registry=registry) for name, row in COUNTERS.items()}
        self._times = {
            name: Histogram(*row, buckets=BUCKETS.get(name, SECONDS), registry=registry) for name, row in HISTOGRAMS.items()
        }

    def expect(self, share: Share) -> None:
        """Begin the counters that alerts watch at 0: an increase to the first one would not be seen."""
        self._gauges["info"].labels(share.version, share.digest).set(1)
        for topic, count in share.partitions:
            self._gauges["shared"].labels(topic).set(count)
            self._gauges["partitions"].labels(topic).set(0)
            self._counters["lost"].labels(topic)
            self._counters["failed"].labels(topic)
        for shard in share.shards:
            self._gauges["configured"].labels(*shard).set(1)
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
        count = COUNTED.get(type(event))
        if count is not None:
            count(self, event)

    def collect(self) -> None:
        """Bring the gauges up to date: ages grow while nothing happens."""
        for key, row in self._board.rows().items():
            self._gauges["position"].labels(*key).set(row["position"])
            self._gauges["age"].labels(*key).set(row["age"])
            if row["head"] is not None:
                self._gauges["head"].labels(*key).set(row["head"])
                self._gauges["backlog"].labels(*key).set(row["backlog"])
        self._gauges["reachable"].clear()
        for name, fault in self._board.faults.items():
            self._gauges["reachable"].labels(name).set(not fault)
        for key, command in self._board.commands.items():
            self._gauges["in flight"].labels(*key).set(command["inFlight"])
            self._gauges["waiting"].labels(*key).set(command["waiting"])

    def _started(self, event: ShardStarted | StateChanged) -> None:
        key = (event.administration, event.entity)
        self._gauges["regressed"].labels(*key).set(event.state == "head-regressed")
        self._gauges["running"].labels(*key).set(event.state == "running")

    def _stopped(self, event: ShardStopped) -> None:
        for name in OF_A_SHARD:
            with contextlib.suppress(KeyError):  # not every shard had a head yet
                self._gauges[name].remove(event.administration, event.entity)

    def _page_read(self, event: PageRead) -> None:
        self._counters["pages"].labels(event.administration, event.entity).inc()
        self._counters["items read"].labels(event.administration, event.entity).inc(event.items)
        self._times["page"].labels(event.administration, event.entity).observe(event.seconds)

    def _page_decoded(self, event: PageDecoded) -> None:
        self._times["decode"].labels(event.administration, event.operation).observe(event.seconds)

    def _page_committed(self, event: PageCommitted) -> None:
        self._counters["items"].labels(event.administration, event.entity).inc(event.items)

    def _dead_lettered(self, event: DeadLettered) -> None:
        self._counters["letters"].labels(event.administration, event.entity, event.stage).inc()

    def _called(self, event: CallMade) -> None:
        self._times["call"].labels(event.administration, event.operation).observe(event.seconds)
        if event.fault:
            self._counters["faults"].labels(event.administration, event.operation, event.fault).inc()

    def _retried(self, event: CallRetried) -> None:
        self._counters["retries"].labels(event.administration, event.operation, event.fault).inc()

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
                with contextlib.suppress(KeyError):  # it may not have been read back yet
                    self._gauges[name].remove(event.topic.removesuffix(COMMANDS), str(event.partition))

    def _ledger(self, event: LedgerCounted) -> None:
        self._gauges["ledger"].labels(event.administration, event.partition).set(event.entries)
        self._gauges["held back"].labels(event.administration, event.partition)

    def _held_back(self, event: CommandsHeldBack) -> None:
        self._gauges["held back"].labels(event.administration, event.partition).set(event.seconds)

    def _failed(self, event: PartitionFailed) -> None:
        self._counters["failed"].labels(event.topic).inc()

    def _taken(self, event: CommandTaken) -> None:
        self._counters["received"].labels(event.administration, event.command).inc()

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

    def _commands_lost(self, event: CommandsLost) -> None:
        self._counters["commands lost"].labels(event.administration).inc(event.count)


COUNTED: Mapping[type[Event], Callable[[Metrics, Any], None]] = {
    ShardStarted: Metrics._started,
    StateChanged: Metrics._started,
    ShardStopped: Metrics._stopped,
    PageRead: Metrics._page_read,
    PageDecoded: Metrics._page_decoded,
    PageCommitted: Metrics._page_committed,
    DeadLettered: Metrics._dead_lettered,
    CallMade: Metrics._called,
    CallRetried: Metrics._retried,
    TransactionEnded: Metrics._transacted,
    PartitionOwned: Metrics._owned,
    PartitionLost: Metrics._owned,
    LedgerCounted: Metrics._ledger,
    CommandsHeldBack: Metrics._held_back,
    PartitionFailed: Metrics._failed,
    CommandTaken: Metrics._taken,
    CommandEnded: Metrics._ended,
    MessageRefused: Metrics._refused,
    CommandsLost: Metrics._commands_lost,
}
"""What each event counts for. HeadSeen: nothing; gauges are taken from the board when they are asked for."""
