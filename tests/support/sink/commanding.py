"""A worker that carries out order commands, between a sandbox and a broker."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import jsonschema_rs
import orjson
from aiokafka import AIOKafkaProducer

from connector import schemas as schema
from connector.kafka.records import partition_of
from connector.sandbox import Sandbox
from connector.sandbox.order_operations.outcomes import order_by_ext_id
from tests.support.kafka.topics import read_all
from tests.support.source.polling import configuration, headers, working

PARTITIONS = 2
QUICK: dict[str, Any] = {"command_partitions": PARTITIONS, "answer_deadline": 0.5, "unknown_after": 0.5}


@dataclass
class Commands:
    """The command topic of an administration and what comes out of it."""

    bootstrap: str
    prefix: str
    pos: Sandbox
    partitions: int = PARTITIONS

    async def send(self, *commands: Mapping[str, Any] | tuple[bytes | None, bytes | None], **extra: bytes) -> None:
        """Produce commands in this order, each under its order's key; or bytes under a key. `extra`: headers."""
        producer = AIOKafkaProducer(bootstrap_servers=self.bootstrap)
        await producer.start()
        try:
            for command in commands:
                key, value = command if isinstance(command, tuple) else (key_of(command).encode(), orjson.dumps(command))
                place = partition_of(key or b"", self.partitions)
                await self._produce(producer, key, value, place, list(extra.items()))
            await producer.flush()
        finally:
            await producer.stop()

    async def _produce(
        self, producer: AIOKafkaProducer, key: bytes | None, value: bytes | None, place: int, extra: list[tuple[str, bytes]]
    ) -> None:
        """In a batch of its own: `send` takes no message that has neither key nor value."""
        batch = producer.create_batch()
        batch.append(timestamp=None, key=key, value=value, headers=extra)
        batch.close()
        await producer.send_batch(batch, f"{self.prefix}.order-commands", partition=place)

    async def results(self, count: int, within: float = 20.0) -> list[dict[str, Any]]:
        """As soon as there are so many, all of them: by partition and offset."""
        async with asyncio.timeout(within):
            while len(found := await self.published()) < count:  # noqa: ASYNC110 - a topic tells nobody
                await asyncio.sleep(0.05)
        return found

    async def published(self) -> list[dict[str, Any]]:
        """All results that there are now, each as its schema says."""
        return [valid(row) for row in await self._read("order-command-results")]

    async def result(self, command_id: str, within: float = 20.0) -> dict[str, Any]:
        """The one result of a command."""
        (result,) = await self.results_of(command_id, within)
        return result

    async def results_of(self, command_id: str, within: float = 20.0) -> list[dict[str, Any]]:
        """As soon as there is one, all results of a command."""
        async with asyncio.timeout(within):
            while True:
                if found := [row for row in await self.published() if row["commandId"] == command_id]:
                    return found
                await asyncio.sleep(0.05)

    async def run(self, *commands: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Send commands and wait for their results, in the same order."""
        await self.send(*commands)
        return [await self.result(command["commandId"]) for command in commands]

    async def letters(self) -> list[tuple[bytes, dict[str, str]]]:
        """The dead letters: their bytes and headers."""
        records = await read_all(self.bootstrap, f"{self.prefix}.dead-letters")
        return [(record.value, headers(record.headers)) for record in records]

    async def ledger(self) -> list[dict[str, Any]]:
        """Every record of the ledger, with its key."""
        records = await read_all(self.bootstrap, f"{self.prefix}.command-ledger")
        return [{"key": record.key.decode(), **orjson.loads(record.value)} for record in records]

    async def _read(self, topic: str) -> list[dict[str, Any]]:
        return [orjson.loads(record.value) for record in await read_all(self.bootstrap, f"{self.prefix}.{topic}")]

    def order(self, name: str) -> dict[str, Any]:
        """The order as the shop has it."""
        return order_of(self.pos, name)

    def effects(self, *kinds: str) -> list[tuple[str, str]]:
        """What was really done: effect and extOrderId, in order."""
        return [(row["effect"], row["extOrderId"]) for row in self.pos.effects if not kinds or row["effect"] in kinds]


def order_of(pos: Sandbox, name: str) -> dict[str, Any]:
    """The order as the shop has it."""
    item = order_by_ext_id(pos.shop, name)
    assert item is not None
    return dict(pos.shop.document(item))


def valid(result: dict[str, Any]) -> dict[str, Any]:
    """A result, after its command's schema has accepted it; one of no known command is that of any."""
    named = result if result["command"] else {**result, "command": "createOrder"}
    rules = jsonschema_rs.Draft202012Validator(schema.load(named["command"], "results"))
    problems = [f"{list(error.instance_path)}: {error.message}" for error in rules.iter_errors(named)]
    assert problems == [], result
    assert set(result) == set(rules_of(named["command"]))
    return result


def rules_of(command: str) -> list[str]:
    """The fields that every result of this command has."""
    return list(schema.load(command, "results")["required"])


def key_of(command: Mapping[str, Any]) -> str:
    """The order's name."""
    order = command.get("order", command)
    return str(order.get("extOrderId") or order.get("orderId"))


@asynccontextmanager
async def commanding(bootstrap: str, prefix: str, pos: Sandbox, **settings: Any) -> AsyncIterator[Commands]:
    """A worker with only the commands' role, while inside."""
    config = configuration(bootstrap, prefix, pos, **(QUICK | settings))
    async with working(config, roles=("commands",)):
        yield Commands(bootstrap, prefix, pos)


def create(command_id: str, name: str, *articles: int, **more: Any) -> dict[str, Any]:
    """createOrder with two of each article."""
    lines = [{"articleNumber": article, "data": {"quantity": 2}} for article in articles or (10, 20)]
    order = {"extOrderId": name, "relationNumber": 1, "lineList": lines}
    return {"commandId": command_id, "command": "createOrder", "order": order, **more}


def large(command_id: str, name: str, size: int) -> dict[str, Any]:
    """createOrder with a text of so many characters."""
    command = create(command_id, name)
    return {**command, "order": {**command["order"], "reference": "x" * size}}


def pay(command_id: str, name: str, amount: int, *, prepay: bool = True, **more: Any) -> dict[str, Any]:
    """payOrder in cash."""
    payments = [{"method": "CASH", "amount": amount}]
    return {"commandId": command_id, "command": "payOrder", "extOrderId": name, "prepay": prepay, "paymentList": payments, **more}


def deliver(command_id: str, name: str, *lines: Mapping[str, Any]) -> dict[str, Any]:
    """deliverOrder: all of it, or these lines."""
    part = {"lineList": list(lines)} if lines else {}
    return {"commandId": command_id, "command": "deliverOrder", "extOrderId": name, **part}


def cancel(command_id: str, name: str) -> dict[str, Any]:
    """cancelOrder."""
    return {"commandId": command_id, "command": "cancelOrder", "extOrderId": name}


def update(command_id: str, name: str, **fields: Any) -> dict[str, Any]:
    """updateOrder of these fields."""
    return {"commandId": command_id, "command": "updateOrder", "order": {"extOrderId": name, **fields}}


def outcomes(results: Iterable[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Outcome and reason of each."""
    return [(row["outcome"], row["reason"]) for row in results]
