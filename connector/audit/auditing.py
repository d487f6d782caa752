"""The audit of one entity: the source, then the topic, then a second look at what differs, until it is explained.

What is found wrong was wrong at one moment: the connector had read as far as the item, the topic was read after that, and
then the source still showed the item there. So nothing that changes meanwhile is taken for a hole.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from connector.audit.reached import Reached, reached
from connector.audit.source import UNNAMED, Source, Suspect
from connector.audit.topic import ExcusingLetters, TopicReading
from connector.audit.verdict import Finding, Kind, Reach, judge
from connector.audit.versions import NONE, Target, Versions
from connector.clock import Clock
from connector.errors import Reject
from connector.kafka.cluster import Cluster
from connector.kafka.reading.readers import read_back
from connector.kafka.records import Place
from connector.messages.position import Deployment, State
from connector.source.entities import Entity

PAUSE_S = 1.0
"""Seconds between two looks at what the connector has not read yet."""


@dataclass(frozen=True, slots=True)
class AuditContext:
    """What an audit works with. `wait`: seconds that the connector is given to read what the source already shows."""

    brokers: Cluster
    topic: str
    dead_letters: str
    positions: Place
    deployment: Deployment
    entity: Entity
    clock: Clock
    wait: float
    tell: Callable[[str, int, int], None]


class Audit:
    """The audit of one entity."""

    def __init__(self, parts: AuditContext, source: Source, versions: Versions) -> None:
        self._parts = parts
        self._source = source
        self._versions = versions
        self._topic = TopicReading(parts.brokers, parts.topic, parts.entity, versions)
        self._reach = Reach(0, 0)

    @property
    def scanned(self) -> int | None:
        """The marker up to which the source was compared; None: it has none."""
        return None if self._parts.entity.listed else self._reach.scanned

    async def run(self) -> list[Finding]:
        """Compare. Raises Retry, Reject, Fatal where that cannot be done."""
        await self._read_source(await self._reached())
        self._reach = Reach(self._source.scanned, 0)
        await self._read_topic()
        return [*await self.look(self._suspects()), *await self._places()]

    async def again(self, findings: Sequence[Finding]) -> list[Finding]:
        """What is left of them."""
        names = {self._name(finding): finding for finding in findings}
        return await self.look({name: self._target(name) for name in names})

    async def look(self, targets: Mapping[bytes, Target]) -> list[Finding]:
        """Look at suspects again until each is explained, or confirmed, or the connector was given time enough."""
        confirmed: list[Finding] = []
        deadline = self._parts.clock.monotonic() + self._parts.wait
        while targets:
            await self._read_source(await self._reached())
            targets = {name: self._target(name) if each.version == NONE else each for name, each in targets.items()}  # it moved
            reached = await self._reached()
            await self._read_topic()
            self._reach = Reach(self._source.scanned, (await self._reached()).position.highest)
            unread, wrong = self._judged(targets, reached)
            holding = await self._source.still(wrong)
            confirmed += [self._finding(name, wrong[name].target) for name in holding]
            targets = unread | {name: self._target(name) for name in wrong.keys() - holding}
            stopped = reached.position.state.stopped and wrong.keys() == holding
            if self._parts.clock.monotonic() > deadline or stopped:
                return await self._explained([*confirmed, *(self._unread(name) for name in targets)])
            if targets:
                self._parts.tell("looking again at what differs", len(confirmed), len(confirmed) + len(targets))
                await self._parts.clock.sleep(PAUSE_S)
        return await self._explained(confirmed)

    def _suspects(self) -> dict[bytes, Target]:
        """Rows of an append-only topic that the source shows no more, since it keeps them no longer, are none."""
        names = self._versions.differing()
        if self._parts.entity.compacted:
            return {name: self._target(name) for name in names}
        lowest = self._versions.lowest()
        return {
            name: self._target(name) for name in names if max(self._versions.source(name), self._versions.topic(name)) >= lowest
        }

    def _judged(self, targets: Mapping[bytes, Target], reached: Reached) -> tuple[dict[bytes, Target], dict[bytes, Suspect]]:
        unread: dict[bytes, Target] = {}
        wrong: dict[bytes, Suspect] = {}
        for name, target in targets.items():
            topic = self._versions.topic(name)
            read = self._was_read(reached, name, target.version)
            kind = judge(target, topic, self._reach, read=read)
            if kind is Kind.UNREAD:
                unread[name] = target
            elif kind is not None:
                wrong[name] = Suspect(target, topic)
        return unread, wrong

    def _was_read(self, reached: Reached, name: bytes, version: int) -> bool:
        if self._parts.entity.listed:
            gone = version == NONE and self._source.nameless > 0  # it deletes nothing then, for as long as that lasts
            return gone or reached.has_row(name.decode(), self._topic.hashes.get(name), gone=version == NONE)
        where = self._source.below.get(name)
        return reached.has(version, version if where is None else where.upto)

    async def _reached(self) -> Reached:
        return await position_of(self._parts)

    async def _read_source(self, reached: Reached) -> None:
        await self._source.read(lambda at, end: self._parts.tell("reading the source", at, end), reached.position.highest)

    async def _read_topic(self) -> None:
        await self._topic.read(lambda at, end: self._parts.tell("reading the topic", at, end))

    def _target(self, name: bytes) -> Target:
        return Target(self._versions.source(name), name in self._versions.deleted)

    def _name(self, finding: Finding) -> bytes:
        marker = finding.topic_marker if finding.marker is None else finding.marker
        return self._parts.entity.name_of(finding.identity, marker or 0).encode()

    def _finding(self, name: bytes, target: Target) -> Finding:
        kind = judge(target, self._versions.topic(name), self._reach, read=True)
        return self._described(kind or Kind.UNREAD, name, target)

    def _unread(self, name: bytes) -> Finding:
        return self._described(Kind.UNREAD, name, self._target(name))

    def _described(self, kind: Kind, name: bytes, target: Target) -> Finding:
        identity = name.decode(errors="replace")
        if not self._parts.entity.compacted:
            identity = identity.rpartition(":")[0]
        listed, where = self._parts.entity.listed, self._source.below.get(name)
        topic = self._topic.markers.get(name, NONE) if listed else self._versions.topic(name)
        asked = None if where is None else where.asked
        return Finding(kind, identity, None if listed else _marker(target.version), _marker(topic), asked)

    async def _letters(self) -> ExcusingLetters:
        found = ExcusingLetters(self._parts.entity, (await self._reached()).position.epoch)
        await found.read(self._parts.brokers, self._parts.dead_letters, [self._parts.topic])
        return found

    async def _places(self) -> list[Finding]:
        """What could not be had, unless it was one item, which is in dead letters."""
        places = self._source.places
        found = await self._letters() if places else None
        return [
            Finding(
                Kind.DEAD_LETTER if found and found.stands_for(place.last, "") else Kind.UNREADABLE,
                "", place.first, None, last=place.last, reason=place.reason,
            )
            for place in places
        ]  # fmt: skip

    async def _explained(self, findings: Sequence[Finding]) -> list[Finding]:
        """Dead letters stand for items; retention removes rows; and an item without a name may be one that seems gone."""
        if not findings:
            return []
        found, named = await self._letters(), _without_doubles(findings)
        return [self._excused(finding, found) for finding in sorted(named, key=_order)]

    def _excused(self, finding: Finding, found: ExcusingLetters) -> Finding:
        kind, marker = finding.kind, finding.marker
        if kind is Kind.GONE:
            kind = Kind.UNPROVEN if self._source.nameless or self._source.places else kind
        elif found.stands_for(
            self._versions.source(self._name(finding)) if self._parts.entity.listed else marker, _known(finding)
        ):
            kind = Kind.DEAD_LETTER
        elif marker is not None and not self._parts.entity.compacted and self._topic.expired(finding.identity, marker):
            kind = Kind.EXPIRED
        return replace(finding, kind=kind)


async def position_of(parts: AuditContext) -> Reached:
    """How far the connector has read. Raises Reject where that cannot be compared with anything."""
    written = (await read_back(parts.brokers, *parts.positions)).get(parts.entity.name.encode())
    if written is None:
        raise Reject("no worker has ever read it: start one (`run`)")
    found = reached(parts.deployment, written)
    if found.position.state == State.HEAD_REGRESSED:
        raise Reject("the POS's head fell, so that its markers come again: resync it first")
    return found


def _known(finding: Finding) -> str:
    """Its name; empty where nobody can read it."""
    return "" if finding.identity.startswith(UNNAMED) else finding.identity


def _without_doubles(findings: Sequence[Finding]) -> list[Finding]:
    """An item whose name the connector can read, and the audit cannot, is not one missing and another gone."""
    unnamed = {each.marker: each for each in findings if each.identity.startswith(UNNAMED) and each.kind is Kind.MISSING}
    same = {each.topic_marker: each for each in findings if each.kind is Kind.GONE and each.topic_marker in unnamed}
    doubles = [*same.values(), *(unnamed[marker] for marker in same if marker is not None)]
    return [each for each in findings if each not in doubles]


def _marker(version: int) -> int | None:
    return None if version < 0 else version


def _order(finding: Finding) -> tuple[str, int, str]:
    return finding.kind.value, finding.marker or 0, finding.identity


def closing(findings: Iterable[Finding]) -> list[Finding]:
    """Findings that a repair can close: also items whose dead letter stands for them, if they can be read by now."""
    named = [finding for finding in findings if finding.identity]
    return [finding for finding in named if finding.kind.hole or finding.kind is Kind.DEAD_LETTER]
