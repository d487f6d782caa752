"""The broker that tests and demo run on: transactions, kill and restart, and what the reading aids make of them."""

import asyncio
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from connector.local_kafka.broker import answers, listens
from connector.local_kafka.jvm import start_jvm
from connector.local_kafka.start import Broker
from tests.support.kafka.topics import create_topic, end_offsets, read_all, topic_settings

pytestmark = pytest.mark.kafka  # some start one without a fixture


async def send(bootstrap: str, topic: str, *values: bytes, transaction: str = "", abort: bool = False, key: bytes = b"k") -> None:
    """Produce values, in one transaction if it is named."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, transactional_id=transaction or None)
    await producer.start()
    try:
        if transaction:
            await producer.begin_transaction()
        for value in values:
            await producer.send_and_wait(topic, value, key=key)
        if transaction:
            await (producer.abort_transaction() if abort else producer.commit_transaction())
    finally:
        await producer.stop()


async def values(bootstrap: str, topic: str, isolation: str = "read_committed") -> list[bytes]:
    return [record.value for record in await read_all(bootstrap, topic, isolation)]


async def test_a_started_broker_answers(kafka: Broker) -> None:
    """What start_kafka hands out names itself in its metadata and says where it came from."""
    assert answers(kafka.bootstrap.split(",")[0])
    assert kafka.alive()
    assert kafka.origin in {"given address", "container", "jars 4.1.0"}


async def test_committed_transactions_are_read_and_aborted_ones_are_not(bootstrap: str, prefix: str) -> None:
    """A reader of committed records sees neither an aborted transaction nor stops before the markers at the end."""
    topic = f"{prefix}.orders"
    await create_topic(bootstrap, topic)
    await send(bootstrap, topic, b"1", b"2", transaction=f"{prefix}.a")
    await send(bootstrap, topic, b"3", transaction=f"{prefix}.b", abort=True)
    assert await values(bootstrap, topic) == [b"1", b"2"]
    assert await values(bootstrap, topic, "read_uncommitted") == [b"1", b"2", b"3"]
    assert await end_offsets(bootstrap, topic) == {0: 5}


async def test_an_open_transaction_ends_what_can_be_read(bootstrap: str, prefix: str) -> None:
    """Behind an open transaction nothing counts as readable, so reading everything does not wait for it."""
    topic = f"{prefix}.orders"
    await create_topic(bootstrap, topic)
    await send(bootstrap, topic, b"1")
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, transactional_id=f"{prefix}.open") as producer:
        await producer.begin_transaction()
        await producer.send_and_wait(topic, b"2")
        assert [record.value for record in await read_all(bootstrap, topic, decided=False)] == [b"1"]
        assert await values(bootstrap, topic, "read_uncommitted") == [b"1", b"2"]
        await producer.abort_transaction()


async def test_every_partition_is_read_and_an_empty_topic_is_empty(bootstrap: str, prefix: str) -> None:
    """Records of all partitions come, each partition's in order; a topic without records gives none at once."""
    topic = f"{prefix}.orders"
    await create_topic(bootstrap, topic, partitions=4)
    assert await values(bootstrap, topic) == []
    for key in range(20):
        await send(bootstrap, topic, b"first", b"second", key=str(key).encode())
    records = await read_all(bootstrap, topic)
    assert len(records) == 40
    assert len({record.partition for record in records}) > 1
    assert [record.value for record in records if record.key == b"7"] == [b"first", b"second"]


async def test_compacted_records_do_not_stop_reading(bootstrap: str, prefix: str) -> None:
    """Where compaction took records out of the middle, reading still comes to the end."""
    topic = f"{prefix}.articles"
    await create_topic(bootstrap, topic, cleanup_policy="compact", segment_ms="100", min_cleanable_dirty_ratio="0.01")
    assert (await topic_settings(bootstrap, topic))["cleanup.policy"] == "compact"
    written = [str(number).encode() for number in range(5)]
    for value in written:
        await send(bootstrap, topic, value, transaction=f"{prefix}.c")
        await asyncio.sleep(0.15)  # longer than segment.ms: the next one closes the segment
    async with asyncio.timeout(40):  # a given broker may look every 15 s, ours does every second
        while len(read := await values(bootstrap, topic)) == len(written):  # noqa: ASYNC110  compaction has no event
            await asyncio.sleep(0.1)
    assert read[-1] == written[-1]


async def test_a_large_record_passes(bootstrap: str, prefix: str) -> None:
    """The broker takes records as large as the largest event that the connector may be set to."""
    topic = f"{prefix}.invoices"
    await create_topic(bootstrap, topic)
    large = 12 << 20
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, max_request_size=16 << 20) as producer:
        await producer.send_and_wait(topic, bytes(large))
    assert [len(value) for value in await values(bootstrap, topic)] == [large]


async def test_a_topic_that_is_not_there_is_named(bootstrap: str, prefix: str) -> None:
    """Reading an unknown topic fails at once with its name, and asking for it does not create it."""
    for _ in range(2):
        with pytest.raises(LookupError, match=f"{prefix}.nothing"):
            await read_all(bootstrap, f"{prefix}.nothing")


async def test_kill_ends_the_broker_at_once(own_kafka: Broker) -> None:
    """After kill nothing answers any more."""
    await asyncio.to_thread(own_kafka.kill)
    assert not own_kafka.alive()
    assert not answers(own_kafka.bootstrap)


async def test_data_survives_kill_9_and_restart(own_kafka: Broker, prefix: str) -> None:
    """The broker, left dead by the test before, runs again; killed once more it keeps its address and all that was committed."""
    topic, address = f"{prefix}.orders", own_kafka.bootstrap
    await create_topic(address, topic)
    await send(address, topic, b"1", transaction=f"{prefix}.a")
    await asyncio.to_thread(own_kafka.kill)
    await asyncio.to_thread(own_kafka.restart)
    await send(address, topic, b"2", transaction=f"{prefix}.a")
    assert own_kafka.bootstrap == address
    assert await values(address, topic) == [b"1", b"2"]


@pytest.mark.usefixtures("jars")
async def test_a_given_directory_is_kept_and_used_again(tmp_path: Path, prefix: str) -> None:
    """What one broker wrote into a given directory, the next one in it serves, on other ports."""
    home, topic = tmp_path / "kafka", f"{prefix}.orders"
    with await asyncio.to_thread(start_jvm, home, print) as first:
        await create_topic(first.bootstrap, topic)
        await send(first.bootstrap, topic, b"1")
    assert not listens(first.bootstrap)
    with await asyncio.to_thread(start_jvm, home, print) as second:
        assert await values(second.bootstrap, topic) == [b"1"]
