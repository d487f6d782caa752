"""What a page becomes: a bundle of records, to be written in one transaction with the new position. Pure."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from connector.kafka.records import OVERHEAD_BYTES, Record
from connector.messages.cloudevents import CE_SUBJECT, CE_SYNC_MARKER, LATE, POLL, REPAIR, RESYNC, CloudEvents
from connector.messages.dead_letter import EPOCH, FIRST_MARKER, dead_letter_headers
from connector.messages.position import Position
from connector.messages.topics import Topics
from connector.mplus.responses.pages import Item, Undecodable
from connector.source.entities import Entity

REASON_CHARS_MAX = 1000
"""Characters of a dead letter's reason: it quotes the POS, and a letter that the broker refuses would stop the task."""


def origin(position: Position) -> str:
    """Why the items that lead to this position are published."""
    return POLL if position.resync is None else RESYNC


@dataclass(frozen=True, slots=True)
class ItemLetter:
    """A dead letter of the source: of an item with this marker and identity, where they can be read, and its raw XML.

    `first`: it stands for whatever lies at the markers from there to `marker`. `epoch`: that of the position.
    """

    stage: str
    marker: int | None
    reason: str
    identity: str | None = None
    raw: bytes = b""
    first: int | None = None
    epoch: int = 0


@dataclass(frozen=True, slots=True)
class Bundle:
    """Records and the position they lead to. `size` is about what they hold, in bytes.

    `alone`: the sync marker that all items share, so that it cannot be cut (-1: nobody can read it).
    """

    position: Position
    records: Sequence[Record] = ()
    letters: Sequence[ItemLetter] = ()
    items: int = 0
    size: int = 0
    late: bool = False
    alone: int | None = None


@dataclass(frozen=True, slots=True)
class Publisher:
    """Turns items of one shard into records. `largest` is the size of an event, in bytes, at most."""

    administration: str
    entity: Entity
    dead_letters: str
    largest: int

    def bundle(
        self,
        items: Iterable[Item | Undecodable],
        position: Position,
        time: str,
        origin: str = POLL,
        *,
        gives_up: Callable[[int], bool] = lambda _: False,
    ) -> Bundle:
        """Items become events or dead letters, in rising order of their markers; `gives_up`: where one cannot be sent."""
        events = CloudEvents(self.administration, self.entity.name, time, origin, position.epoch)
        records: list[Record] = []
        letters: list[ItemLetter] = []
        count, size, markers = 0, 0, set[int]()
        for item in sorted(items, key=_marker):
            count += 1
            markers.add(_marker(item))
            if isinstance(item, Undecodable):
                letter: ItemLetter | None = self._undecodable(item, gives_up)
            else:
                letter = self._publish(item, events, records, gives_up)
            if letter is not None:
                letters.append(replace(letter, epoch=position.epoch))
                records.append(self._record(letters[-1]))
            size += OVERHEAD_BYTES + len(letter.raw if letter else item[3])
        alone = markers.pop() if len(markers) == 1 else None
        return Bundle(position, records, letters, count, size, late=origin == LATE, alone=alone)

    def _undecodable(self, item: Undecodable, gives_up: Callable[[int], bool]) -> ItemLetter:
        raw = b"" if gives_up(_marker(item)) else item.raw
        return ItemLetter(item.stage, item.marker, item.reason, item.identity, raw, item.first)

    def _publish(
        self, item: Item, events: CloudEvents, records: list[Record], gives_up: Callable[[int], bool]
    ) -> ItemLetter | None:
        """The event, and a tombstone for what is deleted; or why it cannot be one."""
        headers = events.headers(item.identity, item.marker, deleted=item.deleted)
        event = Record(self.topic, item.identity.encode(), item.value, headers)
        if event.size > self.largest or gives_up(item.marker):
            why = "than CONNECTOR_MAX_EVENT_BYTES allows" if event.size > self.largest else "than Kafka takes in time"
            reason = f"{item.identity} has {len(item.value)} bytes, more {why}"
            return ItemLetter("too-large", item.marker, reason, item.identity)
        records.append(event)
        if item.deleted and self.entity.compacted:
            records.append(self.tombstone(item.identity, item.marker))
        return None

    def gone(self, identity: str, marker: int, epoch: int, time: str) -> list[Record]:
        """A deletion that nobody reported: the POS had the item last at this marker, and has it no more."""
        headers = CloudEvents(self.administration, self.entity.name, time, REPAIR, epoch).gone(identity, marker)
        records = [Record(self.topic, identity.encode(), b"{}", headers)]
        return [*records, self.tombstone(identity, marker)] if self.entity.compacted else records

    def tombstone(self, identity: str, marker: int) -> Record:
        """Removes the identity from a compacted topic; not a CloudEvent."""
        return Record(self.topic, identity.encode(), None, [(CE_SYNC_MARKER, b"%d" % marker)])

    def _record(self, letter: ItemLetter) -> Record:
        reason = letter.reason[:REASON_CHARS_MAX]
        headers = dead_letter_headers((self.topic, -1, -1), letter.stage, f"connector.source.{letter.stage}", reason)
        told = {
            CE_SYNC_MARKER: letter.marker,
            CE_SUBJECT: letter.identity and letter.identity[:REASON_CHARS_MAX],
            FIRST_MARKER: letter.first,
            EPOCH: letter.epoch or None,
        }
        headers += [(name, f"{value}".encode()) for name, value in told.items() if value is not None]
        record = Record(self.dead_letters, self.entity.name.encode(), letter.raw, headers)
        return record if record.size <= self.largest else record._replace(value=b"")

    @property
    def topic(self) -> str:
        """The entity's topic."""
        return Topics(self.administration).entity(self.entity.topic)


def _marker(item: Item | Undecodable) -> int:
    return item.marker if item.marker is not None else -1


def publishable(items: Sequence[Item | Undecodable], after: int, upto: int) -> list[Item | Undecodable]:
    """The items of a page that may be published now: those in (after, upto], and those whose marker nobody can read.

    What stands there twice under one marker is one; the last one counts.
    """
    return list({_name(item): item for item in items if item.marker is None or after < item.marker <= upto}.values())


def _name(item: Item | Undecodable) -> tuple[int | None, str | None, bytes]:
    return item.marker, item.identity, item.raw if isinstance(item, Undecodable) else b""


def portions(items: Iterable[Item | Undecodable], most: int) -> Iterator[list[Item | Undecodable]]:
    """Items in rising order of their markers, in parts of about `most` bytes; those of one marker stay together."""
    part: list[Item | Undecodable] = []
    size = 0
    for item in sorted(items, key=_marker):
        added = OVERHEAD_BYTES + len(item.value if isinstance(item, Item) else item.raw)
        if part and size + added > most and _marker(item) != _marker(part[-1]):
            yield part
            part, size = [], 0
        part.append(item)
        size += added
    yield part


def cut(records: Iterable[Record], most: int) -> Iterator[list[Record]]:
    """Records in parts of about `most` bytes, at least one; an event and its tombstone stay together."""
    part: list[Record] = []
    size = 0
    for record in records:
        if part and size + record.size > most and record.value is not None:
            yield part
            part, size = [], 0
        part.append(record)
        size += record.size
    yield part
