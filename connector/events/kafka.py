"""What ownership, transactions and partitions say."""

from dataclasses import dataclass

from connector.events.base import Event


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
