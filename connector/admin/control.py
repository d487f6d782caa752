"""Asking the pollers' owners to do something, and hearing what became of it."""

import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import chain
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from connector.kafka.cluster import Cluster
from connector.kafka.reading.topic_readers import consuming
from connector.kafka.records import Place, Record
from connector.kafka.topics import partition_counts
from connector.kafka.writing.idempotent_producer import Producing
from connector.messages.control import ControlRequest
from connector.messages.loose_json import object_in
from connector.messages.topics import Topics

ANSWERED = ("action", "entity", "status", "reason", "owner")
"""What every answer says, in words."""


class ControlUpdate(NamedTuple):
    """What was heard: an answer, as published; or else where the entity's position stands now."""

    answer: Mapping[str, Any] | None
    marker: int


@asynccontextmanager
async def asked(cluster: Cluster, administration: str, request: ControlRequest) -> AsyncIterator[AsyncIterator[ControlUpdate]]:
    """Ask, and hear all updates from then on. Raises Fatal, Unanswered."""
    topics = Topics(administration)
    control, *heard = topics.control, topics.control_results, topics.positions
    _, *counts = await partition_counts(cluster, control, *heard, made_by="run --roles source")
    places = [TopicPartition(topic, each) for topic, count in zip(heard, counts, strict=True) for each in range(count)]
    async with consuming(cluster) as consumer:
        consumer.assign(places)
        for place, end in (await consumer.end_offsets(places)).items():  # before asking: no answer is missed
            consumer.seek(place, end)
        yield _updates(consumer, await _ask(cluster, control, request), request.entity)


async def _ask(cluster: Cluster, topic: str, request: ControlRequest) -> str:
    request_id, producing = str(uuid.uuid4()), Producing(cluster)
    value = request.encode(request_id, datetime.now(UTC).isoformat(timespec="milliseconds"))
    try:
        await producing.write(Place(topic, 0), Record(topic, request.entity.encode(), value), f"request {request_id}")
    finally:
        await producing.close()
    return request_id


async def _updates(consumer: AIOKafkaConsumer, request_id: str, entity: str) -> AsyncIterator[ControlUpdate]:
    while True:
        batches = await consumer.getmany(timeout_ms=1000)
        for record in chain.from_iterable(batches.values()):
            update = _told(record, request_id, entity)
            if update is not None:
                yield update


def _told(record: ConsumerRecord, request_id: str, entity: str) -> ControlUpdate | None:
    """None for what is about something else, or no record of the connector's."""
    row = object_in(record.value) if record.key == entity.encode() else {}
    if record.topic.endswith(Topics("").positions):
        marker = row.get("syncMarker")
        return ControlUpdate(None, marker) if isinstance(marker, int) else None
    if row.get("id") != request_id or not isinstance(row.get("status"), str):
        return None
    return ControlUpdate({**row, **{name: str(row.get(name) or "") for name in ANSWERED}}, -1)
