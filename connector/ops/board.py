"""The state of this worker's shards, partitions and commands, kept from events: for `/status`, the status topic, the terminal."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from connector.clock import Clock
from connector.events import (
    CallMade,
    DeadLettered,
    Event,
    HeadSeen,
    PageCommitted,
    PartitionLost,
    PartitionOwned,
    PartitionsAssigned,
    Rejoining,
    ShardEvent,
    ShardStarted,
    ShardStopped,
    StateChanged,
)
from connector.ops.orders import COMMANDS, Orders

RATE_OVER = 30.0
"""Seconds over which the rate is an average."""

RECENT = 300.0
"""Seconds for which a call tells whether the POS answers; whoever has work there makes one more often."""


@dataclass(slots=True)
class Row:
    """One shard. Markers; `unread_since` is monotonic time; `recent` holds (time, items) of committed pages."""

    state: str
    position: int
    head: int | None = None
    reason: str = ""
    unread_since: float | None = None
    items: int = 0
    dead_letters: int = 0
    recent: deque[tuple[float, int]] = field(default_factory=deque)


class Board:
    """Listens to events; answers with rows. `owner` names this worker, `digest` its configuration."""

    def __init__(self, clock: Clock, owner: str, digest: str) -> None:
        self._clock = clock
        self._owner = owner
        self._digest = digest
        self._rows: dict[tuple[str, str], Row] = {}
        self._partitions: set[tuple[str, int]] = set()
        self._assigned: dict[str, int] = {}
        self._faults: dict[str, tuple[str, float]] = {}
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
        elif isinstance(event, CallMade):
            if not event.cancelled:
                self._faults[event.administration] = ("" if event.answered else event.fault, self._clock.monotonic())
        else:
            self._orders(event)

    def _shard(self, event: ShardEvent) -> None:
        key = (event.administration, event.entity)
        if isinstance(event, ShardStarted):
            self._rows[key] = Row(event.state, event.marker)
        elif isinstance(event, ShardStopped):
            self._rows.pop(key, None)
            self._let_go(event.administration)
        elif key in self._rows:
            self._update(self._rows[key], event)

    def _let_go(self, administration: str) -> None:
        """Of an administration that is no longer this worker's, its last call tells nothing: another one makes the next."""
        commands = (topic for topic, _ in self._partitions if topic == administration + COMMANDS)
        if not any(name == administration for name, _ in self._rows) and not any(commands):
            self._faults.pop(administration, None)

    def _update(self, row: Row, event: ShardEvent) -> None:
        match event:
            case HeadSeen(head=head, unread_since=since):
                row.head, row.unread_since = head, since
            case PageCommitted(marker=marker, items=items, unread_since=since):
                row.position, row.unread_since = marker, since
                row.items += items
                row.recent.append((self._clock.monotonic(), items))
            case StateChanged(state=state, reason=reason):
                row.state, row.reason = state, reason
            case DeadLettered():
                row.dead_letters += 1

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
        """Per administration: the kind of failure of its last call, empty when it answered, be it with a refusal.

        A call of long ago tells nothing: who stands by makes none.
        """
        oldest = self._clock.monotonic() - RECENT
        return {name: fault for name, (fault, at) in self._faults.items() if at > oldest}

    @property
    def commands(self) -> dict[tuple[str, str], dict[str, int]]:
        """The order commands of this worker, counted, by (administration, command); see ops.orders."""
        return self._orders.rows()

    def rows(self, keys: Iterable[tuple[str, str]] | None = None) -> dict[tuple[str, str], dict[str, Any]]:
        """Rows as they are shown and published, by (administration, entity)."""
        wanted = list(self._rows) if keys is None else list(keys)
        return {key: self._shown(self._rows[key]) for key in wanted if key in self._rows}

    def _shown(self, row: Row) -> dict[str, Any]:
        position = max(row.position, 0)
        head = row.head
        if head is not None and row.state != "head-regressed":
            head = max(head, position)  # a page may have shown more than the last head
        return {
            "head": head,
            "position": position,
            "backlog": None if head is None else max(0, head - position),
            "age": 0.0 if row.unread_since is None else round(self._clock.monotonic() - row.unread_since, 3),
            "rate": self._rate(row),
            "items": row.items,
            "deadLetters": row.dead_letters,
            "state": row.state,
            "reason": row.reason,
            "owner": self._owner,
            "digest": self._digest,
            "at": self._clock.stamp(),
        }

    def _rate(self, row: Row) -> float:
        oldest = self._clock.monotonic() - RATE_OVER
        while row.recent and row.recent[0][0] < oldest:
            row.recent.popleft()
        return round(sum(items for _, items in row.recent) / RATE_OVER, 2)
