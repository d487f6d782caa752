"""The writer of a command partition: no record leaves it that its topic would not take."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from connector.clock import Clock
from connector.errors import Reject
from connector.events.base import Listener
from connector.kafka.records import Place, Record
from connector.kafka.writing.transactions import FencedProducer
from connector.kafka.writing.writer import Closing, Writer

if TYPE_CHECKING:
    import asyncio


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes of the largest batch that each topic takes (`max.message.bytes`); a topic that is not named takes anything."""

    bytes: Mapping[str, int] = field(default_factory=dict)

    def of(self, topic: str) -> int | None:
        """None: no limit is known."""
        return self.bytes.get(topic)


class TooLarge(Reject):
    """A record is larger than its topic takes: sent, it would be refused, and its transaction lost, for ever."""


def fits(record: Record, limit: int | None) -> bool:
    """Whether a topic takes a record, however badly its batch compresses. Pure: `Outbox.takes` knows how well it does."""
    return limit is None or record.size <= limit


class Outbox(Writer):
    """A Writer that refuses what cannot be written, before anything of it is queued."""

    def __init__(
        self, producer: FencedProducer, place: Place, tell: Listener, clock: Clock, closing: Closing, *, limits: Limits
    ) -> None:
        super().__init__(producer, place, tell, clock, closing)
        self._limits = limits

    def takes(self, record: Record) -> bool:
        """Whether its topic takes it, compressed as it will be."""
        limit = self._limits.of(record.topic)
        return limit is None or fits(record, limit) or self._producer.size_of(record) <= limit

    def submit(self, records: Sequence[Record]) -> "asyncio.Future[None]":
        """See Writer. Raises TooLarge at once; then none of the records is queued."""
        for record in records:
            if not self.takes(record):
                raise TooLarge(
                    f"a record of {record.size} bytes is larger than {record.topic} takes ({self._limits.of(record.topic)})"
                )
        return super().submit(records)
