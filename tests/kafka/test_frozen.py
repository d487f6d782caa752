"""A broker that stops answering while something is under way, and whoever waits for it is told to end."""

import asyncio
import gc
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from aiokafka import TopicPartition

from connector.errors import TransactionLost
from connector.kafka.cluster import Cluster
from connector.kafka.connection import close
from connector.kafka.reading.consumer import Consumer
from connector.kafka.records import Record
from connector.kafka.writing.transactions import Tuning, fenced_producer
from tests.support.kafka.topics import create_topic


class Line:
    """To a broker, through which nothing comes back while it is frozen; `waiting`: something was asked meanwhile."""

    def __init__(self) -> None:
        self.thawed = asyncio.Event()
        self.thawed.set()
        self.waiting = asyncio.Event()
        self.port = 0


@asynccontextmanager
async def line_to(bootstrap: str) -> AsyncIterator[Line]:
    """It stands for the broker: also in what that tells of itself."""
    line, (host, port) = Line(), bootstrap.split(":")
    ends: list[asyncio.StreamWriter] = []

    async def between(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(host, int(port))
        ends.extend((writer, back))

        async def on() -> None:
            with suppress(ConnectionError):
                while data := await reader.read(1 << 16):
                    if not line.thawed.is_set():
                        line.waiting.set()
                    back.write(data)
            back.close()

        onward = asyncio.create_task(on())
        with suppress(ConnectionError):
            while data := await there.read(1 << 20):
                await line.thawed.wait()
                writer.write(data.replace(struct.pack(">i", int(port)), struct.pack(">i", line.port)))
            writer.close()
        await asyncio.wait([onward])

    server = await asyncio.start_server(between, "127.0.0.1", 0)
    async with server:
        line.port = server.sockets[0].getsockname()[1]
        yield line
        line.thawed.set()
        for end in ends:
            end.close()
            with suppress(ConnectionError):
                await end.wait_closed()


async def test_a_commit_that_nobody_waits_for_any_more_is_no_news(
    bootstrap: str, prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A worker proves its membership by commits, and ends while one is under way to a broker that does not answer."""
    await create_topic(bootstrap, prefix)
    async with line_to(bootstrap) as line:
        consumer = Consumer(bootstrap_servers=f"127.0.0.1:{line.port}", group_id=prefix, enable_auto_commit=False)
        await consumer.start()
        consumer.assign([TopicPartition(prefix, 0)])
        await consumer.commit({TopicPartition(prefix, 0): 0})
        line.thawed.clear()
        proving = asyncio.create_task(consumer.commit({TopicPartition(prefix, 0): 0}))
        await line.waiting.wait()
        proving.cancel()
        await close(consumer, 0.2)
        line.thawed.set()
        await asyncio.wait([proving])
    gc.collect()

    assert proving.cancelled()
    assert [] == [record.message for record in caplog.records if record.name == "asyncio"]


async def test_who_is_cancelled_while_closing_leaves_no_complaint(
    bootstrap: str, prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Many lanes end at once, and the process does not wait for all of them: it cancels whatever is left of them."""
    await create_topic(bootstrap, prefix)
    consumer = Consumer(bootstrap_servers=bootstrap)
    await consumer.start()
    consumer.assign([TopicPartition(prefix, 0)])
    client, before = consumer._client, asyncio.all_tasks()
    closing = asyncio.create_task(close(consumer, 5.0))
    await asyncio.sleep(0)
    left = asyncio.all_tasks() - before
    for task in left:
        task.cancel()
    await asyncio.wait(left)
    del consumer, closing, left, task
    gc.collect()
    await client.close()

    assert [] == [record.message for record in caplog.records if "Unclosed" in record.message]


async def test_only_time_makes_a_transaction_slow(bootstrap: str, prefix: str) -> None:
    """The broker is there and says nothing against it: less at once may do. One that is away is another matter."""
    await create_topic(bootstrap, prefix)
    records = [Record(prefix, b"k", b"v")]
    async with line_to(bootstrap) as line:
        cluster = Cluster(f"127.0.0.1:{line.port}")
        async with fenced_producer(cluster, prefix, 0, Tuning(deadline=2.0)) as producer:
            await producer.transaction(records)
            line.thawed.clear()
            with pytest.raises(TransactionLost, match="lower CONNECTOR_PAGE_SIZE") as lost:
                await producer.transaction(records)
            line.thawed.set()
    assert ("", True) == (lost.value.topic, lost.value.slow)
