"""What is written to Kafka: records, CloudEvents headers, partitions. Pure."""

from collections.abc import Sequence
from typing import NamedTuple

from aiokafka.partitioner import murmur2

Headers = Sequence[tuple[str, bytes]]

OVERHEAD = 512
"""Bytes of a batch and record frame, at most, beside key, value and headers."""


class Record(NamedTuple):
    """A record on its way. Without a partition its key decides, as Java's default partitioner would."""

    topic: str
    key: bytes
    value: bytes | None
    headers: Headers = ()
    partition: int | None = None

    @property
    def size(self) -> int:
        """Bytes in a batch of its own, at most: lz4 can make what cannot be compressed 1/255 larger."""
        content = len(self.key) + len(self.value or b"") + sum(len(name) + len(text) for name, text in self.headers)
        return content + content // 255 + OVERHEAD


def partition_of(key: bytes, partitions: int) -> int:
    """The partition that Java's default partitioner picks for a key."""
    return int((murmur2(key) & 0x7FFFFFFF) % partitions)


def shard_partition(administration: str, number: int, partitions: int) -> int:
    """The work partition of a shard: an administration's entities, by their fixed numbers, spread evenly."""
    return int(((murmur2(administration.encode()) & 0x7FFFFFFF) + number) % partitions)


class CloudEvent(NamedTuple):
    """CloudEvents 1.0 attributes of one event (binary mode); `time` is RFC 3339."""

    id: str
    source: str
    type: str
    subject: str
    time: str
    dataschema: str
    syncmarker: int
    origin: str

    def headers(self) -> list[tuple[str, bytes]]:
        """Kafka protocol binding: `ce_` headers and the content type."""
        return [
            ("content-type", b"application/json"),
            ("ce_specversion", b"1.0"),
            ("ce_id", self.id.encode()),
            ("ce_source", self.source.encode()),
            ("ce_type", self.type.encode()),
            ("ce_subject", self.subject.encode()),
            ("ce_time", self.time.encode()),
            ("ce_dataschema", self.dataschema.encode()),
            ("ce_syncmarker", b"%d" % self.syncmarker),
            ("ce_origin", self.origin.encode()),
        ]


def dead_letter_headers(origin: tuple[str, int, int], stage: str, kind: str, message: str) -> list[tuple[str, bytes]]:
    """Headers in the Kafka Connect convention; `origin` is topic, partition and offset (-1 where there is none)."""
    topic, partition, offset = origin
    return [
        ("__connect.errors.topic", topic.encode()),
        ("__connect.errors.partition", b"%d" % partition),
        ("__connect.errors.offset", b"%d" % offset),
        ("__connect.errors.stage", stage.encode()),
        ("__connect.errors.exception.class.name", kind.encode()),
        ("__connect.errors.exception.message", message.encode()),
    ]
