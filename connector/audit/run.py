"""An entity audited from end to end: what that takes is put together here, and whatever becomes of it is reported."""

import hashlib
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from connector.audit.asking import Asking
from connector.audit.auditing import Audit, AuditContext, closing, position_of
from connector.audit.journal import ELSEWHERE, Journal, journal
from connector.audit.report import Report
from connector.audit.source import AuditSourceContext, ListSource, MarkedSource, Source
from connector.audit.verdict import Finding
from connector.audit.versions import Versions
from connector.audit.walk import other_limit
from connector.cancellation import cancel_wins
from connector.clock import Clock
from connector.config.load import Config
from connector.errors import ConnectorError
from connector.kafka.cluster import Cluster
from connector.kafka.configured import cluster_of
from connector.kafka.records import Place, Record, shard_partition
from connector.kafka.topics import partition_counts
from connector.kafka.writing.idempotent_producer import Producing
from connector.messages.position import Deployment
from connector.messages.topics import Topics
from connector.mplus.client import PosClient
from connector.source.entities import Choices, Entity

VERSION = 2
"""Version of the journal's format."""

FRESH = timedelta(hours=24)
"""What was read longer ago is read again: what vanished at the source since would go unnoticed."""

HOMELESS = f"progress is not kept: this user has no home folder; {ELSEWHERE}"

Mend = Callable[[Sequence[Finding]], Awaitable[None]]
Tell = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Assignment:
    """What is asked: `state` is a folder for what was read so far, if there is one; `restart` forgets it; `wait` in seconds."""

    config: Config
    administration: str
    state: Path | None
    wait: float
    restart: bool = False

    @property
    def brokers(self) -> Cluster:
        """Where the topics are."""
        return cluster_of(self.config.kafka)


async def ready(order: Assignment, entities: Sequence[Entity]) -> None:
    """Raises Fatal, before anything is read, for topics that are not there."""
    topics = Topics(order.administration)
    own = (topics.audits, topics.control, topics.control_results, topics.positions, topics.dead_letters)
    await partition_counts(
        order.brokers, *own, *(topics.entity(entity.topic) for entity in entities), made_by="run --roles source"
    )


class EntityAudit:
    """What the audit of one entity needs. `client` has a request rate of its own: pollers are not starved."""

    def __init__(self, order: Assignment, entity: Entity, client: PosClient, clock: Clock, tell: Tell) -> None:
        self._order = order
        self._entity = entity
        self._clock = clock
        self._tell = tell
        self._asking = Asking(client, entity, Choices(order.config.connector.order_types), clock)
        self._versions = Versions()
        self._findings: Sequence[Finding] = ()
        self._mended = self._nameless = 0
        self._marker: int | None = None
        self._warnings: list[str] = []

    async def report(self, mend: Mend | None) -> Report:
        """Audit it, have repaired what was found, and publish the report: whatever goes wrong is said in it."""
        started = self._clock.stamp()
        try:
            with cancel_wins(), journal(self._path(), self._warnings.append) as kept:
                await self._work(kept, mend)
                report = await self._published(started, "")
                if not report.problem:
                    kept.forget()
        except ConnectorError as error:
            report = await self._published(started, str(error))
        except Exception as error:  # the other entities are audited nevertheless
            report = await self._published(started, f"the audit failed ({type(error).__name__}): report it as a bug")
        return report

    async def _published(self, started: str, problem: str) -> Report:
        report = self._reported(started, problem)
        try:
            await publish(self._order, report)
        except ConnectorError as error:
            report = replace(report, problem=problem or f"the report could not be published: {error}")
        return report

    async def _work(self, kept: Journal, mend: Mend | None) -> None:
        parts = self._parts()
        source = self._source(kept, (await position_of(parts)).position.epoch)
        audit = Audit(parts, source, self._versions)
        self._findings = await audit.run()
        self._marker = audit.scanned
        if mend is not None and (asked := closing(self._findings)):
            await mend(asked)
            left = await audit.again(asked)
            self._mended = len(asked) - len(left)
            self._findings = [*(each for each in self._findings if each not in asked), *left]
        self._nameless = source.nameless

    def _source(self, kept: Journal, epoch: int) -> Source:
        limit = other_limit(self._order.config.connector.page_size)
        parts = AuditSourceContext(self._asking, self._entity, self._clock, limit)
        if self._entity.listed:
            return ListSource(parts, self._versions)
        source = MarkedSource(parts, self._versions, kept)
        if not self._order.restart and self._resumable(kept.head(), self._what(epoch)):
            source.resume()
        else:
            kept.begin({**self._what(epoch), "at": self._clock.wall().isoformat()})
        return source

    def _resumable(self, head: dict[str, Any] | None, what: dict[str, Any]) -> bool:
        """Whether the journal is of the same, and of the last day: one from the future is of a clock that was set back since."""
        if head is None or {**head, "at": None} != {**what, "at": None}:
            return False
        try:
            age = self._clock.wall() - datetime.fromisoformat(head["at"])
        except (KeyError, TypeError, ValueError):
            return False
        return timedelta(0) <= age < FRESH

    def _what(self, epoch: int) -> dict[str, Any]:
        """What the journal is of: with each restore of the POS all of it is read anew."""
        (url,) = (row.url for row in self._order.config.administrations if row.administration == self._order.administration)
        source = hashlib.blake2b(repr((url, self._order.config.connector.order_types)).encode(), digest_size=8).hexdigest()
        named = {"administration": self._order.administration, "entity": self._entity.name}
        return {"version": VERSION, **named, "epoch": epoch, "source": source}

    def _path(self) -> Path | None:
        if self._entity.listed:
            return None
        if self._order.state is None:
            self._warnings.append(HOMELESS)
            return None
        names = (self._order.config.connector.group, self._order.administration, self._entity.name)
        return self._order.state / f"{'.'.join(names)}.jsonl"

    def _parts(self) -> AuditContext:
        name, settings, entity = self._order.administration, self._order.config.connector, self._entity
        partition = shard_partition(name, entity.number, settings.work_partitions)
        return AuditContext(
            brokers=self._order.brokers,
            topic=Topics(name).entity(entity.topic),
            dead_letters=Topics(name).dead_letters,
            positions=Place(Topics(name).positions, partition),
            deployment=Deployment(settings.group, settings.work_partitions, adopt=True),
            entity=entity,
            clock=self._clock,
            wait=self._order.wait + (settings.lists_interval if entity.listed else 0.0),
            tell=self._tell,
        )

    def _reported(self, started: str, problem: str) -> Report:
        source, topic = self._versions.counts()
        return Report(
            id=uuid.uuid4().hex,
            administration=self._order.administration,
            entity=self._entity.name,
            started=started,
            ended=self._clock.stamp(),
            marker=self._marker,
            source=source,
            topic=topic,
            findings=self._findings,
            mended=self._mended,
            nameless=self._nameless,
            operations=sorted(self._asking.operations),
            warnings=self._warnings,
            problem=problem,
        )


async def publish(order: Assignment, report: Report) -> None:
    """Write the report's event. Raises Unanswered, Reject, Fatal."""
    producing, topic = Producing(order.brokers), Topics(order.administration).audits
    try:
        record = Record(topic, report.entity.encode(), report.encode(), report.headers())
        await producing.write(Place(topic, 0), record, "the audit's report")
    finally:
        await producing.close()
