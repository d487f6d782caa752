"""From a change in the POS to the event readable: a living shop, `run`, and a read_committed reader of all topics."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from statistics import median, quantiles

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from connector.sandbox import Sandbox, SandboxOptions
from connector.sandbox.shop.activity import Activity
from connector.sandbox.shop.shop import Shop
from tests.bench.histories import POLLED
from tests.bench.measure import table
from tests.bench.running import Running, running, until
from tests.support.kafka.topics import partition_count

INTERVALS = (0.2, 0.05)
"""Poll intervals, seconds."""
SCENARIOS, PER_SECOND = 600, 20.0
"""What happens in the shop, at moments that fall where they will: about 2.3 changes each."""
ITEMS = 50
LAST = 15.0
"""Seconds that the last changes get to arrive."""

Change = tuple[str, int]
"""Entity and sync marker."""


@dataclass
class Watch:
    """When changes happened (Unix time), and after how many seconds each was sent to Kafka and its event readable."""

    happened: dict[Change, float] = field(default_factory=dict)
    sent: list[float] = field(default_factory=list)
    readable: list[float] = field(default_factory=list)

    def read(self, change: Change, sent: float, now: float) -> None:
        """A record was read. One of a change that nobody noted, or that was read already (a tombstone), does not count."""
        if (moment := self.happened.pop(change, None)) is not None:
            self.sent.append(sent - moment)
            self.readable.append(now - moment)


async def main(bootstrap: str) -> None:
    """Print the table."""
    rows = [_row(interval, await measure(bootstrap, interval)) for interval in INTERVALS]
    header = ("poll interval", "p50", "p99", "slowest", "p50 until sent to Kafka", "changes measured", "overtaken before a look")
    table("Change in the POS → event readable (read_committed)", header, rows)


def _row(interval: float, watch: Watch) -> tuple[str, ...]:
    cuts = quantiles(watch.readable, n=100)
    figures = [f"{seconds * 1000:.0f} ms" for seconds in (cuts[49], cuts[98], max(watch.readable), median(watch.sent))]
    return f"{interval} s", *figures, str(len(watch.readable)), str(len(watch.happened))


async def measure(bootstrap: str, interval: float) -> Watch:
    """All changes of one shop's life. TimeoutError if one does not arrive that must."""
    watch = Watch()
    names = ",".join(entity.name for entity in POLLED)
    async with (
        Sandbox(SandboxOptions(items=ITEMS)) as pos,
        running(bootstrap, pos.url, entities=names, poll_interval=interval) as connector,
    ):
        await until(lambda: _caught_up(connector, pos.shop))
        async with _reader(bootstrap, connector.administration) as reader, _reading(reader, watch):
            await _live(pos.shop, watch)
            await until(lambda: _all_read(pos.shop, watch), within=LAST, every=0.1)
    return watch


async def _caught_up(connector: Running, shop: Shop) -> bool:
    return shop.heads().items() <= (await connector.positions()).items()


async def _all_read(shop: Shop, watch: Watch) -> bool:
    """Whether every change that is still its item's last was read; one that was overtaken by the item's next may never show."""
    last = {(entity, marker) for entity, items in shop.truth().items() for marker in items.values()}
    return not last & watch.happened.keys()


async def _live(shop: Shop, watch: Watch) -> None:
    """Let things happen in the shop, and note when."""
    life, luck = Activity(shop, 0), Random(1)
    for _ in range(SCENARIOS):
        await asyncio.sleep(luck.expovariate(PER_SECOND))
        before, now = shop.heads(), time.time()
        life.step()
        for entity, head in shop.heads().items():
            watch.happened |= {(entity, marker): now for marker in range(before[entity] + 1, head + 1)}


@asynccontextmanager
async def _reader(bootstrap: str, administration: str) -> AsyncIterator[AIOKafkaConsumer]:
    """As a subscriber has it, with default settings, at the ends of the topics."""
    topics = [f"{administration}.{entity.topic}" for entity in POLLED]
    partitions = [TopicPartition(topic, number) for topic in topics for number in range(await partition_count(bootstrap, topic))]
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, isolation_level="read_committed", enable_auto_commit=False)
    try:
        await consumer.start()
        consumer.assign(partitions)
        await consumer.seek_to_end()
        yield consumer
    finally:
        await consumer.stop()


@asynccontextmanager
async def _reading(consumer: AIOKafkaConsumer, watch: Watch) -> AsyncIterator[None]:
    task = asyncio.create_task(_read(consumer, watch))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _read(consumer: AIOKafkaConsumer, watch: Watch) -> None:
    entities = {entity.topic: entity.name for entity in POLLED}
    while True:
        found = await consumer.getmany(timeout_ms=1000)
        now = time.time()
        for where, records in found.items():
            entity = entities[where.topic.rpartition(".")[2]]
            for record in records:
                watch.read((entity, _marker(record)), record.timestamp / 1000, now)


def _marker(record: ConsumerRecord) -> int:
    return int(dict(record.headers)["ce_syncmarker"])
