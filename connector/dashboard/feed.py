"""Topics as they go on, into a fold: through outages of the brokers, and from when a topic is made."""

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from connector.backoff import backoff
from connector.clock import Clock
from connector.dashboard.brokers import BrokerWatch
from connector.dashboard.parts import PageParts
from connector.dashboard.read_model import Followed
from connector.errors import Fatal, Retry
from connector.kafka.reading.followers import Follower, following
from connector.kafka.reading.starts import since
from connector.kafka.records import Place
from connector.messages.topics import Topics


class Folds(Protocol):
    """What takes records of aiokafka's in."""

    def take(self, record: Any, now: float, *, live: bool) -> None:
        """When one comes; not `live`: it had been there already."""

    def clipped(self, topic: str, now: float) -> None:
        """Not all that is young enough was read: it is too much."""


WAIT_S = 0.5
"""Seconds between looks whether a topic is there."""
LONGEST_S = 5.0
"""Seconds until the next attempt after a failure, at most: somebody is looking."""


class Feed:
    """Follows some kinds of topics of all administrations in one consumer, without a group.

    Shows parts `reading/{kind}` while it is behind, and `trouble/{kind}` while it cannot read.
    """

    def __init__(self, kinds: Iterable[Followed], administrations: Iterable[str], brokers: BrokerWatch, clock: Clock) -> None:
        names = list(administrations)
        self._kinds = {kind.topic(Topics(name)): kind for kind in kinds for name in names}
        self._name = "/".join(sorted({kind.name for kind in self._kinds.values()}))
        (self._isolation,) = {kind.isolation for kind in self._kinds.values()}
        self._brokers = brokers
        self._clock = clock
        self._next: dict[Place, int] = {}

    async def run(self, folds: Folds, shown: PageParts) -> None:
        """Until cancelled."""
        failures = 0
        while True:
            try:
                with self._brokers.cluster.reaching():
                    await self._follow(folds, shown)
                failures = 0
            except (Fatal, Retry) as error:
                failures += 1
                shown.put(f"trouble/{self._name}", str(error))
                await self._clock.sleep(min(LONGEST_S, backoff(failures, self._clock.chance())))

    async def _follow(self, folds: Folds, shown: PageParts) -> None:
        """Until the brokers were away, or there are more partitions than before."""
        while not (places := self._places()):
            await self._clock.sleep(WAIT_S)
        await self._find_starts([place for place in places if place not in self._next], folds)
        outages, starts = self._brokers.outages, {place: self._next[place] for place in places}
        async with following(self._brokers.cluster, starts, self._isolation) as follower:
            shown.put(f"trouble/{self._name}", None)
            while self._brokers.outages == outages and places == self._places():
                records = await follower.next()
                now = self._clock.wall().timestamp()
                for record in records:
                    place = Place(record.topic, record.partition)
                    folds.take(record, now, live=record.offset >= follower.ends[place])
                    self._next[place] = record.offset + 1
                shown.put(f"reading/{self._name}", self._progress(follower, starts) if records else None)

    def _places(self) -> list[Place]:
        there: Mapping[str, int] = self._brokers.topics
        return [Place(topic, partition) for topic in self._kinds for partition in range(there.get(topic, 0))]

    async def _find_starts(self, places: Iterable[Place], folds: Folds) -> None:
        """A place that is new is read from where its kind says."""
        now = self._clock.wall().timestamp()
        for topic, kind in self._kinds.items():
            new = [place for place in places if place.topic == topic]
            if kind.back is None:
                self._next |= dict.fromkeys(new, 0)
            elif new:
                starts = await since(self._brokers.cluster, new, now - kind.back, kind.most)
                self._next |= {place: start.offset for place, start in starts.items()}
                if any(start.clipped for start in starts.values()):
                    folds.clipped(topic, now)

    def _progress(self, follower: Follower, starts: Mapping[Place, int]) -> dict[str, Any] | None:
        """How far it is, of what there was when it began; nothing to tell once that is read."""
        done = sum(min(self._next[place], end) - min(starts[place], end) for place, end in follower.ends.items())
        of = sum(end - min(starts[place], end) for place, end in follower.ends.items())
        return {"done": done, "of": of} if done < of else None
