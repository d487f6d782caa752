"""The state of this worker's shards, partitions and commands, kept from events: for `/status`, the status topic, the terminal."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from connector.clock import Clock
from connector.events.base import Event
from connector.events.kafka import PartitionLost, PartitionOwned, PartitionsAssigned, Rejoining
from connector.events.pos import CallBegan, CallMade
from connector.events.source import HeadUnknown, ShardEvent, ShardStarted, ShardStopped
from connector.ops.calls import Calls
from connector.ops.orders import COMMANDS, Orders
from connector.ops.rows import Moment, Row
from connector.ops.wording import rfc3339

RECENT_S = 300.0
"""Seconds for which a call tells whether the POS answers, where this worker has nothing to ask it now."""


class WorkerStatus:
    """Listens to events; answers with rows. `owner` names this worker, `digest` its configuration."""

    def __init__(self, clock: Clock, owner: str, digest: str) -> None:
        self._clock = clock
        self._owner = owner
        self._digest = digest
        self._rows: dict[tuple[str, str], Row] = {}
        self._partitions: set[tuple[str, int]] = set()
        self._assigned: dict[str, int] = {}
        self._calls = Calls()
        self._orders = Orders()

    def __call__(self, event: Event) -> None:
        """Take an event in."""
        if isinstance(event, ShardEvent):
            self._shard(event)
        elif isinstance(event, PartitionOwned):
            self._partitions.add((event.topic, event.partition))
        elif isinstance(event, PartitionLost):
            self._partitions.discard((event.topic, event.partition))
            self._let_go(event.topic.removesuffix(COMMANDS))
        elif isinstance(event, PartitionsAssigned):
            self._assigned[event.group] = event.count
        elif isinstance(event, Rejoining):
            self._assigned.pop(event.group, None)
        elif isinstance(event, CallBegan | CallMade):
            self._calls(event, self._clock.monotonic())
        else:
            self._orders(event)

    def _shard(self, event: ShardEvent) -> None:
        key = (event.administration, event.entity)
        if isinstance(event, ShardStarted):
            self._rows[key] = Row(event.state, event.marker, unknown=self._moment(self._clock.monotonic()))
        elif isinstance(event, ShardStopped):
            self._rows.pop(key, None)
            self._let_go(event.administration)
        elif key in self._rows:
            at = event.since if isinstance(event, HeadUnknown) else self._clock.monotonic()
            self._rows[key].take(event, self._moment(at))

    def _moment(self, seconds: float) -> Moment:
        ago = timedelta(seconds=self._clock.monotonic() - seconds)
        return Moment(seconds, rfc3339(self._clock.wall() - ago))

    def _let_go(self, administration: str) -> None:
        """Forget the last call of an administration that is no longer this worker's: another worker makes the next."""
        commands = (topic for topic, _ in self._partitions if topic == administration + COMMANDS)
        if not any(name == administration for name, _ in self._rows) and not any(commands):
            self._calls.forget(administration)

    @property
    def partitions(self) -> set[tuple[str, int]]:
        """The partitions owned now, with their topics."""
        return set(self._partitions)

    @property
    def assigned(self) -> dict[str, int]:
        """How many partitions each consumer group assigned to this worker; only those it is a member of."""
        return dict(self._assigned)

    @property
    def faults(self) -> dict[str, str]:
        """Per administration that this worker asks: why its POS counts as not answering; empty when it answers, be it with a no.

        Where there is nothing to ask it now, a call of long ago tells nothing: who stands by makes none.
        """
        now = self._clock.monotonic()
        return {name: outage.kind if (outage := self._calls.outage(name, now)) else "" for name in self._asked(now)}

    @property
    def outages(self) -> dict[str, str]:
        """Per administration whose POS does not answer: that in words, with since when."""
        now = self._clock.monotonic()
        found = {name: outage for name in self._asked(now) if (outage := self._calls.outage(name, now))}
        return {name: f"{outage.words}, since {self._moment(outage.since).stamp}" for name, outage in found.items()}

    @property
    def oldest_calls(self) -> dict[str, float]:
        """Per administration that this worker asks: seconds since the oldest call under way began; 0 where there is none."""
        now = self._clock.monotonic()
        return {name: self._calls.oldest(name, now) for name in self._asked(now)}

    def _asked(self, now: float) -> list[str]:
        working = {name for name, _ in self._rows} | self._orders.working
        return [name for name, recent in self._calls.told(now, RECENT_S).items() if recent or name in working]

    @property
    def commands(self) -> dict[tuple[str, str], dict[str, int]]:
        """The order commands of this worker, counted, by (administration, command); see ops.orders."""
        return self._orders.rows()

    @property
    def unknown(self) -> dict[tuple[str, str], float]:
        """Seconds for which the POS's head has not been known, by (administration, entity); 0 when it is."""
        now = self._clock.monotonic()
        return {key: row.unknown_seconds(now) for key, row in self._rows.items()}

    def rows(self, keys: Iterable[tuple[str, str]] | None = None) -> dict[tuple[str, str], dict[str, Any]]:
        """Rows as they are shown and published, by (administration, entity)."""
        wanted = list(self._rows) if keys is None else list(keys)
        now, written = self._clock.monotonic(), {"owner": self._owner, "digest": self._digest, "at": self._clock.stamp()}
        return {key: self._rows[key].shown(now) | written for key in wanted if key in self._rows}
