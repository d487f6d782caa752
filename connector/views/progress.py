"""How far a worker is: what it has to do before it is up to date, and for how long."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from faust.types import TP

from connector.views.app import ViewsApp
from connector.views.consumer import CarefulConsumer

LATE, MANY = 10, 1_000
"""Looks, two seconds apart, at each of which more records were to do than a second's work: that is no longer what just came."""

LATE_ELSEWHERE = 1
"""Looks at what others have to do, ten seconds apart, likewise."""

NEAR = 100
"""Records: a worker that has no more to do has caught up. A busy shop always has some."""


@dataclass(slots=True)
class Progress:
    """`lag`: records to do by topic. `restoring`: table entries to read back. `caught_up`: whether it ever was up to date.
    `late`: looks at which much was to do, without a break. `trouble`: why nobody can tell. `elsewhere`: records that other
    workers have to do, and `elsewhere_late` looks at which that was much: the page of this worker shows theirs, too."""

    working: bool = False
    trouble: str = ""
    restoring: int = 0
    lag: Mapping[str, int] = field(default_factory=dict)
    caught_up: bool = False
    late: int = 0
    elsewhere: int = 0
    elsewhere_late: int = 0

    @property
    def to_do(self) -> int:
        """Records in all."""
        return sum(self.lag.values())

    def reasons(self) -> list[str]:
        """Why the worker is not ready, in words."""
        if self.trouble:
            return [self.trouble]
        if not self.working:
            return ["Kafka has not handed out the partitions (yet)"]
        if self.restoring:
            return [f"{self.restoring:,} table entries are still to be read back"]
        return [] if self.caught_up else [self._behind()]

    def unknown(self, why: str) -> None:
        """A look failed: what was known may be so no more."""
        self.trouble = why

    def doubts(self) -> list[str]:
        """Why what it has folded may be old, in words."""
        if found := self.reasons() or ([self._behind()] if self.late > LATE else []):
            return found
        behind = self.elsewhere_late > LATE_ELSEWHERE
        return [f"{self.elsewhere:,} records are still to be read by other workers of views"] if behind else []

    def others(self, records: int) -> None:
        """What other workers have to do, as the group's offsets tell."""
        self.elsewhere = records
        self.elsewhere_late = self.elsewhere_late + 1 if records > MANY else 0

    def _behind(self) -> str:
        return f"{self.to_do:,} records are still to be read"


async def look(app: ViewsApp, progress: Progress) -> None:
    """Bring it up to date; the worker is in no trouble once Kafka has answered. Raises Kafka's errors."""
    consumer = app.careful
    places = {place for place in consumer.assignment() if not consumer._is_changelog_tp(place)}
    progress.working = app._assignment is not None and not app.rebalancing
    progress.restoring = app.restoring() if app.in_recovery else 0  # whatever Kafka answers: it tells whether that goes on
    await consumer.highwaters(next(iter(places), _any_place(app)))  # one without partitions asks, too
    found = await lag(consumer, places) if progress.working and not app.in_recovery else None
    progress.trouble = ""
    if found is None:
        return
    progress.lag = found
    progress.caught_up = progress.caught_up or progress.to_do <= NEAR
    progress.late = progress.late + 1 if progress.to_do > MANY else 0


def _any_place(app: ViewsApp) -> TP:
    """A partition that is always there."""
    return TP(min(topics_of(app)), 0)


def topics_of(app: ViewsApp) -> set[str]:
    """Names of the topics that its stages read, and no changelogs of tables: nobody commits offsets of those."""
    tables: Any = app.tables
    return {name for channel in app.topics for name in channel.topics} - set(tables.changelog_topics)


async def lag(consumer: CarefulConsumer, places: set[TP]) -> Mapping[str, int]:
    """Records that were written and not carried out, by topic.

    What is done is noted before the ends are asked for: else a stage could end meanwhile, and what it sent on be overlooked.
    """
    done = {place: consumer.following(place) or consumer._committed_offset[place] or 0 for place in places}
    ends: Mapping[TP, Any] = await consumer.highwaters(*places) if places else {}
    firsts = await consumer.earliest_offsets(*places) if places else {}
    found: Counter[str] = Counter({place.topic: 0 for place in places})
    for place in places:
        found[place.topic] += await _behind(consumer, place, max(done[place], firsts.get(place) or 0), ends.get(place) or 0)
    return dict(found)


async def _behind(consumer: CarefulConsumer, place: TP, done: int, end: int) -> int:
    if done >= end:
        return 0
    if (await consumer.position(place) or 0) >= end and consumer.trackers[place].lowest is None:
        return 0  # what follows are markers of transactions, or what compaction removed
    return end - done
