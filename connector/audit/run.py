"""An entity audited from end to end: what that takes is put together here, and whatever becomes of it is reported."""

import hashlib
import uuid
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from connector.audit.auditing import Audit, AuditParts, closing, position_of
from connector.audit.journal import Journal, journal
from connector.audit.report import Report
from connector.audit.source import ListSource, MarkedSource, Source, SourceParts
from connector.audit.verdict import Finding
from connector.audit.versions import Versions
from connector.client.brokers import Brokers
from connector.client.producing import Producing
from connector.clock import Clock
from connector.config import Config
from connector.errors import ConnectorError
from connector.kafka.connection import client_arguments
from connector.kafka.records import Place, Record, shard_partition
from connector.mplus.client import PosClient
from connector.source.entities import Choices, Entity
from connector.source.heads import Heads
from connector.source.positions import Deployment
from connector.source.reader import Reader
from connector.topics import audits_topic, control_results_topic, control_topic, dead_letters_topic, positions_topic

HEADS_EVERY = 1.0
"""Seconds between two looks at the heads."""

FRESH = timedelta(hours=24)
"""What was read longer ago is read again: what vanished at the source since would go unnoticed."""

Mend = Callable[[Sequence[Finding]], Awaitable[None]]
Tell = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked: `state` is a folder for what was read so far, which `restart` forgets; `wait` is in seconds."""

    config: Config
    administration: str
    state: Path
    wait: float
    restart: bool = False

    @property
    def brokers(self) -> Brokers:
        """Where the topics are."""
        return Brokers(client_arguments(self.config.kafka))


async def ready(order: Order, entities: Sequence[Entity]) -> None:
    """Raises Fatal, before anything is read, for topics that are not there."""
    name = order.administration
    own = (audits_topic(name), control_topic(name), control_results_topic(name), positions_topic(name), dead_letters_topic(name))
    topics = [f"{name}.{entity.topic}" for entity in entities]
    await order.brokers.partitions(*own, *topics, made_by="run --roles source")


class EntityAudit:
    """Of one entity. `client` has a request rate of its own: pollers are not starved."""

    def __init__(self, order: Order, entity: Entity, client: PosClient, clock: Clock, tell: Tell) -> None:
        self._order = order
        self._entity = entity
        self._client = client
        self._clock = clock
        self._tell = tell
        self._versions = Versions()
        self._findings: Sequence[Finding] = ()
        self._mended = self._unreadable = 0
        self._marker: int | None = None

    async def report(self, mend: Mend | None) -> Report:
        """Audit it, have repaired what was found, and publish the report. Raises Fatal where even that cannot be done."""
        started, problem = self._clock.stamp(), ""
        with ExitStack() as stack:
            try:
                kept = None if self._entity.listed else stack.enter_context(journal(self._path))
                await self._work(kept, mend)
            except ConnectorError as error:
                kept, problem = None, str(error)
            report = self._reported(started, problem)
            await publish(self._order, report)
            if kept is not None:
                kept.forget()
        return report

    async def _work(self, kept: Journal | None, mend: Mend | None) -> None:
        heads = Heads(self._client, [self._entity], HEADS_EVERY, self._clock)
        try:
            parts = self._parts()
            source = self._source(heads, kept, (await position_of(parts)).epoch)
            audit = Audit(parts, source, self._versions)
            self._findings = await audit.run()
            self._marker = audit.scanned
            if mend is not None and (asked := closing(self._findings)):
                await mend(asked)
                left = await audit.again(asked)
                self._mended = len(asked) - len(left)
                self._findings = [*(each for each in self._findings if each not in asked), *left]
            self._unreadable = source.nameless
        finally:
            await heads.close()

    def _source(self, heads: Heads, kept: Journal | None, epoch: int) -> Source:
        settings = self._order.config.connector
        reader = Reader(self._client, self._entity, Choices(settings.order_types))
        parts = SourceParts(reader, self._entity, heads, self._clock, settings.page_size)
        if kept is None:
            return ListSource(parts, self._versions)
        source = MarkedSource(parts, self._versions, kept)
        if not self._order.restart and self._resumable(kept.head(), self._what(epoch)):
            source.resume()
        else:
            kept.begin({**self._what(epoch), "at": self._clock.wall().isoformat()})
        return source

    def _resumable(self, head: dict[str, Any] | None, what: dict[str, Any]) -> bool:
        if head is None or {**head, "at": None} != {**what, "at": None}:
            return False
        return self._clock.wall() - datetime.fromisoformat(head["at"]) < FRESH

    def _what(self, epoch: int) -> dict[str, Any]:
        """What the journal is of: with each restore of the POS all of it is read anew."""
        (url,) = (row.url for row in self._order.config.administrations if row.administration == self._order.administration)
        source = hashlib.blake2b(repr((url, self._order.config.connector.order_types)).encode(), digest_size=8).hexdigest()
        named = {"administration": self._order.administration, "entity": self._entity.name}
        return {"version": 1, **named, "epoch": epoch, "source": source}

    @property
    def _path(self) -> Path:
        names = (self._order.config.connector.group, self._order.administration, self._entity.name)
        return self._order.state / f"{'.'.join(names)}.jsonl"

    def _parts(self) -> AuditParts:
        name, settings, entity = self._order.administration, self._order.config.connector, self._entity
        partition = shard_partition(name, entity.number, settings.work_partitions)
        return AuditParts(
            brokers=self._order.brokers,
            topic=f"{name}.{entity.topic}",
            dead_letters=dead_letters_topic(name),
            positions=Place(positions_topic(name), partition),
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
            unreadable=self._unreadable,
            problem=problem,
        )


async def publish(order: Order, report: Report) -> None:
    """Write the report's event. Raises Unanswered, Reject, Fatal."""
    producing, topic = Producing(order.brokers), audits_topic(order.administration)
    try:
        record = Record(topic, report.entity.encode(), report.encode(), report.headers())
        await producing.write(Place(topic, 0), record, "the audit's report")
    finally:
        await producing.close()
