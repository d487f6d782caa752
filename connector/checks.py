"""What `check` looks at: one finding per line; nothing is changed anywhere."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import orjson

from connector.config import Administration, Config
from connector.errors import AccessDenied, ConnectorError, Refused
from connector.kafka.connection import client_arguments, reaching
from connector.kafka.latest import last_records
from connector.kafka.records import partition_of
from connector.kafka.rights import denied
from connector.kafka.topics import existing, problems
from connector.mplus.client import PosClient, Retries
from connector.mplus.offload import InlineDecoder
from connector.source.entities import Choices, Entity
from connector.source.reader import Reader
from connector.topics import commands_topic, control_topic, ledger_topic, plan, work_topic
from connector.wiring import access, chosen_entities
from connector.wiring.deployment import foreign
from connector.wiring.deployment import problems as problems_of_owners

PROBE_LIMIT = 20
"""Items asked for to see what syncMarkerLimit counts."""

RECENT = 20
"""Commands of a partition that are looked at."""

REDRIVEN = "mplus_redrive"
"""Header of a command that was sent again, to where it first lay."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: `ok`, a `note` worth knowing, or a `problem` that keeps the connector from working."""

    kind: Literal["ok", "note", "problem"]
    text: str

    def json(self) -> str:
        """As a line of JSON."""
        return orjson.dumps(asdict(self)).decode()


async def everything(config: Config) -> AsyncIterator[Finding]:
    """All findings, as they come."""
    yield Finding("ok", "configuration is complete")
    async for finding in _kafka(config):
        yield finding
    for administration in config.administrations:
        async for finding in _pos(config, administration):
            yield finding


async def _kafka(config: Config) -> AsyncIterator[Finding]:
    arguments, topics = client_arguments(config.kafka), plan(config, chosen_entities(config))
    try:
        with reaching(config.kafka):
            async with asyncio.timeout(40):
                there = await existing(arguments)
                wrong = await problems(arguments, topics)
                wrong += await denied(arguments, topics, _groups(config), f"{config.connector.group}.check")
        wrong += problems_of_owners(await foreign(config))
    except ConnectorError as error:
        yield Finding("problem", str(error))
        return
    yield Finding("ok", f"Kafka answers at {config.kafka.bootstrap_servers}")
    for line in wrong:
        yield Finding("problem", line)
    missing = [topic.name for topic in topics if topic.name not in there]
    yield (
        Finding("note", f"`run` will create {len(missing)} topic{'s' * (len(missing) > 1)}: {', '.join(missing)}")
        if missing
        else Finding("ok", "all topics are there")
    )
    for administration in config.administrations:
        async for finding in _control(config, administration.administration, there):
            yield finding
        async for finding in _commands(config, administration.administration, there):
            yield finding


def _groups(config: Config) -> dict[str, str]:
    """The consumer groups, each with a topic of its."""
    group = config.connector.group
    return {
        f"{group}.pollers": work_topic(group),
        f"{group}.commands": commands_topic(config.administrations[0].administration),
    }


async def _control(config: Config, administration: str, there: Mapping[str, int]) -> AsyncIterator[Finding]:
    """Whether requests of operators can be read: a worker that may not would never hear `pause`."""
    topic = control_topic(administration)
    try:
        if topic in there:
            with reaching(config.kafka):
                await last_records(client_arguments(config.kafka), topic, there[topic], 1)
    except ConnectorError as error:
        yield Finding("problem", str(error))


async def _commands(config: Config, administration: str, there: Mapping[str, int]) -> AsyncIterator[Finding]:
    """Whether the commands and their ledger can be read, and whether all producers put an order's commands in one place."""
    arguments, topic, ledger = client_arguments(config.kafka), commands_topic(administration), ledger_topic(administration)
    if topic not in there or ledger not in there:
        return
    try:
        with reaching(config.kafka):
            records = await last_records(arguments, topic, there[topic], RECENT)
            await last_records(arguments, ledger, there[ledger], 1)
    except ConnectorError as error:
        yield Finding("problem", str(error))
        return
    if strays := astray(records, there[topic]):
        yield Finding("problem", _misplaced(topic, strays, len(records)))
    elif records:
        yield Finding("ok", f"{topic}: the last {len(records)} commands lie where Java's murmur2 puts their keys")


def astray(records: Iterable[Any], partitions: int) -> list[str]:
    """Commands, as partition:offset, that lie elsewhere than Java's murmur2 puts their key. Pure.

    One without a key has no such place, and one that was redriven lies where it first lay.
    """
    placed = (record for record in records if record.key and REDRIVEN not in dict(record.headers))
    return [f"{row.partition}:{row.offset}" for row in placed if row.partition != partition_of(row.key, partitions)]


def _misplaced(topic: str, strays: Sequence[str], looked_at: int) -> str:
    shown = ", ".join(strays[:3]) + (", …" if len(strays) > 3 else "")
    return (
        f"{topic}: {len(strays)} of the last {looked_at} commands lie where Java's murmur2 would not put their keys "
        f"(partition:offset {shown}): two commands of one order may run at once; set partitioner=murmur2_random in producers "
        "that use librdkafka, and Java's default partitioner in all others"
    )


async def _pos(config: Config, administration: Administration) -> AsyncIterator[Finding]:
    name = administration.administration
    client = PosClient(
        access(administration, config.connector.requests_per_second), InlineDecoder(), lambda _: None, retries=Retries(attempts=2)
    )
    try:
        version = await client.numbers("getApiVersion")
        yield Finding("ok", f"{name}: the POS answers, API {'.'.join(str(version.get(part, '?')) for part in VERSION)}")
        heads = await _heads(client)
        for entity in chosen_entities(config):
            yield await _entity(client, name, entity, heads, Choices(config.connector.order_types))
        yield _limit_finding(name, await _probe(client, chosen_entities(config), heads, Choices(config.connector.order_types)))
    except ConnectorError as error:
        yield Finding("problem", f"{name}: {error}")
    finally:
        await client.close()


VERSION = ("majorNumber", "minorNumber", "revisionNumber")


async def _heads(client: PosClient) -> dict[str, int]:
    try:
        return await client.numbers("getCurrentSyncMarkersV2")
    except AccessDenied:
        raise
    except Refused:
        return await client.numbers("getCurrentSyncMarkers")


async def _entity(client: PosClient, name: str, entity: Entity, heads: dict[str, int], choices: Choices) -> Finding:
    if entity.head and entity.head not in heads:
        return Finding("note", f"{name}: the POS tells no sync marker of {entity.name}: it will not be read")
    try:
        await Reader(client, entity, choices).page(max(0, heads.get(entity.head, 0)), 1)
    except Refused as error:
        return Finding("note", f"{name}: {entity.name} cannot be read: {error}")
    return Finding("ok", f"{name}: {entity.name} can be read" + (f", head {heads[entity.head]}" if entity.head else ""))


async def _probe(client: PosClient, entities: Sequence[Entity], heads: dict[str, int], choices: Choices) -> str:
    for entity in entities:
        head = heads.get(entity.head, 0)
        if head <= PROBE_LIMIT:
            continue
        page = await Reader(client, entity, choices).page(0, PROBE_LIMIT)
        meaning = limit_meaning(PROBE_LIMIT, [item.marker for item in page if item.marker is not None], head)
        if meaning:
            return meaning
    return ""


def limit_meaning(limit: int, markers: Sequence[int], head: int) -> Literal["records", "window", ""]:
    """What a page asked from marker 0 tells about syncMarkerLimit; empty when it cannot tell. Pure.

    A marker at or beyond the limit can only come from counting records; a thin page below it, although the head
    lies far beyond, only from a window of markers (or from a filter, which works like one).
    """
    if any(marker >= limit for marker in markers):
        return "records"
    return "window" if len(markers) < limit and head > limit else ""


def _limit_finding(name: str, meaning: str) -> Finding:
    if not meaning:
        return Finding(
            "note", f"{name}: what syncMarkerLimit counts cannot be told yet (too few changes); both readings are handled"
        )
    what = "records" if meaning == "records" else "a window of sync markers"
    return Finding("ok", f"{name}: syncMarkerLimit counts {what}; both readings are handled")
