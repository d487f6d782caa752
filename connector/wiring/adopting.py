"""Taking over what another deployment wrote: its name is replaced by ours, and its writers are fenced."""

from dataclasses import dataclass, field

import orjson

from connector.errors import Fatal, Fenced, TransactionLost
from connector.kafka.cluster import Cluster
from connector.kafka.reading.readers import read_back
from connector.kafka.reading.tails import newest
from connector.kafka.records import Place, Record
from connector.kafka.writing.transactions import fenced_producer
from connector.sink.intake.claims import owner

TRIES = 5
"""Times that the other one may write again after it was fenced: it takes a second to come back, and then finds our name."""


@dataclass(slots=True)
class Move:
    """Partitions that one of our writers takes over: its transactional id, and those that wrote them before.

    `places`: each with the one key in it that names the owner; None: all its records do.
    """

    ours: str
    theirs: set[str] = field(default_factory=set)
    places: dict[Place, bytes | None] = field(default_factory=dict)


async def moved(cluster: Cluster, move: Move, group: str) -> None:
    """Everything in these partitions is ours, and whoever wrote it before has read that, or will before it goes on.

    Raises Fatal where somebody writes them all the same.
    """
    for _ in range(TRIES):
        for theirs in move.theirs:
            await _fence(cluster, theirs)
        try:
            if not await _renamed(cluster, move, group):
                return
        except TransactionLost:
            continue  # their transaction was open: it is decided now
    raise Fatal(
        f"{', '.join(map(str, move.places))}: the deployment that owns it goes on writing: stop it, then start with --adopt"
    )


async def _fence(cluster: Cluster, transactional_id: str) -> None:
    """Whoever writes with this id has to read everything back first. Where that is not allowed, it must have been stopped."""
    try:
        async with fenced_producer(cluster, transactional_id, 0):
            pass
    except (Fenced, TransactionLost):
        pass


async def _renamed(cluster: Cluster, move: Move, group: str) -> bool:
    """Whether there was anything to replace. Read by the writer that is the only one of ours from then on."""
    async with fenced_producer(cluster, move.ours, 0) as producer:
        records: list[Record] = []
        for place, key in move.places.items():
            rows = await read_back(cluster, *place) if key is None else await _one(cluster, place, key)
            records += [_ours(place, *row, group) for row in rows.items() if owner(row[1]) not in ("", group)]
        if records:
            await producer.transaction(records)
    return bool(records)


async def _one(cluster: Cluster, place: Place, key: bytes) -> dict[bytes, bytes]:
    """The latest record of a key in a partition that may be too large to read back."""
    found = await newest(cluster, [place], lambda record: record.key == key and record.value is not None)
    return {record.key: record.value for record in found.get(place, [])}


def _ours(place: Place, key: bytes, value: bytes, group: str) -> Record:
    return Record(place.topic, key, orjson.dumps({**orjson.loads(value), "group": group}), partition=place.partition)
