"""The consumer that everybody reads with: what lies in a partition comes, each record once and in order, whatever it is."""

import asyncio
import inspect
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import CorruptRecordException
from aiokafka.record.util import calc_crc32c
from hypothesis import given
from hypothesis import strategies as some

import connector
from connector.kafka.clients import using
from connector.kafka.reading import batches
from connector.kafka.reading import consumer as fetching
from connector.kafka.reading.consumer import Consumer, Records
from tests.support.kafka.odd_records import CODECS, NO_UTF8, Odd, batch, write
from tests.support.kafka.topics import create_topic

PACKAGE = Path(connector.__file__).parent
BAD = Odd(b"k", b"bad", [(b"\xffname", b"1"), (b"fine", b"2")])


def good(value: bytes) -> Odd:
    """A record that nobody trips over."""
    return Odd(b"k", value, [(b"name", b"1")])


@asynccontextmanager
async def reading(bootstrap: str, topic: str, offset: int = 0, **more: Any) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer of partition 0 from an offset on."""
    consumer = Consumer(bootstrap_servers=bootstrap, enable_auto_commit=False, **more)
    await consumer.start()
    try:
        consumer.assign([TopicPartition(topic, 0)])
        consumer.seek(TopicPartition(topic, 0), offset)
        yield consumer
    finally:
        await consumer.stop()


async def taken(consumer: AIOKafkaConsumer, count: int, most: int | None = None) -> list[tuple[int, bytes | None]]:
    """Offsets and values of the next records."""
    found: list[tuple[int, bytes | None]] = []
    async with asyncio.timeout(20):
        while len(found) < count:
            for records in (await consumer.getmany(timeout_ms=200, max_records=most)).values():
                found += [(record.offset, record.value) for record in records]
    return found


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("most", [None, 1, 2])
async def test_a_name_that_is_no_utf8_costs_nothing_but_itself(bootstrap: str, prefix: str, codec: str, most: int | None) -> None:
    """Good, bad, good in one batch, and a batch behind it: all come once, in order, however many are asked for at a time."""
    await create_topic(bootstrap, prefix)
    await write(bootstrap, prefix, 0, [good(b"a"), BAD, good(b"b")], codec)
    await write(bootstrap, prefix, 0, [good(b"c")], codec)

    async with reading(bootstrap, prefix) as consumer:
        assert [(0, b"a"), (1, b"bad"), (2, b"b"), (3, b"c")] == await taken(consumer, 4, most)


@pytest.mark.parametrize("offset", [0, 1, 2, 3])
async def test_reading_may_begin_within_such_a_batch(bootstrap: str, prefix: str, offset: int) -> None:
    """What lies before is not delivered, as in any batch."""
    await create_topic(bootstrap, prefix)
    await write(bootstrap, prefix, 0, [good(b"a"), BAD, good(b"b"), BAD], "lz4")
    there = [(0, b"a"), (1, b"bad"), (2, b"b"), (3, b"bad")]

    async with reading(bootstrap, prefix, offset) as consumer:
        assert there[offset:] == await taken(consumer, 4 - offset)


async def test_one_after_the_other(bootstrap: str, prefix: str) -> None:
    """Also by the iterator, which hands out single records."""
    await create_topic(bootstrap, prefix)
    await write(bootstrap, prefix, 0, [good(b"a"), BAD, good(b"b")])

    async with reading(bootstrap, prefix) as consumer, asyncio.timeout(20):
        assert [b"a", b"bad", b"b"] == [(await consumer.getone()).value for _ in range(3)]


async def test_the_name_is_readable_and_the_others_are_as_they_were(bootstrap: str, prefix: str) -> None:
    """A byte that is no UTF-8 is written out; null values, repeated and empty names come as they are."""
    await create_topic(bootstrap, prefix)
    row = Odd(None, None, [(b"n\xe9", None), (b"", b""), ("naïve".encode(), NO_UTF8), (b"n\xe9", b"2")])
    await write(bootstrap, prefix, 0, [row])

    async with reading(bootstrap, prefix) as consumer, asyncio.timeout(20):
        record = await consumer.getone()

    assert (("n\\xe9", None), ("", b""), ("naïve", NO_UTF8), ("n\\xe9", b"2")) == record.headers
    assert (None, None) == (record.key, record.value)
    assert abs(record.timestamp / 1000 - time.time()) < 60


def spoiled(content: bytes) -> bytes:
    """The batch with one bit of its content turned, as a broken disk does."""
    return content[:-1] + bytes([content[-1] ^ 1])


def partition_of(content: bytes) -> Any:
    """What a consumer makes of bytes that a broker sent."""
    return fetching.Partition(TopicPartition("t", 3), Records(content), [], 0, None, None, True, 0)  # noqa: FBT003


@pytest.mark.parametrize("count", [-1, 2, 1 << 30])
def test_a_record_that_contradicts_itself_comes_as_far_as_it_goes(count: int) -> None:
    """It says that it has more headers than there are, or fewer than none: today's brokers refuse that, and others did not."""
    lying = Odd(b"k", b"lies", [(b"name", b"1")], header_count=count)
    found = list(partition_of(batch([good(b"a"), lying, good(b"b")], "gzip")))

    assert [(0, b"a"), (1, b"lies"), (2, b"b")] == [(record.offset, record.value) for record in found]


def placed(content: bytes, offset: int) -> bytes:
    """The batch as it lies at an offset."""
    return offset.to_bytes(8, "big") + content[8:]


def test_a_batch_that_cannot_be_read_says_where_it_lies() -> None:
    """What lies before it comes first; then one line tells the topic, the partition and the offset."""
    first, broken = batch([good(b"a"), good(b"b")]), placed(spoiled(batch([good(b"c")])), 2)

    assert [b"a", b"b"] == [record.value for record in partition_of(first + broken)]
    with pytest.raises(CorruptRecordException, match=r"t, partition 3: .* from offset 0 .*checksum"):
        list(partition_of(broken))


def test_a_codec_that_nobody_knows_is_such_an_error() -> None:
    """Kafka may learn new ones."""
    content = bytearray(batch([good(b"a")], "zstd"))
    content[22] = 7
    content[17:21] = calc_crc32c(bytes(content[21:])).to_bytes(4, "big")

    with pytest.raises(CorruptRecordException, match="t, partition 3"):
        list(partition_of(bytes(content)))


FIELDS = some.none() | some.binary(max_size=40)
ROWS = some.builds(Odd, FIELDS, FIELDS, some.lists(some.tuples(some.binary(max_size=8), FIELDS), max_size=3), some.none())


@given(some.lists(ROWS, min_size=1, max_size=6), some.sampled_from(sorted(CODECS)), some.integers(0, 5))
def test_whatever_is_written_is_read(rows: list[Odd], codec: str, first: int) -> None:
    """Keys, values, and headers with names of any bytes, from any record of the batch on."""
    first = min(first, len(rows) - 1)
    found = fetching.Partition(TopicPartition("t", 0), Records(batch(rows, codec)), [], first, None, None, True, 0)  # noqa: FBT003
    wanted = [
        (place, row.key, row.value, tuple((batches.readable(name), value) for name, value in row.headers))
        for place, row in enumerate(rows)
        if place >= first
    ]

    assert wanted == [(record.offset, record.key, record.value, record.headers) for record in found]


def test_ordinary_batches_are_decoded_by_aiokafka() -> None:
    """Our own decoder, many times slower, is asked only after that failed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fetching, "records", None)
        assert [b"a"] == [record.value for record in partition_of(batch([good(b"a")]))]
        with pytest.raises(CorruptRecordException):
            list(partition_of(batch([BAD])))


def test_everybody_reads_with_it() -> None:
    """No other consumer is made anywhere in the program; Faust makes its own, which becomes one."""
    assert [] == [path for path in PACKAGE.rglob("*.py") if "AIOKafkaConsumer(" in path.read_text()]
    assert "__class__ = Consumer" in (PACKAGE / "views" / "consumer.py").read_text()


def test_an_aiokafka_that_works_otherwise_is_noticed() -> None:
    """What takes the place of its parts must be used by it: an upgrade that changes that fails here and at import."""
    with pytest.raises(LookupError, match="does not use Gone"):
        using(AIOKafkaConsumer.start, Gone=None)
    assert inspect.iscoroutinefunction(Consumer.start)
