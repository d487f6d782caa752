"""Order commands: how many per second, how long from produced to result readable; ours beside the loop people write."""

import asyncio
import os
import statistics
import sys
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from random import Random

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from connector.kafka.records import partition_of
from tests.bench.measure import cpu_seconds, table
from tests.bench.running import running
from tests.bench.server import PageServer, serving
from tests.support.kafka.topics import create_topic

OURS, THEIRS, SINGLE = 4000, 150, 60
"""Commands in one go, per round; and one at a time."""
ROUNDS = 3
NUMBERS = count(1)

Side = Callable[[str, PageServer, int], AbstractAsyncContextManager["Target"]]


@dataclass(frozen=True)
class Target:
    """Whoever carries commands out: the prefix of its topics, how many partitions they have, its process."""

    bootstrap: str
    prefix: str
    partitions: int
    pid: int


@dataclass
class Round:
    """What one round showed. Seconds; `alone`: from command to result while nothing else is to do."""

    rate: float = 0.0
    cpu: float = 0.0
    alone: list[float] = field(default_factory=list)


@asynccontextmanager
async def ours(bootstrap: str, pos: PageServer, partitions: int) -> AsyncIterator[Target]:
    """`mplus-connector run --roles commands` as a user starts it."""
    settings = {"command_partitions": partitions, "commands_in_flight": 64}
    async with running(bootstrap, pos.url, roles="commands", **settings) as connector:
        yield Target(bootstrap, connector.administration, partitions, connector.pid)


@asynccontextmanager
async def theirs(bootstrap: str, pos: PageServer, partitions: int) -> AsyncIterator[Target]:
    """The consumer people write."""
    prefix = f"loop-{uuid.uuid4().hex[:8]}"
    for topic in ("order-commands", "order-command-results"):
        await create_topic(bootstrap, f"{prefix}.{topic}", partitions)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.bench.consuming", bootstrap, pos.url, prefix), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    await process.stdout.readline()
    try:
        yield Target(bootstrap, prefix, partitions, process.pid)
    finally:
        process.terminate()
        await process.wait()


async def compare(bootstrap: str) -> None:
    """Interleaved rounds, and a table of medians. Without MPLUS_WSDL there is no zeep to compare with."""
    sides: dict[str, tuple[Side, int, int]] = {
        "mplus-connector run, 8 partitions": (ours, 8, OURS),
        "mplus-connector run, 1 partition": (ours, 1, OURS // 4),
    }
    if os.environ.get("MPLUS_WSDL"):
        sides["aiokafka + zeep loop, 8 partitions"] = (theirs, 8, THEIRS)
    rounds: dict[str, list[Round]] = {name: [] for name in sides}
    async with serving("tests.bench.create_server") as pos:
        for _ in range(ROUNDS):
            for name, (side, partitions, commands) in sides.items():
                async with side(bootstrap, pos, partitions) as target:
                    rounds[name].append(await measure(target, commands))
    _show(rounds)


async def measure(target: Target, commands: int) -> Round:
    """Some one at a time, then many at once."""
    producer, consumer = AIOKafkaProducer(bootstrap_servers=target.bootstrap), _results_of(target)
    await producer.start()
    await consumer.start()
    try:
        consumer.assign([TopicPartition(f"{target.prefix}.order-command-results", number) for number in range(target.partitions)])
        await consumer.seek_to_beginning()
        await _through(target, producer, consumer, 20)  # connections are opened, caches filled
        luck = Random(1)
        seen = Round()
        for _ in range(SINGLE):
            await asyncio.sleep(luck.random() / 10)
            seen.alone.append(await _through(target, producer, consumer, 1))
        used = cpu_seconds(target.pid)
        seconds = await _through(target, producer, consumer, commands)
        seen.rate, seen.cpu = commands / seconds, (cpu_seconds(target.pid) - used) / commands * 1000
    finally:
        await producer.stop()
        await consumer.stop()
    return seen


def _results_of(target: Target) -> AIOKafkaConsumer:
    return AIOKafkaConsumer(bootstrap_servers=target.bootstrap, isolation_level="read_committed", enable_auto_commit=False)


async def _through(target: Target, producer: AIOKafkaProducer, consumer: AIOKafkaConsumer, commands: int) -> float:
    """Seconds from the first command produced to the last result readable."""
    begun, waiting = time.perf_counter(), set()
    for _ in range(commands):
        command_id, key, value = _command()
        waiting.add(command_id)
        await producer.send(f"{target.prefix}.order-commands", value, key, partition_of(key, target.partitions))
    await producer.flush()
    async with asyncio.timeout(120):
        while waiting:
            for records in (await consumer.getmany(timeout_ms=1000)).values():
                waiting -= {orjson.loads(record.value)["commandId"] for record in records}
    return time.perf_counter() - begun


def _command() -> tuple[str, bytes, bytes]:
    number = next(NUMBERS)
    lines = [{"articleNumber": article, "data": {"quantity": 1 + number % 3}} for article in (10, 20, 30)]
    order = {"extOrderId": f"web-{number}", "relationNumber": 1 + number % 5, "lineList": lines}
    command_id = f"c-{number}"
    return command_id, f"web-{number}".encode(), orjson.dumps({"commandId": command_id, "command": "createOrder", "order": order})


def _show(rounds: dict[str, list[Round]]) -> None:
    header = ("what", "commands/s", "CPU s per 1000 commands", "p50 when idle", "p99 when idle")
    table("Commands: produced → result readable, a POS that answers in 10 ms", header, [_row(*row) for row in rounds.items()])
    rates = [statistics.median(each.rate for each in seen) for seen in rounds.values()]
    ratio = f"ratio {rates[0] / rates[-1]:.0f}×, " if len(rates) > 2 else ""
    print(f"\n{ratio}medians of {ROUNDS} interleaved rounds")


def _row(name: str, seen: list[Round]) -> tuple[str, ...]:
    cuts = statistics.quantiles([seconds for each in seen for seconds in each.alone], n=100)
    rate, cpu = statistics.median(each.rate for each in seen), statistics.median(each.cpu for each in seen)
    return name, f"{rate:,.0f}", f"{cpu:.2f}", f"{cuts[49] * 1000:.0f} ms", f"{cuts[98] * 1000:.0f} ms"
