"""Prometheus metrics, kept from events."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connector.events.base import Event
from connector.events.commands import LedgerCounted, MessageRefused
from connector.events.kafka import PartitionLost, PartitionOwned
from connector.events.source import ShardEvent, ShardStarted, ShardStopped, StateChanged
from connector.messages.position import State
from connector.ops import Watch
from connector.ops.orders import COMMANDS
from connector.ops.registry import Registry
from connector.ops.series import (
    BEGUN_OF_A_SHARD,
    LETTERS,
    LETTERS_OF_COMMANDS,
    LISTENERS,
    OF_A_SHARD,
    ORDER_COMMAND,
    OUTCOMES,
    SERIES,
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
        self._series = Registry(SERIES)
        self.registry = self._series.collected
        self._board = board
        self._page_size = 0
        self._states: dict[tuple[str, str], str] = {}
        self._log = log_stream()
        self._lost_before = self._log.lost

    def expect(self, share: Share) -> None:
        """Begin the counters that alerts watch at 0: an increase to the first one would not be seen."""
        self._series["info"].labels(share.version, share.digest).set(1)
        self._page_size = share.page_size
        for listener in LISTENERS:
            self._series["listener"].labels(listener)
        for topic, count in share.partitions:
            self._series["shared"].labels(topic).set(count)
            self._series["partitions"].labels(topic).set(0)
            self._series["lost"].labels(topic)
            self._series["failed"].labels(topic)
        for shard in share.shards:
            self._series["configured"].labels(*shard).set(1)
            for name in BEGUN_OF_A_SHARD:
                self._series[name].labels(*shard)
            self._begin("letters", shard, LETTERS)
        for administration, command in share.commands:
            self._series["commands lost"].labels(administration)
            self._begin("letters", (administration, ORDER_COMMAND), LETTERS_OF_COMMANDS)
            self._begin("outcomes", (administration, command), OUTCOMES)

    def _begin(self, name: str, key: tuple[str, str], values: Sequence[str]) -> None:
        for value in values:
            self._series[name].labels(*key, value)

    def __call__(self, event: Event) -> None:
        """Count an event."""
        elsewhere = isinstance(event, ShardEvent) and (event.administration, event.entity) not in self._states
        self._series(event, shows=not elsewhere)  # what is another worker's by now is not shown
        if (keep := KEPT.get(type(event))) is not None:
            keep(self, event)

    def exposed(self) -> bytes:
        """All metrics in Prometheus's text format, as they are now."""
        self.collect()
        return self._series.text()

    def collect(self) -> None:
        """Bring the gauges up to date: ages grow while nothing happens."""
        for key, row in self._board.rows().items():
            for name in ("position", "head", "backlog", "age"):
                self._set(name, key, row[name])
        for key, seconds in self._board.unknown.items():
            self._series["unknown"].labels(*key).set(seconds)
        for name in ("reachable", "oldest call"):
            self._series[name].clear()
        for administration, fault in self._board.faults.items():
            self._series["reachable"].labels(administration).set(not fault)
        for administration, seconds in self._board.oldest_calls.items():
            self._series["oldest call"].labels(administration).set(seconds)
        for key, command in self._board.commands.items():
            self._series["in flight"].labels(*key).set(command["inFlight"])
            self._series["waiting"].labels(*key).set(command["waiting"])
        self._series["log lost"].inc(self._log.lost - self._lost_before)
        self._lost_before = self._log.lost

    def _set(self, name: str, key: tuple[str, ...], value: float | None) -> None:
        """What is not known is not shown: 0 would be a lie, and NaN would spoil sums."""
        if value is None:
            self._remove(name, *key)
        else:
            self._series[name].labels(*key).set(value)

    def _remove(self, name: str, *labels: str) -> None:
        with contextlib.suppress(KeyError):  # not every one was ever shown
            self._series[name].remove(*labels)

    def _state(self, event: ShardStarted | StateChanged) -> None:
        key = (event.administration, event.entity)
        if isinstance(event, ShardStarted):
            self._series["gaps"].labels(*key).set(0)
            self._series["limit"].labels(*key).set(self._page_size)
        elif key not in self._states:
            return
        self._series["regressed"].labels(*key).set(event.state == State.HEAD_REGRESSED)
        self._series["running"].labels(*key).set(event.state == State.RUNNING)
        self._remove("state", *key, self._states.get(key, ""))
        self._series["state"].labels(*key, event.state).set(1)
        self._states[key] = event.state

    def _stopped(self, event: ShardStopped) -> None:
        key = (event.administration, event.entity)
        self._remove("state", *key, self._states.pop(key, ""))
        for name in OF_A_SHARD:
            self._remove(name, *key)

    def _owned(self, event: PartitionOwned | PartitionLost) -> None:
        owned = sum(topic == event.topic for topic, _ in self._board.partitions)
        self._series["partitions"].labels(event.topic).set(owned)
        if isinstance(event, PartitionLost) and event.topic.endswith(COMMANDS):
            for name in ("ledger", "held back"):
                self._remove(name, event.topic.removesuffix(COMMANDS), str(event.partition))

    def _ledger(self, event: LedgerCounted) -> None:
        self._series["held back"].labels(event.administration, event.partition)

    def _refused(self, event: MessageRefused) -> None:
        self._series["letters"].labels(event.administration, ORDER_COMMAND, event.stage).inc()


KEPT: Mapping[type[Event], Callable[[Metrics, Any], None]] = {
    ShardStarted: Metrics._state,
    StateChanged: Metrics._state,
    ShardStopped: Metrics._stopped,
    PartitionOwned: Metrics._owned,
    PartitionLost: Metrics._owned,
    LedgerCounted: Metrics._ledger,
    MessageRefused: Metrics._refused,
}
"""What takes more than a row of ops.series. HeadSeen: nothing; such gauges are taken from the board when they are asked for."""
