"""The topic's side: what its readers see, as far as it is written now."""

from collections import Counter
from collections.abc import Sequence
from contextlib import aclosing

from aiokafka import ConsumerRecord

from connector.audit.source import Tell, content_version
from connector.audit.versions import NONE, UNKNOWN, Versions
from connector.client.brokers import Brokers
from connector.client.reading import committed, extent
from connector.kafka.records import header, header_text, number, partition_of
from connector.source.entities import Entity
from connector.source.wanted import LONGEST_IDENTITY

STEP = 5000
"""Records between two signs of progress."""


class TopicReading:
    """Reads an entity's topic, and later what came since; the last record of an item stands."""

    def __init__(self, brokers: Brokers, topic: str, entity: Entity, versions: Versions) -> None:
        self._brokers = brokers
        self._topic = topic
        self._entity = entity
        self._versions = versions
        self._next: dict[int, int] = {}
        self._begins: dict[int, int] = {}
        self._lowest: dict[int, int] = {}
        self.markers: dict[bytes, int] = {}
        """Of a slow list, whose versions are none."""

    async def read(self, tell: Tell) -> None:
        """Raises Fatal."""
        spans = await extent(self._brokers, self._topic)
        self._begins = {partition: begin for partition, (begin, _) in spans.items()}
        unread = {partition: (max(begin, self._next.get(partition, 0)), end) for partition, (begin, end) in spans.items()}
        total, count = sum(max(0, end - begin) for begin, end in unread.values()), 0
        async with aclosing(committed(self._brokers, self._topic, unread)) as records:
            async for record in records:
                self._take(record)
                count += 1
                if count % STEP == 0:
                    tell(count, total)
        self._next = {partition: end for partition, (_, end) in unread.items()}

    def expired(self, identity: str, marker: int) -> bool:
        """Whether an append-only topic's retention may rightly have removed this row: older ones are gone, newer ones not."""
        partition = partition_of(identity.encode(), len(self._begins))
        return self._begins[partition] > 0 and marker < self._lowest.get(partition, marker + 1)

    def _take(self, record: ConsumerRecord) -> None:
        identity = _identity(record.key)
        if identity is None:
            return
        marker = number(header(record.headers, "ce_syncmarker"), UNKNOWN)
        removed = record.value is None or header_text(record.headers, "ce_type").endswith(".deleted")
        name = self._entity.name_of(identity, marker).encode()
        if not removed and marker >= 0:
            self._lowest[record.partition] = min(marker, self._lowest.get(record.partition, marker))
        self._versions.record(name, NONE if removed else self._version(record, marker))
        if self._entity.listed:
            self.markers[name] = marker

    def _version(self, record: ConsumerRecord, marker: int) -> int:
        return content_version(record.value) if self._entity.listed else marker


def _identity(key: bytes | None) -> str | None:
    """None for what no item of the POS can be called, and no repair can name: a record of somebody else's."""
    try:
        found = (key or b"").decode()
    except UnicodeDecodeError:
        return None
    return found if 0 < len(found) <= LONGEST_IDENTITY else None


async def letters(brokers: Brokers, topic: str, entity: str, of: Sequence[str]) -> Counter[int]:
    """How many dead letters of these topics there are, by sync marker."""
    found: Counter[int] = Counter()
    async with aclosing(committed(brokers, topic, await extent(brokers, topic))) as records:
        async for record in records:
            if record.key == entity.encode() and header_text(record.headers, "__connect.errors.topic") in of:
                found[number(header(record.headers, "ce_syncmarker"), UNKNOWN)] += 1
    return found
