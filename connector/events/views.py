"""What happens inside of `views`, said once: its log and its metrics listen."""

from dataclasses import dataclass

from connector.events.base import Event


@dataclass(frozen=True, slots=True)
class ViewsBatchDone(Event):
    """Records of a stage were carried out and acknowledged by Kafka, in so many seconds."""

    administration: str
    stage: str
    records: int
    seconds: float


@dataclass(frozen=True, slots=True)
class ViewsRecordRefused(Event):
    """A record cannot be understood and was passed over."""

    topic: str
    partition: int
    offset: int
    reason: str


@dataclass(frozen=True, slots=True)
class ViewsLooked(Event):
    """How far this worker is: records to do by topic, and table entries still to be read back."""

    lag: tuple[tuple[str, int], ...]
    restoring: int
    ready: bool
