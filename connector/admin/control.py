"""Asking the pollers' owners to do something, and hearing what became of it."""

import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import chain
from typing import Any, NamedTuple

import orjson
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from connector.kafka.cluster import Brokers
from connector.kafka.idempotent_producer import Producing
from connector.kafka.reading.topic_readers import consuming
from connector.kafka.records import Place, Record

ANSWERED = ("action", "entity", "status", "reason", "owner")
"""What every answer says, in words."""


class Wish(NamedTuple):
    """What shall be done: pause, resume or resync, from a marker on (None: as the entity's state says); or repair.

    A repair names `items` to read again, and what is `gone`, by identity and sync marker (of what is gone, the last one).
    """

    action: str
    entity: str
    start: int | None = None
    by: str = ""
    items: Sequence[tuple[str, int]] = ()
    gone: Sequence[tuple[str, int]] = ()


class News(NamedTuple):
    """What was heard: an answer, as published; or else where the entity's position stands now."""

    answer: Mapping[str, Any] | None
    marker: int


@asynccontextmanager
async def asked(kafka: str | Mapping[str, Any], administration: str, wish: Wish) -> AsyncIterator[AsyncIterator[News]]:
    """Ask, and hear all news from then on. Raises Fatal, Unanswered."""
    brokers = Brokers(kafka)
    control, *heard = (f"{administration}.{word}" for word in ("connector-control", "connector-control-results", "sync-markers"))
    _, *counts = await brokers.partitions(control, *heard, made_by="run --roles source")
    places = [TopicPartition(topic, each) for topic, count in zip(heard, counts, strict=True) for each in range(count)]
    async with consuming(brokers) as consumer:
        consumer.assign(places)
        for place, end in (await consumer.end_offsets(places)).items():  # before asking: no answer is missed
            consumer.seek(place, end)
        request = await _ask(brokers, control, wish)
        yield _news(consumer, request, wish.entity)


async def _ask(brokers: Brokers, topic: str, wish: Wish) -> str:
    request, producing = str(uuid.uuid4()), Producing(brokers)
    row: dict[str, Any] = {"id": request, "action": wish.action, "entity": wish.entity}
    row |= {} if wish.start is None else {"from": wish.start}
    row |= {name: rows for name, rows in (("items", wish.items), ("gone", wish.gone)) if rows}
    row |= {"at": datetime.now(UTC).isoformat(timespec="milliseconds"), "by": wish.by}
    try:
        await producing.write(Place(topic, 0), Record(topic, wish.entity.encode(), orjson.dumps(row)), f"request {request}")
    finally:
        await producing.close()
    return request


async def _news(consumer: AIOKafkaConsumer, request: str, entity: str) -> AsyncIterator[News]:
    while True:
        batches = await consumer.getmany(timeout_ms=1000)
        for record in chain.from_iterable(batches.values()):
            news = _told(record, request, entity)
            if news is not None:
                yield news


def _told(record: ConsumerRecord, request: str, entity: str) -> News | None:
    """None for what is about something else, or no record of the connector's."""
    row = _object(record.value) if record.key == entity.encode() else {}
    if record.topic.endswith(".sync-markers"):
        marker = row.get("syncMarker")
        return News(None, marker) if isinstance(marker, int) else None
    if row.get("id") != request or not isinstance(row.get("status"), str):
        return None
    return News({**row, **{name: str(row.get(name) or "") for name in ANSWERED}}, -1)


def _object(value: bytes | None) -> dict[str, Any]:
    try:
        found = orjson.loads(value or b"")
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}
