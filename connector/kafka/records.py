"""What is written to Kafka: records, their headers and partitions. Pure."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from aiokafka.partitioner import murmur2

Headers = Sequence[tuple[str, bytes | None]]
"""Headers as in Kafka: a name may stand there more than once, a value be null or any bytes. Of equal names the last counts."""

NUMBER = re.compile(rb"-?[0-9]{1,18}")

OVERHEAD_BYTES = 512
"""Bytes of a batch and record frame, at most, beside key, value and headers."""


class Place(NamedTuple):
    """A partition of a topic."""

    topic: str
    partition: int

    def __str__(self) -> str:
        return f"{self.topic}[{self.partition}]"


class Record(NamedTuple):
    """A record on its way. Without a partition its key decides, as Java's default partitioner would."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    partition: int | None = None

    @property
    def size(self) -> int:
        """Bytes in a batch of its own, at most: lz4 can make what cannot be compressed 1/255 larger."""
        content = len(self.key or b"") + len(self.value or b"") + size_of(self.headers)
        return content + content // 255 + OVERHEAD_BYTES


def size_of(headers: Headers) -> int:
    """Bytes of headers in a record."""
    return sum(_field(len(name.encode())) + _field(len(value or b"")) for name, value in headers)


def _field(length: int) -> int:
    """Bytes with those that tell the length: seven bits each, of twice as much."""
    return length + max(1, ((length << 1).bit_length() + 6) // 7)


def header(headers: Headers, name: str) -> bytes | None:
    """The last header of this name, as Kafka's own clients tell it; None where there is none, or it is null."""
    return next((value for each, value in reversed(headers) if each == name), None)


def header_text(headers: Headers, name: str) -> str:
    """The same as text, on which nobody can rely: what is no UTF-8 is replaced; "" where there is none, or it is null."""
    return (header(headers, name) or b"").decode(errors="replace")


def number(value: bytes | None, otherwise: int) -> int:
    """A whole number in a header, of at most 18 digits; `otherwise` for anything else."""
    return int(value) if value is not None and NUMBER.fullmatch(value) else otherwise


def partition_of(key: bytes | None, partitions: int) -> int:
    """The partition that Java's default partitioner picks for a key; the first where there is none."""
    return 0 if key is None else int((murmur2(key) & 0x7FFFFFFF) % partitions)


def shard_partition(administration: str, number: int, partitions: int) -> int:
    """The work partition of a shard: an administration's entities, by their fixed numbers, spread evenly."""
    return int(((murmur2(administration.encode()) & 0x7FFFFFFF) + number) % partitions)


def cut(text: str, most: int) -> str:
    """At most so many characters, the last of which says that there were more."""
    return text if len(text) <= most else text[: most - 1] + "…"
