"""The row of an entity: what is known of it, and since when what is not."""

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from connector.events.source import DeadLettered, HeadSeen, HeadUnknown, PageCommitted, ShardEvent, StateChanged
from connector.messages.position import State
from connector.messages.status import DEAD_LETTERS, UNKNOWN_SINCE

RATE_OVER_S = 30.0
"""Seconds over which the rate is an average."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A time twice: monotonic seconds to count with, RFC 3339 text to show."""

    seconds: float
    stamp: str


@dataclass(slots=True)
class Row:
    """One shard. Markers; `unread_since` is monotonic time; `recent` holds (time, items) of committed pages.

    `unknown`: since when the POS does not tell the head, or is not believed; `head` is then the last one that was known.
    """

    state: str
    position: int
    unknown: Moment | None
    head: int | None = None
    reason: str = ""
    unread_since: float | None = None
    items: int = 0
    dead_letters: int = 0
    recent: deque[tuple[float, int]] = field(default_factory=deque)

    def take(self, event: ShardEvent, at: Moment) -> None:
        """Take an event in. `at`: that of a HeadUnknown since which nothing is known, of others now."""
        match event:
            case HeadSeen(head=head, unread_since=since):
                self.head, self.unread_since, self.unknown = head, since, None
            case HeadUnknown():
                if self.unknown is None or at.seconds < self.unknown.seconds:
                    self.unknown = at
            case PageCommitted(marker=marker, items=items, unread_since=since):
                self.position, self.unread_since = marker, since
                self.items += items
                self.recent.append((at.seconds, items))
            case StateChanged(state=state, reason=reason):
                self.state, self.reason = state, reason
            case DeadLettered():
                self.dead_letters += 1

    def shown(self, now: float) -> dict[str, Any]:
        """The row as it is shown and published, at this monotonic time."""
        position, head = max(self.position, 0), self.head
        if head is not None and self.state != State.HEAD_REGRESSED:
            head = max(head, position)  # a page may have shown more than the last head
        return {
            "head": head,
            "position": position,
            "backlog": None if head is None or self.unknown is not None else max(0, head - position),
            "age": self._age(now),
            UNKNOWN_SINCE: None if self.unknown is None else self.unknown.stamp,
            "rate": self._rate(now),
            "items": self.items,
            DEAD_LETTERS: self.dead_letters,
            "state": self.state,
            "reason": self.reason,
        }

    def unknown_seconds(self, now: float) -> float:
        """For how long the head has not been known; 0 when it is."""
        return 0.0 if self.unknown is None else round(now - self.unknown.seconds, 3)

    def _age(self, now: float) -> float:
        """The oldest unread change's age, as far as is known: what nobody tells may have been there from the beginning."""
        unknown = None if self.unknown is None else self.unknown.seconds
        began = [at for at in (self.unread_since, unknown) if at is not None]
        return round(now - min(began), 3) if began else 0.0

    def _rate(self, now: float) -> float:
        while self.recent and self.recent[0][0] < now - RATE_OVER_S:
            self.recent.popleft()
        return round(sum(items for _, items in self.recent) / RATE_OVER_S, 2)
