"""Records as any program may write them: batches built byte by byte, for aiokafka's producer writes only what is well-formed."""

import asyncio
import json
import struct
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from aiokafka import AIOKafkaProducer, codec
from aiokafka.errors import KafkaError
from aiokafka.record.util import calc_crc32c, encode_varint_py

LARGEST, MOST_BYTES = 32 << 20, 1_000_000
NO_UTF8 = b"\xff\xfe\xfd"
CODECS: Mapping[str, tuple[int, Callable[[bytes], bytes]]] = {
    "none": (0, bytes),
    "gzip": (1, codec.gzip_encode),
    "snappy": (2, codec.snappy_encode),
    "lz4": (3, codec.lz4_encode),
    "zstd": (4, codec.zstd_encode),
}


class Odd(NamedTuple):
    """A record: names of headers are bytes here, and a header may stand there more than once.

    `header_count`: how many it says there are, where that is a lie.
    """

    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[bytes, bytes | None]] = ()
    header_count: int | None = None


def batch(rows: Sequence[Odd], compression: str = "none") -> bytes:
    """Format 2, without a producer id."""
    number, compress = CODECS[compression]
    now = int(time.time() * 1000)
    content = compress(b"".join(_record(place, row) for place, row in enumerate(rows)))
    rest = struct.pack(">hiqqqhii", number, len(rows) - 1, now, now, -1, -1, -1, len(rows)) + content
    return struct.pack(">qiibI", 0, len(rest) + 9, -1, 2, calc_crc32c(rest)) + rest


def _record(place: int, row: Odd) -> bytes:
    count = len(row.headers) if row.header_count is None else row.header_count
    names = b"".join(_field(name) + _field(value) for name, value in row.headers)
    content = b"\0" + _varint(0) + _varint(place) + _field(row.key) + _field(row.value) + _varint(count) + names
    return _varint(len(content)) + content


def _field(content: bytes | None) -> bytes:
    return _varint(-1) if content is None else _varint(len(content)) + content


def _varint(number: int) -> bytes:
    written = bytearray()
    encode_varint_py(number, written.append)
    return bytes(written)


async def write(bootstrap: str, topic: str, partition: int, rows: Sequence[Odd], compression: str = "none") -> int:
    """One batch of these; the offset of the first."""
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, max_request_size=LARGEST) as producer:
        return await _sent(producer, topic, partition, batch(rows, compression))


async def _sent(producer: AIOKafkaProducer, topic: str, partition: int, content: bytes) -> int:
    built: Any = producer.create_batch()
    built.append(timestamp=None, key=None, value=b"", headers=[])
    built.close()
    built._builder, built._build = None, lambda: bytearray(content)
    sent = await producer.send_batch(built, topic, partition=partition)
    async with asyncio.timeout(30):
        return int((await sent).offset)


HEADERS = (
    *("ce_id", "ce_type", "ce_time", "ce_syncmarker", "ce_origin", "content-type", "traceparent", "tracestate"),
    *("mplus_redrive", "mplus_intent", "mplus_letter_written"),
    *(f"__connect.errors.{name}" for name in ("topic", "partition", "offset", "stage", "exception.message", "left.out")),
)
"""All that anything of ours looks for."""

FIELDS = (
    *("commandId", "command", "order", "expiresAt", "outcome", "reason", "message", "at", "duplicate", "extOrderId", "orderId"),
    *(
        "id",
        "action",
        "entity",
        "status",
        "from",
        "items",
        "gone",
        "owner",
        "syncMarker",
        "group",
        "partitions",
        "state",
        "epoch",
    ),
    *("head", "position", "backlog", "age", "rate", "fact", "rank", "rows", "partition", "count", "amount", "upto", "facts"),
    *("totalInclAmount", "paymentList", "orderIds", "invoiceId", "packingSlipId", "updatedAt", "steps", "commands"),
)
"""Names under which anything of ours looks into a value."""

NINES = b"9" * 5000


def _under_all(value: Any) -> bytes:
    return json.dumps(dict.fromkeys(FIELDS, value)).encode()


def _said(value: bytes | None) -> list[tuple[bytes, bytes | None]]:
    return [(name.encode(), value) for name in HEADERS]


KEYS: Mapping[str, bytes | None] = {
    "no key": None,
    "an empty key": b"",
    "a key that is no text": NO_UTF8,
    "a key with control characters": b"a\0\x1b[31m\r\nb",
    "a key of 300 characters": b"k" * 300,
    "a large key": b"k" * 500_000,
}
VALUES: Mapping[str, bytes | None] = {
    "no value": None,
    "an empty value": b"",
    "a value that is no text": NO_UTF8,
    "no JSON": b"{",
    "a list": b"[]",
    "a text": b'"' + b"t" * 1000 + b'"',
    "null": b"null",
    "a number": NINES,
    "deep": b"[" * 50_000 + b"]" * 50_000,
    "numbers": _under_all(-(1 << 63)),
    "large numbers": b'{"syncMarker":%s,"head":1e400,"backlog":1e400,"count":%s}' % (NINES, NINES),
    "texts": _under_all("x"),
    "long texts": _under_all("x" * 10_000),
    "control characters": _under_all("\0\x1b[31m\r\n|"),
    "nulls": _under_all(None),
    "lists": _under_all([[], {}, None]),
    "objects": _under_all({"a": {}}),
    "moments": _under_all("0001-01-01T00:00:00+14:00"),
}
SAID: Mapping[str, Sequence[tuple[bytes, bytes | None]]] = {
    "names that are no text": [(NO_UTF8, b"1"), (b"ce_type\xff", NO_UTF8), (b"", None)],
    "null headers": _said(None),
    "empty headers": _said(b""),
    "headers that are no text": _said(NO_UTF8),
    "headers of digits": _said(NINES),
    "large headers": _said(b"h" * 30_000),
    "repeated headers": [*_said(b"1"), *_said(None), *_said(b"2:3"), *_said(NO_UTF8)],
    "many headers": [(b"h%d" % number, b"") for number in range(20_000)],
    "control characters in headers": _said(b"\0\x1b[31m\r\n"),
}


def zoo(keys: Sequence[bytes], value: bytes) -> list[Odd]:
    """Odd keys over this value, odd values and headers under these keys; each kind of record that a topic may meet."""
    rows = [Odd(key, value) for key in KEYS.values()]
    rows += [Odd(key, each) for each in VALUES.values() for key in keys]
    rows += [Odd(key, each, headers) for headers in SAID.values() for key in keys for each in (value, None)]
    return rows


async def inhabit(bootstrap: str, topic: str, partition: int, rows: Sequence[Odd]) -> None:
    """Write them in batches of many. A compacted topic takes none without a key, and no batch that holds one."""
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, max_request_size=LARGEST) as producer:
        for part in _batches([row for row in rows if row.key is not None]):
            await _sent(producer, topic, partition, batch(part))
        with suppress(KafkaError):
            await _sent(producer, topic, partition, batch([row for row in rows if row.key is None]))


def _batches(rows: Sequence[Odd]) -> Iterator[list[Odd]]:
    """As many as fit into one by Kafka's default limit."""
    part: list[Odd] = []
    size = 0
    for row in rows:
        length = len(_record(0, row)) + 20
        if size + length > MOST_BYTES:
            yield part
            part, size = [], 0
        part.append(row)
        size += length
    yield part
