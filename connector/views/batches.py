"""A batch of one partition's records, carried through a stage. Pure."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import orjson

from connector.kafka.records import Record
from connector.views.records import Arrival, Get, Observation, Outcome, Outgoing

Step = Callable[[Arrival, Get], Outcome]


class Refused(NamedTuple):
    """A record that was passed over, and why."""

    arrival: Arrival
    reason: str


@dataclass(slots=True)
class Batch:
    """All that the records lead to."""

    sends: list[Outgoing] = field(default_factory=list)
    counts: list[Observation] = field(default_factory=list)
    writes: dict[bytes, bytes | None] = field(default_factory=dict)
    refused: list[Refused] = field(default_factory=list)


def carried(step: Step, arrivals: Iterable[Arrival], get: Get, largest: int) -> Batch:
    """Each record in turn. One that cannot be understood, or makes a record of more than `largest` bytes, is passed over."""
    batch = Batch()

    def latest(key: bytes) -> bytes | None:
        return batch.writes[key] if key in batch.writes else get(key)

    for arrival in arrivals:
        try:
            outcome = step(arrival, latest)
            _must_fit(outcome, largest)
        except Exception as error:  # whatever a record does to us: it must not stop those behind it
            batch.refused.append(Refused(arrival, f"{type(error).__name__}: {error}"[:200]))
        else:
            batch.sends += outcome.sends
            batch.counts += outcome.counts
            batch.writes |= outcome.writes
    return batch


def _must_fit(outcome: Outcome, largest: int) -> None:
    made = [*((each.key, each.value) for each in outcome.sends), *outcome.writes.items()]
    if any(Record("", key, value).size > largest for key, value in made):
        raise ValueError(f"makes a record of more than {largest} bytes")


def figures(topic: str, partitions: int, source: tuple[str, int], counts: Iterable[Observation]) -> Outgoing | None:
    """The observations as one record, always in the same partition for the same source: there they are counted."""
    rows = [tuple(row) for row in counts]
    if not rows:
        return None
    name, partition = source
    value: Mapping[str, object] = {"partition": partition, "rows": rows}
    return Outgoing(topic, f"{name}|{partition}".encode(), orjson.dumps(value), partition % partitions)
