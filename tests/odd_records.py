"""Records as any program may write them: batches built byte by byte, for aiokafka's producer writes only what is well-formed."""

import asyncio
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from aiokafka import AIOKafkaProducer, codec
from aiokafka.record._crc32c import crc
from aiokafka.record.util import encode_varint_py

LARGEST = 32 << 20
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
    content = compress(b"".join(_record(place, row) for place, row in enumerate(rows)))
    rest = struct.pack(">hiqqqhii", number, len(rows) - 1, 1_700_000_000_000, 1_700_000_000_000, -1, -1, -1, len(rows)) + content
    return struct.pack(">qiibI", 0, len(rest) + 9, -1, 2, crc(rest)) + rest


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
        built: Any = producer.create_batch()
        built.append(timestamp=None, key=None, value=b"", headers=[])
        built.close()
        built._builder, built._build = None, lambda: bytearray(batch(rows, compression))
        sent = await producer.send_batch(built, topic, partition=partition)
        async with asyncio.timeout(30):
            return int((await sent).offset)
