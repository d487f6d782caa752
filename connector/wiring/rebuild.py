"""`views --rebuild`: what `views` knows is forgotten, so that it is built again from the topics."""

import asyncio
import shutil
from collections.abc import Iterable
from contextlib import aclosing
from pathlib import Path

from connector.config.load import Config
from connector.errors import Fatal
from connector.kafka import groups
from connector.kafka.cluster import Cluster
from connector.kafka.configured import cluster_of
from connector.kafka.reading.topic_readers import committed, extent
from connector.kafka.records import Place, Record
from connector.kafka.topics import delete, existing
from connector.kafka.writing.idempotent_producer import Producing
from connector.messages.topics import Topics, views_group
from connector.views.stages import entity_topics
from connector.wiring import chosen_entities
from connector.wiring.views import tables_at

TOMBSTONES_MAX = 1000
"""Tombstones on their way at a time."""


async def forget(config: Config) -> None:
    """Forget all that `views` knows: its offsets, its tables on disk, its topics. Raises Fatal, Reject while a worker runs.

    The tables go before the topics: tables that outlive their topics would be taken for what was read since. The journeys are
    others' to read: their topic stays, with its settings and its readers' offsets, and each gets a tombstone.
    """
    cluster, group = cluster_of(config.kafka), views_group(config.connector.group)
    names = [row.administration for row in config.administrations]
    with cluster.reaching():
        there = set(await existing(cluster))
        sources = sorted({topic for name in names for topic in _sources(config, name)} & there)
        await groups.reset(cluster, group, sources)
        _delete(tables_at(config))
        for journeys in sorted({Topics(name).journeys for name in names} & there):
            await _empty(cluster, journeys)
        await delete(cluster, sorted({own for name in names for own in _own(Topics(name))} & there))
        await groups.reset(cluster, group, sources)  # refused where a supervisor has started a worker meanwhile: say so


async def _empty(cluster: Cluster, topic: str) -> None:
    """A tombstone for each key. Raises Fatal, Retry."""
    alive: dict[bytes, Place] = {}
    async with aclosing(committed(cluster, topic, await extent(cluster, topic))) as records:
        async for record in records:
            if record.value is None:
                alive.pop(record.key, None)
            elif record.key is not None:  # compaction removes what has none
                alive[record.key] = Place(topic, record.partition)
    producing, rows = Producing(cluster), list(alive.items())
    try:
        for begin in range(0, len(rows), TOMBSTONES_MAX):
            some = rows[begin : begin + TOMBSTONES_MAX]
            await asyncio.gather(*(producing.write(place, Record(topic, key, None), "a tombstone") for key, place in some))
    finally:
        await producing.close()


def _delete(tables: Path | None) -> None:
    """Raises Fatal where they cannot be deleted, all of them: what stays would be taken for what was read since."""
    try:
        if tables is not None:
            shutil.rmtree(tables)
    except FileNotFoundError:
        return
    except OSError as error:
        raise Fatal(
            f"{tables} cannot be deleted: {error.strerror or error}: delete it, then start views --rebuild again"
        ) from error


def _sources(config: Config, administration: str) -> Iterable[str]:
    entities = entity_topics(administration, {entity.name for entity in chosen_entities(config)})
    return (*entities, Topics(administration).commands, Topics(administration).results)


def _own(topics: Topics) -> Iterable[str]:
    """Topics that only `views` writes and reads."""
    return topics.by_document, topics.by_journey, topics.figures, topics.documents, topics.windows
