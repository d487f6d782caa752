"""What happens inside the connector, said once. Log, metrics and status listen.

Durations are in seconds; `unread_since` is the monotonic time at which the oldest unread change was first known; markers are
sync markers; `entity` is the name in the singular (`order`).
"""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Event:
    """Base of all events."""


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
    """So many markers below the position are open: an item may still become visible there. `expired`: no longer waited for."""

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


@dataclass(frozen=True, slots=True)
class CallEvent(Event):
    """Something about calls of one operation."""

    administration: str
    operation: str


@dataclass(frozen=True, slots=True)
class CallBegan(CallEvent):
    """A call is about to be sent; a CallMade of the same number ends it."""

    number: int


@dataclass(frozen=True, slots=True)
class CallMade(CallEvent):
    """The POS answered, or did not: `fault` is empty, or the kind of failure. `cancelled`: we gave up, which tells nothing."""

    seconds: float
    fault: str
    number: int = 0
    cancelled: bool = False

    @property
    def answered(self) -> bool:
        """Whether it shows a POS that works: one that refuses this call does."""
        return not self.cancelled and self.fault in ("", "Refused", "UnknownOperation")


@dataclass(frozen=True, slots=True)
class PageDecoded(CallEvent):
    """A page came whole; `seconds` were spent decoding it, fetching apart."""

    seconds: float


@dataclass(frozen=True, slots=True)
class CallRetried(CallEvent):
    """A call is repeated; this is attempt number `attempt`, and `fault` the kind of failure of the one before."""

    attempt: int
    fault: str


@dataclass(frozen=True, slots=True)
class TransactionEnded(Event):
    """A Kafka transaction was committed, or lost for this reason."""

    topic: str
    partition: int
    records: int
    seconds: float
    lost: str = ""


@dataclass(frozen=True, slots=True)
class PartitionsAssigned(Event):
    """The consumer group gave this worker so many partitions; it may be none."""

    group: str
    count: int


@dataclass(frozen=True, slots=True)
class PartitionOwned(Event):
    """This worker is the one writer of a partition's work from now on."""

    topic: str
    partition: int
    seconds: float


@dataclass(frozen=True, slots=True)
class PartitionLost(Event):
    """This worker let go of a partition."""

    topic: str
    partition: int
    reason: str


@dataclass(frozen=True, slots=True)
class PartitionFailed(Event):
    """Work on one partition failed as nobody foresaw. It alone waits `seconds` and tries again; everything else goes on."""

    topic: str
    partition: int
    reason: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Rejoining(Event):
    """The worker joins its consumer group again."""

    group: str
    reason: str


@dataclass(frozen=True, slots=True)
class CommandTaken(Event):
    """Work on an order command has begun. CommandEnded or CommandDropped follows, at once for a repeated commandId."""

    administration: str
    command: str


@dataclass(frozen=True, slots=True)
class CommandWaits(Event):
    """A command cannot go on for now; `reason` says why, in words for an operator."""

    administration: str
    command: str
    command_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class CommandEnded(Event):
    """A command's result is in Kafka. `outcome`: succeeded, rejected or unknown; `reason` is its code."""

    administration: str
    command: str
    command_id: str
    outcome: str
    reason: str
    message: str
    attempts: int
    reconciled: bool
    duplicate: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class CommandDropped(Event):
    """Work on a command was broken off, for whoever owns its partition next."""

    administration: str
    command: str
    command_id: str


@dataclass(frozen=True, slots=True)
class MessageRefused(Event):
    """A message went to the dead letters: it is no command (stages parse, validate), or nobody knows its outcome (outcome)."""

    administration: str
    stage: str
    partition: int
    offset: int
    reason: str


@dataclass(frozen=True, slots=True)
class CommandsLost(Event):
    """Kafka deleted commands before they were read: offsets from `first` to before `following`.

    `kept` of them are accounted for: they were finished, or get a result from their INTENT. Offsets that were no command
    (markers of transactions, records of aborted ones) can no longer be told apart: `count` is a bound from above.
    """

    administration: str
    partition: int
    first: int
    following: int
    kept: int = 0

    @property
    def count(self) -> int:
        """Commands that are lost, at most."""
        return self.following - self.first - self.kept


@dataclass(frozen=True, slots=True)
class CommandsRemade(Event):
    """A partition of the command topic ends before `offset`, where its work stood: it was made anew, or cut.

    It is read from its start.
    """

    administration: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class CommandsHeldBack(Event):
    """Commands behind `offset` cannot be read for so many `seconds`: a producer's transaction is open there. 0: no longer."""

    administration: str
    partition: int
    offset: int
    seconds: float


@dataclass(frozen=True, slots=True)
class LedgerCounted(Event):
    """The ledger of an owned partition holds so many entries: told when it was read back, and every second."""

    administration: str
    partition: int
    entries: int


@dataclass(frozen=True, slots=True)
class ListenerFailed(Event):
    """A listener raised: what it was told is lost to it, and to nobody else. `reason`: the error, in a line."""

    listener: str
    reason: str


Listener = Callable[[Event], None]
