"""Aids for tests of audits: holes planted in a topic or at the POS, and audits run in this process."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
from aiokafka import AIOKafkaProducer

from connector.audit.repairing import repair_all, requests
from connector.audit.report import Report
from connector.audit.run import Assignment, EntityAudit
from connector.audit.verdict import Finding
from connector.clock import Clock
from connector.config.load import Config
from connector.kafka.records import shard_partition
from connector.messages.dead_letter import dead_letter_headers
from connector.mplus.client import PosClient, Retries
from connector.mplus.responses.process import InlineDecoder
from connector.sandbox import Sandbox
from connector.source.entities import named
from connector.wiring import access
from tests.support.kafka.topics import read_all


async def plant(bootstrap: str, topic: str, key: str, value: bytes | None, marker: int | None = None) -> None:
    """Write a record as anybody could: no value takes an item away."""
    headers = [] if marker is None else [("ce_syncmarker", b"%d" % marker)]
    async with AIOKafkaProducer(bootstrap_servers=bootstrap) as producer:
        await producer.send_and_wait(topic, value, key.encode(), headers=headers)


def vanish(pos: Sandbox, entity: str, identity: str) -> int:
    """Take an item out of the POS, which tells nobody; its marker."""
    sequence = pos.shop.sequences[entity]
    item = sequence.by_identity.pop(identity)
    sequence._take_out(item)
    return item.marker


async def audited(
    config: Config, state: Path | None, *names: str, repair: bool = False, wait: float = 10.0, restart: bool = False
) -> dict[str, Report]:
    """The reports of these entities, or all."""
    (administration,) = config.administrations
    order = Assignment(config, administration.administration, state, wait, restart)
    reached = access(administration, config.connector.audit_requests_per_second)
    client = PosClient(reached, InlineDecoder(), lambda _: None, retries=Retries(attempts=2, first=0.01, most=0.05))
    reports = {}
    try:
        for entity in named(names):

            async def mend(findings: Sequence[Finding], name: str = entity.name) -> None:
                await repair_all(order.brokers, order.administration, list(requests(name, findings, "test")), lambda *_: None)

            audit = EntityAudit(order, entity, client, Clock(), lambda *_: None)
            reports[entity.name] = await audit.report(mend if repair else None)
    finally:
        await client.close()
    return reports


def found(report: Report) -> set[tuple[str, str]]:
    """Kind and identity of what is shown."""
    return {(finding.kind.value, finding.identity) for finding in report.findings}


async def lasts(bootstrap: str, topic: str) -> dict[str, Any]:
    """The last record of every key."""
    return {record.key.decode(): record for record in await read_all(bootstrap, topic)}


def kept(state: Path) -> list[bytes]:
    """What audits remember of what they have read, a file each."""
    return [path.read_bytes() for path in state.rglob("*.jsonl")]


async def positioned(bootstrap: str, config: Config, entity: str, marker: int, **more: Any) -> None:
    """Write a position as a connector would that has read, or says that it has read, so far."""
    (administration,) = config.administrations
    name, settings = administration.administration, config.connector
    row = {"syncMarker": marker, "group": settings.group, "partitions": settings.work_partitions, "state": "running"}
    place = shard_partition(name, named([entity])[0].number, settings.work_partitions)
    async with AIOKafkaProducer(bootstrap_servers=bootstrap) as producer:
        value = orjson.dumps({**row, "epoch": 0, "hashes": {}, **more})
        await producer.send_and_wait(f"{name}.sync-markers", value, entity.encode(), partition=place)


async def lettered(
    bootstrap: str, prefix: str, entity: str, marker: int, epoch: int | None = None, identity: str = "", **more: int
) -> None:
    """Write a dead letter as a connector would; `first`: it stands for all markers from there on."""
    (row,) = named([entity])
    headers = [
        *dead_letter_headers((f"{prefix}.{row.topic}", -1, -1), "decode", "kind", "reason"),
        ("ce_syncmarker", b"%d" % marker),
    ]
    headers += [("ce_subject", identity.encode())] if identity else []
    headers += [] if epoch is None else [("mplus_epoch", b"%d" % epoch)]
    headers += [(f"mplus_{name}_syncmarker", b"%d" % value) for name, value in more.items()]
    async with AIOKafkaProducer(bootstrap_servers=bootstrap) as producer:
        await producer.send_and_wait(f"{prefix}.dead-letters", b"<x/>", entity.encode(), headers=headers)
