"""What the sink says of commands."""

from dataclasses import dataclass

from connector.events.base import Event


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
