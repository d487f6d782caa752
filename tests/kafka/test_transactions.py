"""The fenced producer and reading back, on a real broker."""

import asyncio
import gc
import os

import pytest

from connector.errors import Fenced, TransactionLost
from connector.kafka.cluster import Cluster
from connector.kafka.reading.readers import read_back
from connector.kafka.records import Record
from connector.kafka.writing.transactions import fenced_producer
from tests.support.kafka.topics import create_topic, read_all


@pytest.fixture
def cluster(bootstrap: str) -> Cluster:
    """Arguments for any client of the session's broker."""
    return Cluster(bootstrap)


async def test_a_transaction_shows_all_its_records_in_order(bootstrap: str, prefix: str, cluster: Cluster) -> None:
    """Records of one key arrive in the order they were given, over several batches."""
    await create_topic(bootstrap, f"{prefix}.t", 3)
    records = [Record(f"{prefix}.t", b"k%d" % (n % 5), b"%d" % n + b"x" * 3000, [("n", b"%d" % n)]) for n in range(2000)]

    async with fenced_producer(cluster, prefix, 0) as producer:
        await producer.transaction(records)

    seen = await read_all(bootstrap, f"{prefix}.t")
    assert 2000 == len(seen)
    for key in {record.key for record in records}:
        assert [r.value for r in records if r.key == key] == [r.value for r in seen if r.key == key]


async def test_a_newer_producer_fences_the_older(bootstrap: str, prefix: str, cluster: Cluster) -> None:
    """Once a successor has started, the old owner cannot commit, and says that it was fenced."""
    await create_topic(bootstrap, f"{prefix}.t")
    async with fenced_producer(cluster, prefix, 0) as old:
        await old.transaction([Record(f"{prefix}.t", b"k", b"old")])
        async with fenced_producer(cluster, prefix, 0) as new:
            with pytest.raises(Fenced):
                await old.transaction([Record(f"{prefix}.t", b"k", b"zombie")])
            await new.transaction([Record(f"{prefix}.t", b"k", b"new")])

    assert [b"old", b"new"] == [record.value for record in await read_all(bootstrap, f"{prefix}.t")]


async def test_a_fenced_send_of_many_batches_leaves_nothing_behind(
    bootstrap: str, prefix: str, cluster: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    """aiokafka fails the sends after a fenced one with an error that is no KafkaError, and leaves failed futures behind."""
    await create_topic(bootstrap, f"{prefix}.t", 6)
    many = [Record(f"{prefix}.t", b"k", b"%d" % n + b"x" * 600_000, partition=n % 6) for n in range(60)]
    async with fenced_producer(cluster, prefix, 0) as old:
        await old.transaction(many[:1])
        async with fenced_producer(cluster, prefix, 0):
            with pytest.raises((Fenced, TransactionLost)):
                await old.transaction(many)
    gc.collect()

    assert 1 == len(await read_all(bootstrap, f"{prefix}.t"))
    assert "never retrieved" not in caplog.text


async def test_a_send_after_a_fenced_one_is_a_lost_transaction(bootstrap: str, prefix: str, cluster: Cluster) -> None:
    """Its error is an IllegalOperation, which must not end the worker."""
    await create_topic(bootstrap, f"{prefix}.t")
    async with fenced_producer(cluster, prefix, 0) as old, fenced_producer(cluster, prefix, 0):
        with pytest.raises(Fenced):
            await old.transaction([Record(f"{prefix}.t", b"k", b"zombie")])
        with pytest.raises(TransactionLost):
            await old.transaction([Record(f"{prefix}.t", b"k", b"zombie again")])


async def test_a_successor_ends_an_open_transaction_and_reads_what_was_committed(
    bootstrap: str, prefix: str, cluster: Cluster
) -> None:
    """What an owner left open when it died is aborted at once, and reading back does not wait for its timeout."""
    topic = f"{prefix}.t"
    await create_topic(bootstrap, topic, 2, cleanup_policy="compact")
    async with fenced_producer(cluster, prefix, 0) as old:
        await old.transaction([Record(topic, b"a", b"1", partition=1), Record(topic, b"b", b"1", partition=1)])
        await old._producer.begin_transaction()
        await (await old._producer.send(topic, b"2", key=b"a", partition=1))
        async with fenced_producer(cluster, prefix, 0) as new:
            assert {b"a": b"1", b"b": b"1"} == await read_back(cluster, topic, 1)
            await new.transaction([Record(topic, b"b", None, partition=1), Record(topic, b"a", b"3", partition=1)])
            assert {b"a": b"3"} == await read_back(cluster, topic, 1)
            assert {} == await read_back(cluster, topic, 0)


async def test_a_failed_send_is_not_committed(bootstrap: str, prefix: str, cluster: Cluster) -> None:
    """A batch that the broker refuses loses the whole transaction, not only itself."""
    await create_topic(bootstrap, f"{prefix}.t")
    await create_topic(bootstrap, f"{prefix}.small", max_message_bytes="1000")
    async with fenced_producer(cluster, prefix, 0) as producer:
        with pytest.raises(TransactionLost, match="MessageSizeTooLarge"):
            await producer.transaction([Record(f"{prefix}.t", b"k", b"v"), Record(f"{prefix}.small", b"k", os.urandom(5000))])
    async with fenced_producer(cluster, prefix, 0):
        pass

    assert [] == await read_all(bootstrap, f"{prefix}.t")


async def test_many_small_transactions(bootstrap: str, prefix: str, cluster: Cluster) -> None:
    """One after the other, each is committed."""
    await create_topic(bootstrap, f"{prefix}.t")
    loop = asyncio.get_running_loop()
    async with fenced_producer(cluster, prefix, 0) as producer:
        started = loop.time()
        for n in range(50):
            await producer.transaction([Record(f"{prefix}.t", b"k", b"%d" % n)])
        print(f"50 small transactions: {(loop.time() - started) * 20:.1f} ms each")

    assert 50 == len(await read_all(bootstrap, f"{prefix}.t"))
