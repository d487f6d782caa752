"""Histories put into a real Kafka, and what `views` made of them."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from aiokafka import AIOKafkaProducer

from connector.config.load import Config, load
from connector.kafka.configured import cluster_of
from connector.kafka.topics import ensure
from connector.messages.window import Window
from connector.source.entities import ENTITIES
from connector.wiring.topics import plan
from tests.support.kafka.reading import read_topics
from tests.support.views.histories import BEGIN, Made

AT_ONCE = 800


def environment(bootstrap: str, name: str, **more: object) -> dict[str, str]:
    """Settings of an administration without a POS; `more` are CONNECTOR_… settings in lower case."""
    return {
        "KAFKA_BOOTSTRAP_SERVERS": bootstrap,
        "MPLUS_ADMINISTRATION": name,
        "MPLUS_URL": "http://127.0.0.1:1",
        "MPLUS_IDENT": "nobody",
        "MPLUS_SECRET": "nothing",
        "CONNECTOR_GROUP": name,
        **{f"CONNECTOR_{key.upper()}": str(value) for key, value in more.items()},
    }


def config_of(settings: Mapping[str, str]) -> Config:
    """The configuration that a program in this environment has."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        return load()


async def prepare(settings: Mapping[str, str]) -> None:
    """Create an administration's topics."""
    config = config_of(settings)
    assert [] == await ensure(cluster_of(config.kafka), plan(config, ENTITIES))


async def fill(settings: Mapping[str, str], records: Iterable[Made]) -> None:
    """Produce records as if they were of today: older windows are not kept."""
    name, today = settings["MPLUS_ADMINISTRATION"], f"{datetime.now(UTC):%Y-%m-%d}".encode()
    producer = AIOKafkaProducer(bootstrap_servers=settings["KAFKA_BOOTSTRAP_SERVERS"], max_batch_size=1 << 20, linger_ms=20)
    await producer.start()
    try:
        sent: list[Any] = []
        for made in records:
            value = made.value.replace(f"{BEGIN:%Y-%m-%d}".encode(), today)
            sent.append(await producer.send(f"{name}.{made.topic}", value, made.key, headers=made.headers))
            if len(sent) == AT_ONCE:
                await asyncio.gather(*sent)
                sent = []
        await asyncio.gather(*sent)
    finally:
        await producer.stop()


async def journeys_of(bootstrap: str, name: str) -> Mapping[str, Mapping[str, Any]]:
    """All journeys as a reader of the topic has them, by key."""
    return {key: orjson.loads(value) for key, value in (await _latest(bootstrap, f"{name}.order-journeys")).items()}


async def sums_of(bootstrap: str, name: str, size: int = 3600) -> Mapping[str, tuple[int, int]]:
    """Count and cents of each measure, over all windows of a size."""
    found: dict[str, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for key, value in (await _latest(bootstrap, f"{name}.views-windows")).items():
        window, row = Window.of(key.encode()), orjson.loads(value)
        if window.size == size:
            count, amount = found[window.measure]
            found[window.measure] = (count + row["count"], amount + (row["amount"] or 0))
    return dict(found)


async def _latest(bootstrap: str, topic: str) -> Mapping[str, bytes]:
    (records,) = (await read_topics(bootstrap, [topic])).values()
    latest = {record.key.decode(): record.value for record in records}
    return {key: value for key, value in latest.items() if value is not None}
