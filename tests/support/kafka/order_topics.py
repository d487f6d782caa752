"""The other side of order commands, played by the test: topics, a worker that answers, letters, and what was sent."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord

from connector.messages.dead_letter import dead_letter_headers
from tests.support.kafka.topics import create_topic, read_all

Answer = Callable[[dict[str, Any]], Sequence[Mapping[str, Any]]]


def commands_of(prefix: str) -> str:
    return f"{prefix}.order-commands"


def results_of(prefix: str) -> str:
    return f"{prefix}.order-command-results"


def letters_of(prefix: str) -> str:
    return f"{prefix}.dead-letters"


async def make_topics(bootstrap: str, prefix: str, partitions: int = 3) -> None:
    """Those of commands, results and dead letters."""
    for topic in (commands_of(prefix), results_of(prefix), letters_of(prefix)):
        await create_topic(bootstrap, topic, partitions)


def result(command: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """A result as the worker publishes it."""
    row = {"commandId": command["commandId"], "command": command.get("command"), "outcome": "succeeded"}
    rest = {"reason": None, "message": None, "orderId": "o-1", "extOrderId": None, "invoiceId": None, "packingSlipId": None}
    counts = {"syncMarker": 17, "attempts": 1, "reconciled": False, "duplicate": False, "at": "2026-07-31T10:00:00+02:00"}
    return {**row, **rest, **counts, **more}


async def publish(bootstrap: str, topic: str, rows: Iterable[Mapping[str, Any] | bytes], key: bytes = b"k", **where: Any) -> None:
    """Results, or anything, into a topic."""
    async with producing(bootstrap) as producer:
        for row in rows:
            await producer.send_and_wait(topic, row if isinstance(row, bytes) else json.dumps(row).encode(), key, **where)


@asynccontextmanager
async def producing(bootstrap: str, **arguments: Any) -> AsyncIterator[AIOKafkaProducer]:
    """A producer of the test's own."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, **arguments)
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


@asynccontextmanager
async def answering(bootstrap: str, prefix: str, answer: Answer = lambda command: [result(command)]) -> AsyncIterator[list[Any]]:
    """A worker that answers each command in a transaction, as the real one does; yields the commands that it saw."""
    seen: list[Any] = []
    consumer = AIOKafkaConsumer(
        commands_of(prefix), bootstrap_servers=bootstrap, auto_offset_reset="earliest", isolation_level="read_committed"
    )
    await consumer.start()
    async with producing(bootstrap, transactional_id=prefix) as producer:

        async def work() -> None:
            async for record in consumer:
                command = json.loads(record.value)
                seen.append(command)
                for row in answer(command):
                    async with producer.transaction():
                        await producer.send_and_wait(results_of(prefix), json.dumps(row).encode(), record.key)

        working = asyncio.create_task(work())
        try:
            yield seen
        finally:
            working.cancel()
            await asyncio.wait([working])
            await consumer.stop()


async def sent(bootstrap: str, prefix: str) -> list[ConsumerRecord]:
    """Everything in the topic of commands."""
    return await read_all(bootstrap, commands_of(prefix))


async def letter(bootstrap: str, prefix: str, place: tuple[int, int], **more: Any) -> None:
    """A dead letter of a command that lay at this partition and offset."""
    partition, offset = place
    stage, message = more.get("stage", "outcome"), more.get("message", "nobody knows")
    headers = dead_letter_headers((more.get("origin", commands_of(prefix)), partition, offset), stage, "OutcomeUnknown", message)
    async with producing(bootstrap) as producer:
        await producer.send_and_wait(
            letters_of(prefix),
            more.get("value", b"{}"),
            more.get("key", b"web-1"),
            partition=more.get("into", 0),
            headers=[*more.get("headers", headers), *more.get("beside", ())],
            timestamp_ms=more.get("timestamp"),
        )
