"""Reading a partition in slices: the same records as a consumer shows, in steps, and given up only when nothing moves."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import NewTopic, RecordsToDelete

from connector.errors import TransactionLost
from connector.kafka.cluster import Cluster
from connector.kafka.reading.decided import STEP, Decided, Row
from connector.kafka.reading.readers import read_back, read_back_all
from connector.kafka.reading.slices import SliceReader, slicing
from connector.kafka.records import Place, Record
from connector.kafka.writing.transactions import fenced_producer
from connector.local_kafka.start import Broker
from tests.support.kafka.odd_records import Odd, write
from tests.support.kafka.topics import admin, create_topic, end_offsets, read_all


@asynccontextmanager
async def transactions(bootstrap: str, name: str, compression: str | None = None) -> AsyncIterator[AIOKafkaProducer]:
    """A producer of transactions."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, transactional_id=name, compression_type=compression)
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


async def produce(bootstrap: str, topic: str, count: int, size: int = 20, **how: Any) -> None:
    """So many records, their numbers as keys."""
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, max_batch_size=1 << 20, linger_ms=50, **how) as producer:
        sent = [await producer.send(topic, b"x" * size, b"%d" % number) for number in range(count)]
        await asyncio.gather(*sent)


async def everything(bootstrap: str, topic: str, offset: int | None = None, **how: Any) -> list[Row]:
    """All that steps give."""
    async with (
        slicing(Cluster(bootstrap), Place(topic, 0)) as reader,
        aclosing(reader.steps(offset, **how)) as steps,
    ):
        return [row async for rows in steps for row in rows]


def told(rows: Sequence[Any]) -> list[tuple[int, bytes | None, bytes | None]]:
    """What they say."""
    return [(row.offset, row.key, row.value) for row in rows]


@pytest.mark.parametrize("compression", [None, "gzip", "lz4", "snappy", "zstd"])
async def test_slices_show_what_a_consumer_shows(bootstrap: str, prefix: str, compression: str | None) -> None:
    """Of two producers whose transactions lie across each other, are committed or aborted, and from any offset on."""
    await create_topic(bootstrap, prefix)
    chance = random.Random(compression)
    async with (
        transactions(bootstrap, f"{prefix}-1", compression) as one,
        transactions(bootstrap, f"{prefix}-2", compression) as two,
    ):
        for _ in range(12):
            for producer in (one, two):
                await producer.begin_transaction()
            for _ in range(chance.randrange(4)):
                producer = chance.choice([one, two])
                sent = [await producer.send(prefix, b"v" * chance.randrange(3000), b"k") for _ in range(chance.randrange(9))]
                await asyncio.gather(*sent)
            for producer in (one, two):
                await chance.choice([producer.commit_transaction, producer.abort_transaction])()
            await asyncio.sleep(0.01)
    expected = told(await read_all(bootstrap, prefix))
    assert expected
    assert expected == told(await everything(bootstrap, prefix))
    assert expected == told(await everything(bootstrap, prefix, most=1))
    for offset in {chance.choice(expected)[0] for _ in range(4)} | {expected[-1][0]}:
        assert [row for row in expected if row[0] >= offset] == told(await everything(bootstrap, prefix, offset))


@pytest.mark.parametrize("codec", ["none", "zstd"])
async def test_a_header_that_is_no_utf8_stops_no_slice(bootstrap: str, prefix: str, codec: str) -> None:
    """Good, bad and good again in one batch, more than a step of each: every record once, in order, from any offset on."""
    await create_topic(bootstrap, prefix)
    rows = [Odd(b"k", b"%d" % number, ((b"\xff", b"x"),) if number == STEP + 7 else ()) for number in range(2 * STEP + 20)]
    await write(bootstrap, prefix, 0, rows, codec)
    expected = [row.value for row in rows]
    for offset in (None, 3, STEP + 7, STEP + 8, 2 * STEP + 19):
        assert expected[offset or 0 :] == [row.value for row in await everything(bootstrap, prefix, offset)]


async def test_the_event_loop_goes_on_within_a_batch(bootstrap: str, prefix: str) -> None:
    """Whatever a batch holds: others get their turn at least every STEP records."""
    await create_topic(bootstrap, prefix)
    await produce(bootstrap, prefix, 20 * STEP, compression_type="zstd")
    turns = [0]

    async def others() -> None:
        while True:
            turns[0] += 1
            await asyncio.sleep(0)

    busy = asyncio.create_task(others())
    async with slicing(Cluster(bootstrap), Place(prefix, 0)) as reader, aclosing(reader.steps()) as steps:
        seen = [(turns[0], len(rows)) async for rows in steps]
    busy.cancel()
    assert 20 * STEP == sum(size for _, size in seen)
    assert max(size for _, size in seen) < 2 * STEP
    assert len(seen) == len({turn for turn, _ in seen}), "two steps in one turn"


async def test_the_event_loop_goes_on_among_batches_that_show_nothing(bootstrap: str, prefix: str) -> None:
    """Of transactions that were aborted, and their markers: steps without records."""
    await create_topic(bootstrap, prefix)
    async with transactions(bootstrap, prefix) as producer:
        for number in range(STEP):
            await producer.begin_transaction()
            await producer.send_and_wait(prefix, b"%d" % number)
            await producer.abort_transaction()
    async with (
        slicing(Cluster(bootstrap), Place(prefix, 0)) as reader,
        aclosing(reader.steps()) as steps,
    ):
        assert {0} == {len(rows) async for rows in steps}


async def test_reading_back_takes_as_long_as_it_takes(bootstrap: str, prefix: str) -> None:
    """Not a moment's stand-still is allowed here, and each slice that comes is movement."""
    await create_topic(bootstrap, prefix)
    await produce(bootstrap, prefix, 4000, 1000)
    found = await read_back(Cluster(bootstrap), prefix, 0, still=0.0)
    assert {b"%d" % number for number in range(4000)} == found.keys()


async def test_a_partition_that_stands_still_is_named(bootstrap: str, prefix: str) -> None:
    """With its offset, and what it may be; when the transaction before it is decided it is read."""
    await create_topic(bootstrap, prefix)
    await produce(bootstrap, prefix, 3)
    async with transactions(bootstrap, prefix) as producer:
        await producer.begin_transaction()
        await producer.send_and_wait(prefix, b"4", b"4")
        expected = rf"{prefix}, partition 0, cannot be read to its end: for 1 s at offset 3 of 4: .* kafka-transactions.sh"
        with pytest.raises(TransactionLost, match=expected):
            await read_back(Cluster(bootstrap), prefix, 0, still=1.0)
        await producer.commit_transaction()
    assert b"4" in await read_back(Cluster(bootstrap), prefix, 0)


async def test_many_partitions_are_read_back_by_one_client(bootstrap: str, prefix: str) -> None:
    """Each as it would be alone: the latest values, without what was aborted or deleted, also where the first are gone."""
    topics = [f"{prefix}.{number}" for number in range(30)]
    async with admin(bootstrap) as client:
        await client.create_topics([NewTopic(topic, 2, 1) for topic in topics])
    records = [Record(topic, b"%d" % key, topic.encode(), partition=1) for topic in topics for key in range(20)]
    async with fenced_producer(Cluster(bootstrap), prefix, 1) as producer:
        await producer.transaction(records)
        await producer.transaction([Record(topics[0], b"0", None, partition=1), Record(topics[0], b"1", b"new", partition=1)])
        await producer._producer.begin_transaction()
        await (await producer._producer.send(topics[1], b"never", key=b"1", partition=1))
        async with fenced_producer(Cluster(bootstrap), prefix, 1):
            places = [Place(topic, partition) for topic in topics for partition in (0, 1)]
            found = await read_back_all(Cluster(bootstrap), places)

    rows = {place: {b"%d" % key: place.topic.encode() for key in range(20 * place.partition)} for place in places}
    del rows[Place(topics[0], 1)][b"0"]
    rows[Place(topics[0], 1)][b"1"] = b"new"
    assert rows == found
    assert {} == await read_back_all(Cluster(bootstrap), [])


async def test_one_partition_that_stands_still_is_named_among_many(bootstrap: str, prefix: str) -> None:
    """Nothing is told of the others then: a lane that does not know all its positions does not begin."""
    fine, stands = f"{prefix}.fine", f"{prefix}.stands"
    for topic in (fine, stands):
        await create_topic(bootstrap, topic)
        await produce(bootstrap, topic, 3)
    async with transactions(bootstrap, prefix) as producer:
        await producer.begin_transaction()
        await producer.send_and_wait(stands, b"4", b"4")
        with pytest.raises(TransactionLost, match=f"{stands}, partition 0, cannot be read to its end: for 1 s at offset 3 of 4"):
            await read_back_all(Cluster(bootstrap), [Place(fine, 0), Place(stands, 0)], still=1.0)


async def test_what_is_not_decided_is_waited_for_or_left(bootstrap: str, prefix: str) -> None:
    """As the reader wants it."""
    await create_topic(bootstrap, prefix)
    await produce(bootstrap, prefix, 3)
    async with transactions(bootstrap, prefix) as producer:
        await producer.begin_transaction()
        await producer.send_and_wait(prefix, b"4", b"4")
        assert [0, 1, 2] == [row.offset for row in await everything(bootstrap, prefix, undecided=False)]
        waiting = asyncio.create_task(everything(bootstrap, prefix))
        await producer.commit_transaction()
        assert [0, 1, 2, 3] == [row.offset for row in await waiting]


async def test_slices_in_memory_are_bounded(bootstrap: str, prefix: str) -> None:
    """Readers of several partitions share turns: nobody has a slice while another's is worked on."""
    await create_topic(bootstrap, prefix)
    await produce(bootstrap, prefix, 3000, 1000)
    turns, held = asyncio.Semaphore(1), [0]

    async def reading() -> int:
        count = 0
        async with (
            slicing(Cluster(bootstrap), Place(prefix, 0)) as reader,
            aclosing(reader.slices(turns=turns, most=100_000)) as slices,
        ):
            async for part in slices:
                held[0] += 1
                assert [1] == held
                count += await _taken(part)
                held[0] -= 1
        return count

    assert [3000] * 3 == await asyncio.gather(*(reading() for _ in range(3)))


async def _taken(part: Decided) -> int:
    count = 0
    for rows in part:
        count += len(rows)
        await asyncio.sleep(0)
    return count


async def test_what_kafka_deletes_meanwhile_is_passed_over(bootstrap: str, prefix: str) -> None:
    """Reading goes on at the first offset that is left."""
    await create_topic(bootstrap, prefix)
    await produce(bootstrap, prefix, 30)
    async with admin(bootstrap) as client:
        await client.delete_records({TopicPartition(prefix, 0): RecordsToDelete(before_offset=20)})
    assert list(range(20, 30)) == [row.offset for row in await everything(bootstrap, prefix)]
    assert list(range(20, 30)) == [row.offset for row in await everything(bootstrap, prefix, 5)]
    async with slicing(Cluster(bootstrap), Place(prefix, 0)) as reader:
        assert 20 == await reader.first()


async def test_an_empty_partition_is_read_at_once(bootstrap: str, prefix: str) -> None:
    """There is nothing to wait for."""
    await create_topic(bootstrap, prefix)
    assert [] == await everything(bootstrap, prefix, still=0.0)


async def test_a_broker_that_comes_back_is_read_on(own_kafka: Broker, prefix: str) -> None:
    """It is waited for while it is away, and whoever waits too long is told why."""
    address = own_kafka.bootstrap
    await create_topic(address, prefix)
    await produce(address, prefix, 30, 1000)
    async with slicing(Cluster(address), Place(prefix, 0)) as reader:
        await asyncio.to_thread(own_kafka.kill)
        with pytest.raises(TransactionLost, match=r"at offset 0 of \?: .*: nobody listens there"):
            await _read(reader, 0, still=1.0)
        reading = asyncio.create_task(_read(reader, 0))
        await asyncio.to_thread(own_kafka.restart)
        assert list(range(30)) == await reading
    assert {0: 30} == await end_offsets(address, prefix)


async def _read(reader: SliceReader, offset: int, **how: Any) -> list[int]:
    async with aclosing(reader.steps(offset, **how)) as steps:
        return [row.offset async for rows in steps for row in rows]
