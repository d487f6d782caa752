"""The topic's side: what its readers see, as far as it is written now."""

from collections import Counter
from collections.abc import Sequence
from contextlib import aclosing

from aiokafka import ConsumerRecord

from connector.audit.source import Tell, content_version
from connector.audit.versions import NONE, UNKNOWN, Versions
from connector.client.brokers import Brokers
from connector.client.reading import committed, extent
from connector.kafka.records import partition_of
from connector.source.entities import Entity

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
        headers = dict(record.headers)
        marker = _number(headers.get("ce_syncmarker"))
        removed = record.value is None or headers.get("ce_type", b"").endswith(b".deleted")
        identity = (record.key or b"").decode(errors="replace")
        name = self._entity.name_of(identity, marker).encode()
        if not removed and marker >= 0:
            self._lowest[record.partition] = min(marker, self._lowest.get(record.partition, marker))
        self._versions.record(name, NONE if removed else self._version(record, marker))
        if self._entity.listed:
            self.markers[name] = marker

    def _version(self, record: ConsumerRecord, marker: int) -> int:
        return content_version(record.value) if self._entity.listed else marker


def _number(text: bytes | None) -> int:
    return int(text) if text is not None and text.isdigit() and len(text) < 19 else UNKNOWN


async def letters(brokers: Brokers, topic: str, entity: str, of: Sequence[str]) -> Counter[int]:
    """How many dead letters of these topics there are, by sync marker."""
    found: Counter[int] = Counter()
    async with aclosing(committed(brokers, topic, await extent(brokers, topic))) as records:
        async for record in records:
            headers = dict(record.headers)
            if record.key == entity.encode() and headers.get("__connect.errors.topic", b"").decode() in of:
                found[_number(headers.get("ce_syncmarker"))] += 1
    return found
