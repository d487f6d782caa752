"""Topics that are not there, or not as before, on a broker that would make each topic that anybody asks about."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from aiokafka.admin import NewPartitions
from aiokafka.errors import UnknownTopicOrPartitionError

from connector.errors import ConnectorError, TransactionLost
from connector.kafka.cluster import Cluster
from connector.kafka.reading.consumer import Consumer
from connector.kafka.reading.followers import following
from connector.kafka.reading.latest import last_records
from connector.kafka.reading.readers import committed, read_back, read_back_all, reading_from
from connector.kafka.reading.starts import since
from connector.kafka.reading.tails import newest
from connector.kafka.records import Place, Record
from connector.kafka.topics import Extent, extents
from connector.kafka.writing.idempotent_producer import Producing
from connector.kafka.writing.transactions import FencedProducer, fenced_producer
from connector.local_kafka.jvm import JvmBroker
from connector.local_kafka.start import Broker
from tests.support.kafka.topics import admin, create_topic, partition_count

CARELESS = "auto.create.topics.enable=true\nnum.partitions=1\n"


@pytest.fixture(scope="module")
def careless(jars: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker with Kafka's own default."""
    home = tmp_path_factory.mktemp("careless")
    broker = JvmBroker(jars, home, keep=True)
    settings = (home / "server.properties").read_text().replace("auto.create.topics.enable=false\n", CARELESS)
    (home / "server.properties").write_text(settings)
    with broker:
        broker.restart()
        yield broker


@pytest.fixture
def cluster(careless: Broker) -> Cluster:
    """Arguments for any client of it."""
    return Cluster(careless.bootstrap)


async def topics(broker: Broker) -> set[str]:
    """All there are."""
    async with admin(broker.bootstrap) as client:
        return set(await client.list_topics())


async def delete(broker: Broker, topic: str) -> None:
    """And wait until it is gone."""
    async with admin(broker.bootstrap) as client, asyncio.timeout(15):
        await client.delete_topics([topic])
        while topic in await client.list_topics():  # noqa: ASYNC110  the broker has no event for it
            await asyncio.sleep(0.02)


async def test_this_broker_makes_topics_for_who_is_careless(careless: Broker, prefix: str) -> None:
    """Else the others prove nothing."""
    async with admin(careless.bootstrap) as client:
        await client.describe_topics([prefix])
    async with asyncio.timeout(15):
        while prefix not in await topics(careless):  # noqa: ASYNC110  the broker has no event for it
            await asyncio.sleep(0.02)


async def writing(cluster: Cluster, topic: str) -> None:
    """By a lane."""
    async with fenced_producer(cluster, topic, 0) as producer:
        await producer.transaction([Record(topic, b"k", b"v")])


async def handing_in(cluster: Cluster, topic: str) -> None:
    """A command, by an application."""
    producing = Producing(cluster)
    try:
        async with asyncio.timeout(4):
            await producing.write(Place(topic, 0), Record(topic, b"k", b"v"), "it")
    finally:
        await producing.close()


async def subscribing(cluster: Cluster, topic: str) -> None:
    """To a group's topics."""
    consumer = Consumer(**cluster.arguments, group_id=topic)
    try:
        await consumer.start()
        consumer.subscribe([topic])
        await consumer.getmany(timeout_ms=500)
    finally:
        await consumer.stop()
    raise UnknownTopicOrPartitionError(topic)


async def follow(cluster: Cluster, topic: str) -> None:
    """What operators ask."""
    async with following(cluster, {Place(topic, 0): 0}):
        pass


async def reading(cluster: Cluster, topic: str) -> None:
    """The commands."""
    async with reading_from(cluster, Place(topic, 0), 0):
        pass


async def reading_all(cluster: Cluster, topic: str) -> None:
    """All that is committed."""
    async for _ in committed(cluster, topic, 0):
        pass


WAYS: Mapping[str, Callable[[Cluster, str], Awaitable[Any]]] = {
    "writing": writing,
    "handing in": handing_in,
    "subscribing": subscribing,
    "following": follow,
    "reading from": reading,
    "reading all": reading_all,
    "reading back": lambda cluster, topic: read_back(cluster, topic, 0, still=0.5),
    "newest": lambda cluster, topic: newest(cluster, [Place(topic, 0)], lambda _: True),
    "last": lambda cluster, topic: last_records(cluster, topic, 1, 1),
    "since": lambda cluster, topic: since(cluster, [Place(topic, 0)], 0, 1),
}


async def test_nobody_makes_a_topic_by_asking_about_it(careless: Broker, cluster: Cluster, prefix: str) -> None:
    """Whoever reads or writes is refused, with the topic's name, and there is no topic afterwards."""
    names = {f"{prefix}.{name.replace(' ', '-')}": way for name, way in WAYS.items()}
    looking = asyncio.create_task(extents(cluster, [f"{prefix}.extents"]))
    refused = await asyncio.gather(*(way(cluster, topic) for topic, way in names.items()), return_exceptions=True)
    told = {topic: error for topic, error in zip(names, refused, strict=True) if not topic.endswith("handing-in")}

    assert {} == await looking
    assert {} == {topic: error for topic, error in told.items() if not isinstance(error, Exception) or topic not in str(error)}
    assert set() == {topic for topic in await topics(careless) if topic.startswith(prefix)}


async def test_a_topic_that_vanishes_is_told_by_its_name(careless: Broker, cluster: Cluster, prefix: str) -> None:
    """The producer's next transaction is lost, and nothing is made in the topic's place; the other topic is not blamed."""
    gone, stays = f"{prefix}.gone", f"{prefix}.stays"
    await create_topic(careless.bootstrap, gone, 3)
    await create_topic(careless.bootstrap, stays)
    async with fenced_producer(cluster, prefix, 0) as producer:
        await producer.transaction([Record(gone, b"k", b"1"), Record(stays, b"k", b"1")])
        await delete(careless, gone)
        with pytest.raises(TransactionLost, match=f"topic {gone} does not exist") as lost:
            await producer.transaction([Record(gone, b"k", b"2"), Record(stays, b"k", b"2")])
    assert (gone, False) == (lost.value.topic, lost.value.slow)
    assert gone not in await topics(careless)
    with pytest.raises(TransactionLost, match=f"topic {gone} does not exist"):
        await read_back_all(cluster, [Place(stays, 0), Place(gone, 0)], still=0.5)


async def test_a_topic_that_was_made_anew_is_not_taken_for_the_old_one(careless: Broker, cluster: Cluster, prefix: str) -> None:
    """Somebody deletes it and makes it again, with as many partitions: what is written next is not committed."""
    await create_topic(careless.bootstrap, prefix)
    async with fenced_producer(cluster, prefix, 0) as producer:
        for _ in range(3):
            await producer.transaction([Record(prefix, b"k", b"1")])
        await delete(careless, prefix)
        await create_topic(careless.bootstrap, prefix)
        with pytest.raises(TransactionLost) as lost:
            await producer.transaction([Record(prefix, b"k", b"2")])
    assert prefix == lost.value.topic
    async with fenced_producer(cluster, prefix, 0):
        assert {} == await read_back(cluster, prefix, 0)


async def test_another_number_of_partitions_is_noticed(careless: Broker, cluster: Cluster, prefix: str) -> None:
    """As soon as the brokers tell of it: the key would lie elsewhere."""
    await create_topic(careless.bootstrap, prefix, 2)
    async with fenced_producer(cluster, prefix, 0) as producer:
        await producer.transaction([Record(prefix, b"k", b"1")])
        async with admin(careless.bootstrap) as client:
            await client.create_partitions({prefix: NewPartitions(5)})
        await seen(producer, prefix, 5)
        with pytest.raises(TransactionLost, match=f"topic {prefix} has 5 partitions, and had 2 before") as lost:
            await producer.transaction([Record(prefix, b"k", b"2")])
    assert prefix == lost.value.topic
    assert 5 == await partition_count(careless.bootstrap, prefix)


async def seen(producer: FencedProducer, topic: str, partitions: int) -> None:
    """As it would be after a minute."""
    client = producer._producer.client
    async with asyncio.timeout(15):
        while len(client.cluster.partitions_for_topic(topic)) != partitions:
            await client.force_metadata_update()


async def test_a_partition_that_is_not_there_is_told(careless: Broker, cluster: Cluster, prefix: str) -> None:
    """Not as an assertion of the client's."""
    await create_topic(careless.bootstrap, prefix, 2)
    async with fenced_producer(cluster, prefix, 0) as producer:
        with pytest.raises(TransactionLost, match=f"topic {prefix} has no partition 2, only 2") as lost:
            await producer.transaction([Record(prefix, b"k", b"1", partition=2)])
    assert prefix == lost.value.topic


async def test_extents_tell_how_far_topics_reach(careless: Broker, cluster: Cluster, prefix: str) -> None:
    """Partitions and the sum of their ends; what does not exist is missing, and is not made."""
    empty, written, none = f"{prefix}.empty", f"{prefix}.written", f"{prefix}.none"
    await create_topic(careless.bootstrap, empty, 3)
    await create_topic(careless.bootstrap, written, 2)
    async with fenced_producer(cluster, prefix, 0) as producer:
        await producer.transaction([Record(written, b"k%d" % n, os.urandom(10)) for n in range(20)])

    found = await extents(cluster, [empty, written, none, written])

    assert {empty: Extent(3, 0), written: Extent(2, 22)} == found  # a marker of the transaction in each partition
    assert {} == await extents(cluster, [])
    assert none not in await topics(careless)


async def test_what_one_topic_refuses_is_told_with_its_name(careless: Broker, cluster: Cluster, prefix: str) -> None:
    """And what to do; two of them are both named, and none of them alone is to blame."""
    small, tiny, strict = f"{prefix}.small", f"{prefix}.tiny", f"{prefix}.strict"
    await create_topic(careless.bootstrap, small, max_message_bytes="1000")
    await create_topic(careless.bootstrap, tiny, max_message_bytes="100")
    await create_topic(careless.bootstrap, strict, message_timestamp_after_max_ms="0", message_timestamp_before_max_ms="0")

    assert (small, False) == await lost(cluster, [Record(small, b"k", os.urandom(5000))], "MessageSizeTooLarge.*max.message")
    assert ("", False) == await lost(cluster, [Record(name, b"k", os.urandom(5000)) for name in (small, tiny)], f"{tiny}")
    assert (strict, False) == await lost(cluster, [Record(strict, b"k", b"v")], "this machine's clock is ahead of the broker's")


async def lost(cluster: Cluster, records: list[Record], said: str) -> tuple[str, bool]:
    """What is told of a transaction that the broker does not take."""
    async with fenced_producer(cluster, records[0].topic, 0) as producer:
        with pytest.raises(TransactionLost, match=said) as told:
            await producer.transaction(records)
    assert isinstance(told.value, ConnectorError)
    return told.value.topic, told.value.slow
