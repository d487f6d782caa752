"""Everything that the page shows, folded from the records of the topics."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Any

from connector.dashboard.folds.dead_letters import NewestLetters
from connector.dashboard.folds.journeys import Journeys, RecordLocation
from connector.dashboard.folds.outcomes import Outcomes
from connector.dashboard.folds.statuses import Arrival, Statuses
from connector.dashboard.folds.windows import Day, Windows
from connector.dashboard.parts import PageParts
from connector.kafka.records import Place
from connector.messages.dead_letter import DeadLetter
from connector.messages.topics import Topics

HOUR_S, DAY_S = 3600.0, 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Followed:
    """A kind of topic: how far back it is read (seconds; None: all of it), and at most how many records of a partition, if any.

    Kinds that are followed together have the same isolation.
    """

    name: str
    topic: Callable[[Topics], str]
    back: float | None = None
    most: int | None = None
    isolation: str = "read_committed"


KINDS = (
    # As written: else the open transaction of one worker that died would hide all others for up to 30 s. What a report tells
    # was committed before it was written.
    (Followed("statuses", attrgetter("status"), isolation="read_uncommitted"),),
    (Followed("results", attrgetter("results"), HOUR_S, 20_000), Followed("letters", attrgetter("dead_letters"), 7 * DAY_S, 500)),
    (Followed("windows", attrgetter("windows"), DAY_S + HOUR_S),),
    (Followed("journeys", attrgetter("journeys")),),
)
"""Topics that are followed together, a row each: what is long does not hold up what is short."""


class ReadModel:
    """Takes records in and shows them. `unreadable` counts those that make no sense."""

    def __init__(self, administrations: list[str], entities: list[str], day: Day) -> None:
        self.shown = PageParts()
        self.journeys = Journeys(self.shown, administrations)
        self._statuses = Statuses(self.shown, administrations, entities)
        self._outcomes = Outcomes(self.shown, administrations)
        self._letters = NewestLetters(self.shown, administrations)
        self._windows = Windows(self.shown, administrations, day)
        self._where = {
            topic: (kind.name, name) for kind in _kinds() for name in administrations for topic in [kind.topic(Topics(name))]
        }
        self._unreadable = 0

    def take(self, record: Any, now: float, *, live: bool = True) -> None:
        """A record of any of the topics, which came `now` (epoch seconds); not `live`: it had been there already.

        One that makes no sense is counted, and passed over.
        """
        kind, administration = self._where[record.topic]
        try:
            self._fold(kind, administration, record, Arrival(now, record.timestamp / 1000, live))
        except Exception:  # whatever a record does to us: it must not stop those behind it
            self._unreadable += 1
            self.shown.put("unreadable", self._unreadable)

    def clipped(self, topic: str, now: float) -> None:
        """Not all of a topic that is young enough was read: what is counted of it is at least so much."""
        kind, administration = self._where[topic]
        if kind == "letters":
            self._letters.clipped(administration, now)
        elif kind == "results":
            self._outcomes.clipped(administration, now)

    def _fold(self, kind: str, administration: str, record: Any, arrival: Arrival) -> None:
        if kind == "statuses":
            self._statuses.take(administration, record.key, record.value, arrival)
        elif kind == "results":
            self._outcomes.take(administration, round(arrival.moment * 1000), record.key, record.value)
        elif kind == "letters":
            self._letters.take(administration, replace(letter(record), timestamp=round(arrival.moment * 1000)))
        elif kind == "windows":
            self._windows.take(administration, record.key, record.value)
        else:
            self.journeys.take(administration, record.key, record.value, RecordLocation(record.partition, record.offset))

    def tick(self, now: float) -> None:
        """Show what is counted, as of now (epoch seconds)."""
        self._outcomes.tick(now)
        self._letters.tick(now)
        self._windows.tick(now)
        self.journeys.tick()


def _kinds() -> Iterator[Followed]:
    for row in KINDS:
        yield from row


def letter(record: Any) -> DeadLetter:
    """A dead letter without its body."""
    headers: Mapping[str, Any] = dict(record.headers)
    return DeadLetter(Place(record.topic, record.partition), record.offset, record.timestamp, record.key, None, headers)
