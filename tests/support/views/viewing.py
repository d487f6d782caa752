"""The dashboard as `views` serves it, without the rest of `views`; and records as the other parts write them."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import orjson
from aiohttp import web
from aiokafka import AIOKafkaProducer
from pydantic import SecretStr

from connector.clock import Clock
from connector.config.load import Administration, Config, Connector, Kafka
from connector.dashboard.service import Doubts, dashboard
from connector.messages.dead_letter import dead_letter_headers
from tests.support.kafka.topics import create_topic

REAL = Clock()
TOPICS = ("connector-status", "order-command-results", "dead-letters", "order-journeys", "views-windows")


def configuration(bootstrap: str, *administrations: str, entities: Sequence[str] = (), host: str = "127.0.0.1") -> Config:
    """As `load` would make it, whatever the environment says."""
    secret = SecretStr("s3cret")
    return Config(
        kafka=Kafka.model_construct(bootstrap_servers=bootstrap, security_protocol="PLAINTEXT"),
        connector=Connector.model_construct(group=administrations[0], entities=tuple(entities), http_host=host),
        administrations=tuple(
            Administration.model_construct(administration=name, url="http://127.0.0.1:1", ident="i", secret=secret)
            for name in administrations
        ),
    )


@asynccontextmanager
async def served(config: Config, port: int = 0, doubts: Doubts = list, clock: Clock = REAL) -> AsyncIterator[str]:
    """The page's address, while inside."""
    app = web.Application()
    async with dashboard(config, clock, doubts) as mount:
        mount(app)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=5)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        try:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
        finally:
            await runner.cleanup()


def stamp(at: float | None = None) -> str:
    """A moment, or now, as the connector writes it."""
    moment = datetime.now(UTC) if at is None else datetime.fromtimestamp(at, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def status(entity: str, **more: Any) -> dict[str, Any]:
    """A status record's value."""
    row = {"head": 36, "position": 36, "backlog": 0, "age": 0.0, "rate": 1.0, "items": 30, "deadLetters": 0}
    told = {"state": "running", "reason": "", "owner": "host:1", "digest": "55d6924b", "at": stamp()}
    return {"administration": "a", "entity": entity, **row, **told, **more}


def result(command_id: str, outcome: str = "succeeded", reason: str = "PAY-ORDER-RESULT-OK", **more: Any) -> dict[str, Any]:
    """A result's value."""
    return {"commandId": command_id, "command": "payOrder", "outcome": outcome, "reason": reason, "message": "", **more}


def journey(key: str, order_id: str | None, state: str, **more: Any) -> dict[str, Any]:
    """A journey's value."""
    known: dict[str, Any] = {"key": key, "orderId": order_id, "extOrderId": key, "state": state, "steps": [], "commands": []}
    return {**known, "total": 1995, "paid": None, "syncMarker": 3, "relationNumber": 7, "updatedAt": stamp(), **more}


class Writer:
    """Writes to an administration's topics, which it creates."""

    def __init__(self, producer: AIOKafkaProducer, administration: str) -> None:
        self._producer = producer
        self._administration = administration

    async def status(self, entity: str, **more: Any) -> None:
        """One entity reports."""
        await self._write("connector-status", entity, status(entity, **more))

    async def result(self, key: str, command_id: str, *outcome: str, **more: Any) -> None:
        """A command ended."""
        await self._write("order-command-results", key, result(command_id, *outcome, **more))

    async def letter(self, key: str, stage: str, message: str) -> None:
        """A command became a dead letter."""
        headers = dead_letter_headers((f"{self._administration}.order-commands", 0, 12), stage, "Reject", message)
        await self._producer.send_and_wait(f"{self._administration}.dead-letters", b"the body", key.encode(), headers=headers)

    async def journey(self, key: str, order_id: str | None, state: str, **more: Any) -> None:
        """An order moved."""
        await self._write("order-journeys", key, journey(key, order_id, state, **more))

    async def window(
        self, size: int, start: float, measure: str, partition: int, *, count: int, amount: int | None = None
    ) -> None:
        """A window's row."""
        key = f"{size}|{int(start // size) * size}|{measure}|{partition}"
        await self._write("views-windows", key, {"count": count, "amount": amount})

    async def _write(self, topic: str, key: str, value: Mapping[str, Any]) -> None:
        await self._producer.send_and_wait(f"{self._administration}.{topic}", orjson.dumps(value), key.encode())


@asynccontextmanager
async def writing(bootstrap: str, administration: str, topics: Sequence[str] = TOPICS) -> AsyncIterator[Writer]:
    """A writer; it makes these topics."""
    for topic in topics:
        await create_topic(bootstrap, f"{administration}.{topic}")
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
    await producer.start()
    try:
        yield Writer(producer, administration)
    finally:
        await producer.stop()
