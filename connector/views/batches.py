"""A batch of one partition's records, carried through a stage. Pure."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import orjson

from connector.kafka.records import Record
from connector.views.records import Get, InputRecord, Measurement, OutputRecord, StageResult

Step = Callable[[InputRecord, Get], StageResult]


class Refused(NamedTuple):
    """A record that was passed over, and why."""

    record: InputRecord
    reason: str


@dataclass(slots=True)
class Batch:
    """All that the records lead to."""

    sends: list[OutputRecord] = field(default_factory=list)
    counts: list[Measurement] = field(default_factory=list)
    writes: dict[bytes, bytes | None] = field(default_factory=dict)
    refused: list[Refused] = field(default_factory=list)


def carried(step: Step, records: Iterable[InputRecord], get: Get, largest: int) -> Batch:
    """Each record in turn. One that cannot be understood, or makes a record of more than `largest` bytes, is passed over."""
    batch = Batch()

    def latest(key: bytes) -> bytes | None:
        return batch.writes[key] if key in batch.writes else get(key)

    for record in records:
        try:
            outcome = step(record, latest)
            _must_fit(outcome, largest)
        except Exception as error:  # whatever a record does to us: it must not stop those behind it
            batch.refused.append(Refused(record, f"{type(error).__name__}: {error}"[:200]))
        else:
            batch.sends += outcome.sends
            batch.counts += outcome.counts
            batch.writes |= outcome.writes
    return batch


def _must_fit(outcome: StageResult, largest: int) -> None:
    made = [*((each.key, each.value) for each in outcome.sends), *outcome.writes.items()]
    if any(Record("", key, value).size > largest for key, value in made):
        raise ValueError(f"makes a record of more than {largest} bytes")


class Source(NamedTuple):
    """The partition that measurements are of; `id`: of the topic, so that one made anew is told from the one before."""

    topic: str
    partition: int
    id: str


def figures(topic: str, partitions: int, source: Source, counts: Iterable[Measurement]) -> OutputRecord:
    """The measurements as one record, always in the same partition for the same source: there they are counted."""
    rows = [tuple(row) for row in counts]
    value: Mapping[str, object] = {"partition": source.partition, "topic": source.id, "rows": rows}
    return OutputRecord(topic, f"{source.topic}|{source.partition}".encode(), orjson.dumps(value), source.partition % partitions)
