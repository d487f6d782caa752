"""Reading a large ledger back: entries per second, how long the event loop stands still, and memory.

`python -m tests.bench.ledger KAFKA TOPIC ENTRIES` is the process that reads; it prints what it measured as JSON.
"""

import asyncio
import random
import statistics
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
from aiokafka import AIOKafkaProducer

from connector.kafka.cluster import Cluster
from connector.kafka.reading.slices import READERS
from connector.kafka.records import Place
from connector.sink.ledger.ledger import Done, Ledger, encode
from connector.sink.ledger.reading import read_back
from tests.bench.measure import table
from tests.support.kafka.topics import admin, create_topic

SIZES = (100_000, 1_000_000, 10_000_000)
PARTITIONS = 8
COMMANDS = ("createOrder", "payOrder", "deliverOrder")
"""Of each order, in turn."""
LOOKS = 50
"""Commands that ended long ago and are asked for."""


def command_id(number: int) -> str:
    """36 characters, as UUIDs have."""
    return f"{number:08x}-c966-41a9-8341-86d64727d114"


def entry(number: int) -> bytes:
    """What a compacted ledger holds of a command: its DONE, about 530 bytes."""
    command = COMMANDS[number % 3]
    order = f"{number // 3:08x}-d41d-8cd9-8f00-b204e9800998"
    slip = f"{number:08x}-0000-4000-8000-000000000000" if command == "deliverOrder" else None
    result = {
        "commandId": command_id(number),
        "command": command,
        "outcome": "succeeded",
        "reason": "CREATE-ORDER-RESULT-OK",
        "message": "",
        "orderId": order,
        "extOrderId": f"web-{number // 3}",
        "invoiceId": None,
        "packingSlipId": slip,
        "syncMarker": 5_000_000 + number,
        "attempts": 1,
        "reconciled": False,
        "duplicate": False,
        "at": "2026-07-31T10:00:00.123Z",
    }
    return encode(Done(command_id(number), number, f"{number:032x}", result))


async def fill(bootstrap: str, topic: str, entries: int) -> None:
    """Spread entries over the partitions, in batches of a megabyte."""
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, compression_type="zstd", max_batch_size=1 << 20) as producer:
        for partition in range(PARTITIONS):
            for batch in _batches(producer, range(partition, entries, PARTITIONS)):
                await (await producer.send_batch(batch, topic, partition=partition))


def _batches(producer: AIOKafkaProducer, numbers: range) -> Iterator[Any]:
    batch = producer.create_batch()
    for number in numbers:
        key, value = command_id(number).encode(), entry(number)
        if batch.append(timestamp=None, key=key, value=value) is None:
            yield batch
            batch = producer.create_batch()
            batch.append(timestamp=None, key=key, value=value)
    yield batch


async def measure(bootstrap: str, topic: str, entries: int) -> dict[str, float]:
    """Read all partitions back at the same time, as after a rebalance, and ask for some commands."""
    before, still = resident("VmRSS"), [0.0]
    watching = asyncio.create_task(_watch(still))
    turns = asyncio.Semaphore(READERS)
    started, used = time.perf_counter(), time.process_time()
    places = [Place(topic, partition) for partition in range(PARTITIONS)]
    ledgers = await asyncio.gather(*(read_back(Cluster(bootstrap), place, 0.0, turns) for place in places))
    seconds, cpu, longest, after = time.perf_counter() - started, time.process_time() - used, still[0], resident("VmRSS")
    assert entries == sum(map(len, ledgers))
    looks = [await _timed(ledgers, number) for number in random.sample(range(entries * 9 // 10), LOOKS)]
    never = await _never(ledgers[0])
    watching.cancel()
    return {
        "seconds": seconds,
        "cpu": cpu,
        "still": longest,
        "memory": after,
        "peak": resident("VmHWM"),
        "each": (after - before) / entries,
        "look": statistics.median(looks),
        "never": never,
    }


async def _watch(still: list[float]) -> None:
    """The longest time that a sleep of 5 ms took beyond that."""
    while True:
        before = time.perf_counter()
        await asyncio.sleep(0.005)
        still[0] = max(still[0], time.perf_counter() - before - 0.005)


async def _timed(ledgers: list[Ledger], number: int) -> float:
    started = time.perf_counter()
    found = await ledgers[number % PARTITIONS].entry(command_id(number))
    assert found is not None
    assert found.command_id == command_id(number)
    return time.perf_counter() - started


async def _never(ledger: Ledger) -> float:
    """Seconds for a new command, when the index is in order."""
    times = 20_000
    for name in ("warm", "cold"):
        started = time.perf_counter()
        for number in range(times):
            assert await ledger.entry(f"{name}-{number}") is None
    return (time.perf_counter() - started) / times


def resident(field: str) -> int:
    """Bytes, by /proc: VmRSS now, VmHWM at most so far."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


async def main(bootstrap: str) -> None:
    """Print the table."""
    header = (
        "entries",
        "entries/s",
        "seconds",
        "CPU s",
        "loop still at most",
        "RSS",
        "peak RSS",
        "each",
        "a look-up",
        "a new command",
    )
    table(
        f"Reading back a ledger of {PARTITIONS} partitions", header, [_row(size, await _sized(bootstrap, size)) for size in SIZES]
    )


async def _sized(bootstrap: str, size: int) -> dict[str, float]:
    topic = f"bench-{uuid.uuid4().hex[:8]}.command-ledger"
    await create_topic(bootstrap, topic, PARTITIONS, cleanup_policy="compact,delete")
    await fill(bootstrap, topic, size)
    runs = [await _in_a_process(bootstrap, topic, size) for _ in range(3)]
    async with admin(bootstrap) as client:
        await client.delete_topics([topic])
    return sorted(runs, key=lambda run: run["seconds"])[1]


async def _in_a_process(bootstrap: str, topic: str, size: int) -> dict[str, float]:
    command = (sys.executable, "-m", "tests.bench.ledger", bootstrap, topic, str(size))
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    found: dict[str, float] = orjson.loads(output)
    return found


def _row(size: int, run: dict[str, float]) -> tuple[str, ...]:
    show: dict[str, Callable[[float], str]] = {
        "seconds": lambda value: f"{value:.1f}",
        "cpu": lambda value: f"{value:.1f}",
        "still": lambda value: f"{value * 1e3:.0f} ms",
        "memory": lambda value: f"{value / 1e6:.0f} MB",
        "peak": lambda value: f"{value / 1e6:.0f} MB",
        "each": lambda value: f"{value:.0f} B",
        "look": lambda value: f"{value * 1e3:.0f} ms",
        "never": lambda value: f"{value * 1e6:.1f} µs",
    }
    return f"{size:,}", f"{size / run['seconds']:,.0f}", *(show[name](value) for name, value in run.items())


if __name__ == "__main__":
    print(orjson.dumps(asyncio.run(measure(sys.argv[1], sys.argv[2], int(sys.argv[3])))).decode())
