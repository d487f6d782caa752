"""What a read_committed reader finds in the topics against what the shop really holds."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from aiokafka import ConsumerRecord

from connector.sandbox import Shop
from connector.source.entities import ENTITIES, Entity, named
from tests.support.kafka.reading import read_topics
from tests.support.kafka.topics import end_offsets


@dataclass(frozen=True, slots=True)
class Findings:
    """How many events were read, and what is wrong with them, one line each."""

    events: int
    problems: Sequence[str]


async def examine(bootstrap: str, administration: str, shop: Shop, entities: Sequence[str] = ()) -> Findings:
    """Read every topic of these entities (none: all) from its beginning and compare."""
    chosen = named(entities)
    topics = [f"{administration}.{entity.topic}" for entity in chosen]
    letters, *found = (await read_topics(bootstrap, [f"{administration}.dead-letters", *topics])).values()
    problems = [f"a dead letter: {dict(letter.headers)}" for letter in letters]
    truth = shop.truth()
    for entity, records in zip(chosen, found, strict=True):
        wrong = [*ordinary(records), *_identity(entity, records)]
        if entity.listed:
            wrong += listed(shop, entity, records)
        else:
            wrong += final(entity, records, truth[entity.name])
            wrong += deletions(shop, entity, records)
        problems += [f"{entity.name}: {problem}" for problem in wrong]
    return Findings(sum(len(events(records)) for records in found), problems)


async def aborted(bootstrap: str, administration: str) -> int:
    """How many records only a read_uncommitted reader sees: those of transactions that came to nothing.

    Of all topics that transactions write: one may have been frozen when it had sent a position and no item.
    """
    names = (*(entity.topic for entity in ENTITIES), "sync-markers", "connector-status", "dead-letters")
    topics = [f"{administration}.{name}" for name in names]
    seen = [await read_topics(bootstrap, topics, isolation) for isolation in ("read_uncommitted", "read_committed")]
    everything, committed = (sum(map(len, found.values())) for found in seen)
    return everything - committed


async def hanging(bootstrap: str, administration: str) -> list[str]:
    """Partitions with an open transaction, as "topic-partition: readers stop at, end": where one hangs, nobody reads on."""
    found = []
    for topic in ("sync-markers", "dead-letters", *(entity.topic for entity in ENTITIES)):
        stable = await end_offsets(bootstrap, f"{administration}.{topic}")
        ends = await end_offsets(bootstrap, f"{administration}.{topic}", "read_uncommitted")
        found += [f"{topic}-{place}: {stable[place]}, {end}" for place, end in sorted(ends.items()) if stable[place] < end]
    return found


def events(records: Iterable[ConsumerRecord]) -> list[ConsumerRecord]:
    """The records without the tombstones."""
    return [record for record in records if record.value is not None]


def header(record: ConsumerRecord, name: str) -> str:
    """A header as text."""
    return str(dict(record.headers)[name].decode())


def marker(record: ConsumerRecord) -> int:
    """Its sync marker."""
    return int(header(record, "ce_syncmarker"))


def ordinary(records: Sequence[ConsumerRecord]) -> Iterator[str]:
    """What must hold in every topic: nothing twice, markers that rise, a tombstone after each deletion."""
    counted = Counter(header(record, "ce_id") for record in events(records))
    yield from (f"{name} is there {count} times" for name, count in counted.items() if count > 1)
    yield from (f"ce_origin {header(record, 'ce_origin')}" for record in events(records) if header(record, "ce_origin") != "poll")
    for partition in {record.partition for record in records}:
        queue = [record for record in records if record.partition == partition]
        for earlier, later in pairwise(queue):
            if marker(later) < marker(earlier):
                yield f"marker {marker(later)} comes after {marker(earlier)} in partition {partition}"
        yield from tombstones(queue)


def tombstones(queue: Sequence[ConsumerRecord]) -> Iterator[str]:
    """A partition's deletions and tombstones come in pairs, side by side (stock has neither)."""
    expected: tuple[bytes, int] | None = None
    for record in queue:
        found = (record.key, marker(record)) if record.value is None else None
        if found != expected:
            yield f"tombstone {found} where {expected} was due, at offset {record.offset} of partition {record.partition}"
        gone = record.value is not None and header(record, "ce_type").endswith(".deleted")
        expected = (record.key, marker(record)) if gone else None
    if expected:
        yield f"no tombstone after the deletion of {expected}"


def _identity(entity: Entity, records: Sequence[ConsumerRecord]) -> Iterator[str]:
    """Key, subject and id name the same identity."""
    for record in events(records):
        subject = record.key.decode()
        if header(record, "ce_subject") != subject or header(record, "ce_id") != f"{entity.name}:{subject}:{marker(record)}":
            yield f"key {subject}, subject {header(record, 'ce_subject')} and id {header(record, 'ce_id')} do not agree"


def final(entity: Entity, records: Sequence[ConsumerRecord], truth: Mapping[str, int]) -> Iterator[str]:
    """The last event of each identity carries its final marker; of stock every row is there."""
    last = {record.key.decode() if entity.compacted else str(marker(record)): marker(record) for record in events(records)}
    for identity in sorted(truth.keys() | last.keys()):
        if truth.get(identity) != last.get(identity):
            yield f"{identity} is at marker {truth.get(identity)} in the shop and {last.get(identity)} in the topic"
    if not entity.compacted and len(events(records)) != len(truth):
        yield f"{len(events(records))} events for {len(truth)} rows"


def deletions(shop: Shop, entity: Entity, records: Sequence[ConsumerRecord]) -> Iterator[str]:
    """Where the POS tells what was deleted, exactly that is deleted in the topic."""
    if entity.page.deleted is None:
        return
    last = {record.key.decode(): record.value is None for record in records}
    for item in shop.sequences[entity.name]:
        if last.get(item.identity) is not item.deleted:
            yield f"{item.identity} is {'' if item.deleted else 'not '}deleted in the shop; tombstone: {last.get(item.identity)}"


def listed(shop: Shop, entity: Entity, records: Sequence[ConsumerRecord]) -> Iterator[str]:
    """Of a slow list the last event of each row has its content, and rows that vanished have a tombstone."""
    last = {record.key.decode(): record.value for record in records}
    there = {identity: json.loads(value) for identity, value in last.items() if value is not None}
    rows = shop.lists.rows[entity.name]
    if there.keys() != rows.keys():
        yield f"rows {sorted(rows)} in the shop and {sorted(there)} in the topic"
    for identity in rows.keys() & there.keys():
        for name, value in rows[identity].items():
            if isinstance(value, str | bool) and there[identity].get(name) != value:
                yield f"{identity} has {name} {value!r} in the shop and {there[identity].get(name)!r} in the topic"
