"""A partition's reader: what it gives, and when it says that its client is stuck."""

import asyncio
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from connector.errors import TransactionLost
from connector.kafka.cluster import Cluster
from connector.kafka.reading.readers import PartitionReader, reading_from
from connector.kafka.records import Place
from connector.local_kafka.start import Broker
from tests.support.kafka.topics import create_topic


async def send(bootstrap: str, topic: str, *values: bytes) -> None:
    """Produce values."""
    async with AIOKafkaProducer(bootstrap_servers=bootstrap) as producer:
        for value in values:
            await producer.send_and_wait(topic, value)


async def some(reader: PartitionReader) -> list[bytes]:
    """The next values, when there are any."""
    async with asyncio.timeout(30):
        while not (found := await reader.next(10)):
            pass
    return [record.value for record in found]


async def broken(reader: PartitionReader) -> None:
    """End what fetches for the client, as an error inside of it would: from then on it gives nothing, and says nothing."""
    task: asyncio.Task[Any] = reader._consumer._fetcher._fetch_task
    task.cancel()
    await asyncio.wait([task])


async def test_a_client_that_stands_still_before_records_is_stuck(bootstrap: str, prefix: str) -> None:
    """TransactionLost names the place, after two looks; whoever starts anew from there reads them."""
    await create_topic(bootstrap, prefix)
    async with reading_from(Cluster(bootstrap), Place(prefix, 0), 0, polls=1) as reader:
        await send(bootstrap, prefix, b"1")
        assert [b"1"] == await some(reader)
        await broken(reader)
        await send(bootstrap, prefix, b"2")
        with pytest.raises(TransactionLost, match=f"{prefix}, partition 0: the Kafka client stands still at offset 1"):
            await some(reader)
    async with reading_from(Cluster(bootstrap), Place(prefix, 0), 1, polls=1) as reader:
        assert [b"2"] == await some(reader)


async def test_an_idle_partition_is_nothing_to_worry_about(bootstrap: str, prefix: str) -> None:
    """However often a reader looks: at the end of the partition there is nothing to come."""
    await create_topic(bootstrap, prefix)
    await send(bootstrap, prefix, b"1")
    async with reading_from(Cluster(bootstrap), Place(prefix, 0), 0, polls=1) as reader:
        assert [b"1"] == await some(reader)
        assert [[]] * 4 == [list(await reader.next(10)) for _ in range(4)]
        await send(bootstrap, prefix, b"2")
        assert [b"2"] == await some(reader)


async def test_behind_an_open_transaction_nobody_is_stuck(bootstrap: str, prefix: str) -> None:
    """What is not decided cannot be read, and is no reason to start anew."""
    await create_topic(bootstrap, prefix)
    async with (
        reading_from(Cluster(bootstrap), Place(prefix, 0), 0, polls=1) as reader,
        AIOKafkaProducer(bootstrap_servers=bootstrap, transactional_id=prefix) as producer,
    ):
        async with producer.transaction():
            await producer.send_and_wait(prefix, b"1")
            assert [[]] * 4 == [list(await reader.next(10)) for _ in range(4)]
        assert [b"1"] == await some(reader)


async def test_a_broker_that_is_away_does_not_make_a_reader_stuck(own_kafka: Broker, prefix: str) -> None:
    """It waits, and reads on with the same client when the broker is back."""
    address = own_kafka.bootstrap
    await create_topic(address, prefix)
    async with reading_from(Cluster(address), Place(prefix, 0), 0, polls=1) as reader:
        await send(address, prefix, b"1")
        assert [b"1"] == await some(reader)
        await asyncio.to_thread(own_kafka.kill)
        assert [[]] * 3 == [list(await reader.next(10)) for _ in range(3)]
        await asyncio.to_thread(own_kafka.restart)
        await send(address, prefix, b"2")
        assert [b"2"] == await some(reader)
