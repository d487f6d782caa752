"""Record batches as a fetch brings them, decoded a few records at a time: those of committed transactions.

A consumer makes a ConsumerRecord of each record, which costs 1 µs beside the 0.4 µs of decoding; millions are read here.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, count, islice
from typing import Any, NamedTuple, Protocol

from aiokafka.errors import CorruptRecordException
from aiokafka.record.control_record import ABORT_MARKER, ControlRecord

from connector.kafka.reading.batches import records
from connector.kafka.reading.consumer import Records

STEP = 250
"""Records that are decoded at once, at most: a millisecond of work, and they fit the processor's cache."""


class Row(Protocol):
    """A record."""

    @property
    def offset(self) -> int:
        """Its place."""

    @property
    def key(self) -> bytes | None:
        """The key as it lies there."""

    @property
    def value(self) -> bytes | None:
        """The value as it lies there."""


class Slice(NamedTuple):
    """What a fetch brought. Offsets: `first` that Kafka has (-1: it does not say), `stable`: all below is decided, `end`."""

    records: bytes
    aborted: Sequence[tuple[int, int]]
    first: int
    stable: int
    end: int


class Decided:
    """The committed records of a slice from an offset on, in steps of about STEP; `position` is where the next fetch goes on.

    Raises aiokafka's errors for a batch that is damaged.
    """

    def __init__(self, part: Slice, offset: int) -> None:
        self.part = part
        self.position = offset
        self._records = Records(part.records)
        self._aborted = sorted(part.aborted or (), key=lambda row: row[1])
        self._undone: set[int] = set()

    def __iter__(self) -> Iterator[Sequence[Row]]:
        rows: list[Row] = []
        for batches in count(1):
            if not self._records.has_next():
                break
            batch, start = self._records.next_batch(), self.position
            if not batch.validate_crc():
                raise CorruptRecordException(f"invalid CRC at offset {start}")
            for step in _from(start, self._rows(batch)) if self._shown(batch) else ():
                rows += step
                if len(rows) >= STEP:
                    yield rows
                    rows = []
            self.position = max(start, batch.next_offset)  # also where compaction took the last records of the batch
            if batches % STEP == 0:  # of markers, say, which bring no records
                yield rows
                rows = []
        if rows:
            yield rows

    def _shown(self, batch: Any) -> bool:
        while self._aborted and self._aborted[0][1] <= batch.base_offset:
            self._undone.add(self._aborted.pop(0)[0])
        if batch.is_control_batch:
            if ControlRecord.parse(next(batch).key) == ABORT_MARKER:
                self._undone.discard(batch.producer_id)
            return False
        return not (batch.is_transactional and batch.producer_id in self._undone)

    def _rows(self, batch: Any) -> Iterator[list[Row]]:
        """The batch in steps, whatever the names of its headers are."""
        following = batch.base_offset
        try:
            for step in _stepwise(batch):
                yield step
                following = step[-1].offset + 1
        except UnicodeDecodeError:
            whole = records(self._records.around(batch.base_offset) or b"")
            yield from _stepwise(row for row in whole if row.offset >= following)


def _stepwise(batch: Iterable[Any]) -> Iterator[list[Row]]:
    rows = chain(batch)  # a batch lets itself be iterated only from its start
    while step := list(islice(rows, STEP)):
        yield step


def _from(offset: int, steps: Iterator[list[Row]]) -> Iterator[list[Row]]:
    """A fetch begins with the batch that has the offset somewhere in it."""
    for step in steps:
        yield step if step[0].offset >= offset else [row for row in step if row.offset >= offset]
