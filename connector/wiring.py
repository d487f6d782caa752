"""The composition root: the one place that knows all parts and puts a worker together from a configuration."""

import asyncio
import gc
import hashlib
import os
import socket
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace

import orjson

from connector.clock import Clock
from connector.config import Administration, Config
from connector.errors import Fatal
from connector.events import Listener, fan_out
from connector.kafka.connection import client_arguments, reaching
from connector.kafka.ownership import Ownership
from connector.kafka.records import Record, shard_partition
from connector.kafka.tenure import Office, Tenures
from connector.kafka.topics import ensure
from connector.kafka.transactions import Tuning
from connector.mplus.client import Access, PosClient
from connector.mplus.offload import DecoderProcess
from connector.ops.board import Board
from connector.ops.http import serving
from connector.ops.log import log_event
from connector.ops.metrics import Metrics
from connector.source.budget import Budget
from connector.source.bundles import Publisher
from connector.source.entities import Choices, Entity, named
from connector.source.heads import Heads
from connector.source.lane import Lane, LaneParts, Polling, Shard
from connector.source.lists import ListPoller
from connector.source.poller import Commit, Parts, Poller
from connector.source.positions import Deployment, Position
from connector.source.reader import Reader
from connector.topics import dead_letters_topic, plan, positions_topic, status_topic, work_topic


@dataclass(frozen=True, slots=True)
class Worker:
    """What `run` shows: the board, and where HTTP is served."""

    board: Board
    port: int


async def run(config: Config, *, adopt: bool = False, started: "asyncio.Future[Worker] | None" = None) -> None:
    """Run a worker until cancelled. Raises Fatal with a line that says what to do."""
    clock = Clock()
    entities = chosen_entities(config)
    arguments = client_arguments(config.kafka)
    await prepare_topics(config, entities)
    board = Board(clock, owner_name(), digest(config))
    metrics = Metrics(board)
    tell = fan_out([board, metrics, log_event])
    settings = config.connector
    gc.freeze()  # what is there now stays; pages make no cycles, so looking for them seldom is enough
    gc.set_threshold(50_000, 20, 50)
    async with source(config, entities, tell, clock) as shards:
        office = Office(arguments, tell, clock, Tuning(settings.compression, largest=settings.max_event_bytes))
        lane = Lane(
            LaneParts(
                office,
                Deployment(settings.group, settings.work_partitions, adopt),
                shards=lambda partition: [shard for shard, number in shards if number == partition],
                status=lambda owned: status_records(board, owned),
            )
        )
        tenures = Tenures(office, lambda place: f"{settings.group}.{place.partition}", lane)
        work, group = work_topic(settings.group), f"{settings.group}.pollers"
        ownership = Ownership(arguments, [work], group, tenures, session_timeout=settings.session_timeout, tell=tell)
        ready = lambda: not_ready(board, [group])  # noqa: E731
        async with serving(board, metrics, ready, host=settings.http_host, port=settings.http_port) as port:
            if started is not None:
                started.set_result(Worker(board, port))
            await ownership.run()


@asynccontextmanager
async def source(
    config: Config, entities: Sequence[Entity], tell: Listener, clock: Clock
) -> AsyncIterator[list[tuple[Shard, int]]]:
    """Every shard with its work partition, ready to be polled."""
    settings = config.connector
    budget = Budget(settings.bytes_in_flight)
    async with AsyncExitStack() as stack:
        decoder = await stack.enter_async_context(DecoderProcess())
        shards: list[tuple[Shard, int]] = []
        for administration in config.administrations:
            client = PosClient(access(administration, settings.requests_per_second), decoder, tell)
            stack.push_async_callback(client.close)
            heads = Heads(client, entities, settings.poll_interval, clock)
            stack.push_async_callback(heads.close)
            for entity in entities:
                place = shard_partition(administration.administration, entity.number, settings.work_partitions)
                shards.append((_shard(config, administration, entity, (client, heads, budget, tell, clock)), place))
        yield shards


def _shard(
    config: Config, administration: Administration, entity: Entity, shared: tuple[PosClient, Heads, Budget, Listener, Clock]
) -> Shard:
    name, settings = administration.administration, config.connector
    client, heads, budget, tell, clock = shared
    publisher = Publisher(name, entity, dead_letters_topic(name), settings.max_event_bytes)
    reader = Reader(client, kept(entity, settings.keep), Choices(settings.order_types))

    def poller(position: Position, commit: Commit) -> Polling:
        parts = Parts(client, heads, budget, publisher, commit, tell, clock)
        if entity.listed:
            return ListPoller(parts, reader, position, settings.lists_interval)
        return Poller(parts, reader, position, settings.page_size)

    return Shard(name, entity.name, positions_topic(name), poller)


def kept(entity: Entity, keep: Sequence[str]) -> Entity:
    """The entity with what CONNECTOR_KEEP names no longer left out."""
    return replace(entity, page=replace(entity.page, omit=entity.page.omit - set(keep)))


def chosen_entities(config: Config) -> tuple[Entity, ...]:
    """The entities that this configuration reads. Raises Misconfigured."""
    return named(config.connector.entities)


def access(administration: Administration, rate: float) -> Access:
    """How to reach a POS. Raises Fatal for certificates that cannot be read."""
    return Access(
        administration.administration,
        administration.url,
        administration.ident,
        administration.secret.get_secret_value(),
        tls=_tls(administration),
        connect_timeout=administration.connect_timeout,
        timeout=administration.timeout,
        rate=rate,
    )


def _tls(administration: Administration) -> ssl.SSLContext | bool:
    if administration.cafile is None:
        return True
    try:
        return ssl.create_default_context(cafile=administration.cafile)
    except (OSError, ssl.SSLError) as error:
        raise Fatal("MPLUS_CAFILE cannot be loaded: it must hold certificates in PEM form") from error


async def prepare_topics(config: Config, entities: Sequence[Entity]) -> None:
    """Create what is missing. Raises Fatal with every problem."""
    with reaching(config.kafka):
        problems = await ensure(client_arguments(config.kafka), plan(config, entities))
    if problems:
        raise Fatal("; ".join(problems))


def status_records(board: Board, shards: Sequence[Shard]) -> list[Record]:
    """The status topic's records of these shards."""
    rows = board.rows((shard.administration, shard.entity) for shard in shards)
    return [
        Record(
            status_topic(administration),
            entity.encode(),
            orjson.dumps({"administration": administration, "entity": entity, **row}),
        )
        for (administration, entity), row in rows.items()
    ]


def not_ready(board: Board, groups: Sequence[str]) -> list[str]:
    """Why this worker is not ready, in words. One without work is: it stands by."""
    reasons = [
        f"{name}: the last call of the POS failed ({fault})" for name, fault in board.faults.items() if fault not in ANSWERED
    ]
    assigned, owned = board.assigned, len(board.partitions)
    reasons += [f"not a member of the consumer group {group} (yet)" for group in groups if group not in assigned]
    if owned < sum(assigned.values()):
        reasons.append(f"{sum(assigned.values()) - owned} assigned partitions are not taken yet")
    return reasons


ANSWERED = ("", "Refused")
"""Kinds of failure of a call that show a POS that answers."""


def owner_name() -> str:
    """This worker, for people: host and process."""
    return f"{socket.gethostname()}:{os.getpid()}"


def digest(config: Config) -> str:
    """Short digest of the configuration without secrets: workers that differ in it were configured differently."""
    return hashlib.blake2b(config.model_dump_json().encode(), digest_size=4).hexdigest()
