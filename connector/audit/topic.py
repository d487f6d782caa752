"""The topic's side: what its readers see, as far as it is written now."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from contextlib import aclosing

from aiokafka import ConsumerRecord

from connector.audit import content
from connector.audit.asking import shape_of
from connector.audit.raw import item
from connector.audit.versions import NONE, UNKNOWN, Versions
from connector.audit.walk import Tell
from connector.kafka.cluster import Cluster
from connector.kafka.reading.topic_readers import committed, extent
from connector.kafka.records import header, header_text, number, partition_of
from connector.messages.cloudevents import CE_SUBJECT, CE_SYNC_MARKER, CE_TYPE
from connector.messages.control import IDENTITY_CHARS_MAX
from connector.messages.dead_letter import EPOCH, ERRORS, FIRST_MARKER
from connector.source.entities import Entity

STEP = 5000
"""Records between two signs of progress."""


class TopicReading:
    """Reads an entity's topic, and later what came since; the last record of an item stands."""

    def __init__(self, brokers: Cluster, topic: str, entity: Entity, versions: Versions) -> None:
        self._brokers = brokers
        self._topic = topic
        self._entity = entity
        self._versions = versions
        self._next: dict[int, int] = {}
        self._begins: dict[int, int] = {}
        self._lowest: dict[int, int] = {}
        self.markers: dict[bytes, int] = {}
        """Markers of a slow list's rows, whose versions are none."""
        self.hashes: dict[bytes, str] = {}
        """What the position record says of a slow list's row that was written like this."""

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
        marker = number(header(record.headers, CE_SYNC_MARKER), UNKNOWN)
        removed = record.value is None or header_text(record.headers, CE_TYPE).endswith(".deleted")
        name = self._entity.name_of(identity, marker).encode()
        if not removed and marker >= 0:
            self._lowest[record.partition] = min(marker, self._lowest.get(record.partition, marker))
        self._versions.record(name, NONE if removed else self._version(record, marker))
        if self._entity.listed:
            self._take_row(name, marker, None if removed else record.value)

    def _take_row(self, name: bytes, marker: int, value: bytes | None) -> None:
        self.markers[name] = marker
        self.hashes.pop(name, None)
        if value is not None:
            self.hashes[name] = hashlib.blake2b(value, digest_size=12).hexdigest()

    def _version(self, record: ConsumerRecord, marker: int) -> int:
        return content.of_event(record.value) if self._entity.listed else marker


def _identity(key: bytes | None) -> str | None:
    """None for what no item of the POS can be called, and no repair can name: a record of somebody else's."""
    try:
        found = (key or b"").decode()
    except UnicodeDecodeError:
        return None
    return found if 0 < len(found) <= IDENTITY_CHARS_MAX else None


class ExcusingLetters:
    """Dead letters of an entity that are of this epoch: after a restore of the POS the same markers are of other items.

    They are told by the item's version (its sync marker, or a hash of what stands in the row of a slow list), and where the
    connector could read it by its name: a letter of one item excuses no other at the same marker.
    """

    def __init__(self, entity: Entity, epoch: int) -> None:
        self._entity = entity
        self._epoch = epoch
        self._found: Counter[tuple[int, str]] = Counter()
        self._ranges: list[tuple[int, int]] = []

    async def read(self, brokers: Cluster, topic: str, of: Sequence[str]) -> None:
        """All of them that are of these topics. Raises Fatal."""
        async with aclosing(committed(brokers, topic, await extent(brokers, topic))) as records:
            async for record in records:
                if record.key == self._entity.name.encode() and header_text(record.headers, ERRORS + "topic") in of:
                    self._take(record)

    def stands_for(self, version: int | None, identity: str) -> bool:
        """Whether one stands for this item (empty: nobody knows which) of this version.

        Each does for one item, or for all at its range of markers.
        """
        if version is None or any(first <= version <= last for first, last in self._ranges):
            return version is not None
        names = [identity, ""] if identity else [each for at, each in self._found if at == version]
        for each in names:
            if self._found[version, each] > 0:
                self._found[version, each] -= 1
                return True
        return False

    def _take(self, record: ConsumerRecord) -> None:
        if number(header(record.headers, EPOCH), 0) == self._epoch:
            version = self._version(record)
            first = number(header(record.headers, FIRST_MARKER), UNKNOWN)
            self._found[version, header_text(record.headers, CE_SUBJECT)] += 1
            self._ranges += [(first, version)] if 0 <= first < version else []

    def _version(self, record: ConsumerRecord) -> int:
        if self._entity.listed:
            return content.of_xml(record.value or b"")
        marker = number(header(record.headers, CE_SYNC_MARKER), UNKNOWN)
        if marker == UNKNOWN and record.value:
            shown = item(record.value, shape_of(self._entity))
            marker = UNKNOWN if shown is None or shown.marker is None else shown.marker
        return marker
