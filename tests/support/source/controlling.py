"""Aids for tests of control: requests, and what became of them."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from typing import Any

import orjson
from aiokafka import AIOKafkaProducer

from tests.support.kafka.topics import read_all
from tests.support.source.polling import headers

Row = Mapping[str, Any]


async def ask(bootstrap: str, prefix: str, action: str, entity: str, **more: Any) -> None:
    """Write a request; its id is the action unless `id` says another."""
    row = {"id": action, "action": action, "entity": entity, "by": "test"} | {
        name.rstrip("_"): each for name, each in more.items()
    }
    await write(bootstrap, prefix, orjson.dumps(row), entity[:20])


async def write(bootstrap: str, prefix: str, value: bytes, key: str = "") -> None:
    """Write whatever bytes as a request."""
    async with AIOKafkaProducer(bootstrap_servers=bootstrap) as producer:
        await producer.send_and_wait(f"{prefix}.connector-control", value, key.encode())


async def told(bootstrap: str, prefix: str) -> list[Row]:
    """All answers, in order."""
    return [orjson.loads(record.value) for record in await read_all(bootstrap, f"{prefix}.connector-control-results")]


async def answered(bootstrap: str, prefix: str, request: str, status: str, within: float = 30.0) -> list[Row]:
    """The answers to a request, once this status is among them."""
    async with asyncio.timeout(within):
        while True:
            rows = [row for row in await told(bootstrap, prefix) if row["id"] == request]
            if any(row["status"] == status for row in rows):
                assert {1} == set(Counter(row["status"] for row in rows).values())
                return rows
            await asyncio.sleep(0.1)


async def published(bootstrap: str, topic: str) -> list[dict[str, str]]:
    """The headers of every event of a topic, in order per partition, with `key` and `partition`."""
    records = [record for record in await read_all(bootstrap, topic) if any(name == "ce_id" for name, _ in record.headers)]
    records.sort(key=lambda row: (row.partition, row.offset))
    return [{**headers(row.headers), "key": row.key.decode(), "partition": str(row.partition)} for row in records]


def origins(events: list[dict[str, str]]) -> Mapping[str, int]:
    """How many events of each origin."""
    return Counter(event["ce_origin"] for event in events)


async def final(bootstrap: str, topic: str) -> dict[str, int]:
    """What a table of the topic ends at: identity → marker of its last record."""
    return {event["key"]: int(event["ce_syncmarker"]) for event in await published(bootstrap, topic)}
