"""What the pollers of shards say."""

from dataclasses import dataclass

from connector.events.base import Event


@dataclass(frozen=True, slots=True)
class ShardEvent(Event):
    """Something about one entity of one administration."""

    administration: str
    entity: str


@dataclass(frozen=True, slots=True)
class ShardStarted(ShardEvent):
    """This worker reads the entity from now on."""

    marker: int
    state: str


@dataclass(frozen=True, slots=True)
class ShardStopped(ShardEvent):
    """This worker no longer reads the entity."""


@dataclass(frozen=True, slots=True)
class HeadSeen(ShardEvent):
    """The POS told its highest marker."""

    head: int
    position: int
    unread_since: float | None


@dataclass(frozen=True, slots=True)
class HeadUnknown(ShardEvent):
    """The POS does not tell its highest marker, or is not believed: nothing is known of the backlog since this monotonic time."""

    since: float


@dataclass(frozen=True, slots=True)
class GapsCounted(ShardEvent):
    """Markers below the position that are open: an item may still become visible there. `expired`: no longer waited for."""

    open: int
    expired: int


@dataclass(frozen=True, slots=True)
class LateFound(ShardEvent):
    """Items became visible below the position, and are in Kafka with `ce_origin: late`."""

    items: int


@dataclass(frozen=True, slots=True)
class ItemsBelow(ShardEvent):
    """The POS showed items below the marker that it was asked from: they are not published."""

    asked: int
    items: int


@dataclass(frozen=True, slots=True)
class PageLimited(ShardEvent):
    """Pages are asked with another limit from now on: smaller since the last one could not be had, or larger again."""

    limit: int
    reason: str


@dataclass(frozen=True, slots=True)
class PageRead(ShardEvent):
    """A page was fetched and decoded."""

    asked: int
    items: int
    seconds: float


@dataclass(frozen=True, slots=True)
class PageCommitted(ShardEvent):
    """A page's events and the new position are in Kafka."""

    marker: int
    items: int
    dead_letters: int
    seconds: float
    unread_since: float | None


@dataclass(frozen=True, slots=True)
class DeadLettered(ShardEvent):
    """An item went to the dead letters."""

    stage: str
    marker: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class StateChanged(ShardEvent):
    """The entity's state changed; `reason` says why, in words for an operator."""

    state: str
    reason: str


@dataclass(frozen=True, slots=True)
class ControlAnswered(ShardEvent):
    """What became of an operator's request, and why. `status`: accepted, done, rejected or failed."""

    id: str
    action: str
    status: str
    reason: str
