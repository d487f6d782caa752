"""Aids for tests of the source: a poller between a sandbox and a list, and a whole worker between a sandbox and a broker."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import orjson

from connector.clock import Clock
from connector.config.load import Administration, Config, Connector, Kafka
from connector.events.base import Event
from connector.events.source import StateChanged
from connector.kafka.records import Record
from connector.messages.position import Position
from connector.mplus.client import Access, PosClient, Retries
from connector.mplus.responses.process import InlineDecoder
from connector.sandbox import Sandbox, SandboxOptions
from connector.source.budget import MemoryBudget
from connector.source.bundles import Bundle, Publisher
from connector.source.doubt import Confirmation
from connector.source.entities import ENTITIES, Choices, Entity, named
from connector.source.heads import Heads
from connector.source.list_poller import ListPoller
from connector.source.poller import Poller, PollerContext
from connector.source.reading.reader import Reader
from connector.source.state import ShardState
from connector.wiring import Worker, run
from connector.wiring import source as wired
from tests.support.kafka.topics import partition_count, read_all

INTERVAL = 0.05
QUICK = Confirmation(looks=3, over=0.2, pause=0.1)
START = Position()
REAL = Clock()
Some = TypeVar("Some")


async def eventually(look: Callable[[], Some], within: float = 15.0) -> Some:
    """What `look` returns as soon as that is true; AssertionError after so many seconds."""
    deadline = asyncio.get_running_loop().time() + within
    while not (found := look()):
        assert asyncio.get_running_loop().time() < deadline, f"not within {within} s: {look}"
        await asyncio.sleep(0.01)
    return found


def only(entity: str, items: int, **options: Any) -> SandboxOptions:
    """A shop in which this entity alone has items."""
    return SandboxOptions(**{"items": 0, "per_entity": {entity: items}, **options})


@dataclass
class Reading:
    """One entity being read: what was committed so far, in order, and what was told."""

    pos: Sandbox
    entity: Entity
    position: Position
    bundles: list[Bundle] = field(default_factory=list)
    told: list[Event] = field(default_factory=list)
    held: asyncio.Event = field(default_factory=asyncio.Event)
    sleeps: list[float] = field(default_factory=list)

    def commit(self, bundle: Bundle) -> "asyncio.Future[None]":
        """Stands for the writer of a lane."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.bundles.append(bundle)
        self.position = bundle.position
        done.set_result(None)
        return done

    @property
    def records(self) -> list[Record]:
        return [record for bundle in self.bundles for record in bundle.records]

    @property
    def events(self) -> list[Record]:
        return [record for record in self.records if any(name == "ce_id" for name, _ in record.headers)]

    @property
    def letters(self) -> list[Record]:
        return [record for record in self.records if record.topic.endswith(".dead-letters")]

    @property
    def states(self) -> list[str]:
        return [event.state for event in self.told if isinstance(event, StateChanged)]

    def seen(self) -> list[tuple[str, int]]:
        """Identity and sync marker of every event, in order."""
        return [((record.key or b"").decode(), int(headers(record.headers)["ce_syncmarker"])) for record in self.events]

    async def caught_up(self, within: float = 15.0) -> None:
        """Wait until the position has reached the POS's head as of now."""
        head = self.pos.shop.heads()[self.entity.name]
        await eventually(lambda: self.position.marker >= head, within)


def headers(given: Iterable[tuple[str, bytes | None]]) -> dict[str, str]:
    """Headers as text; none may be there twice."""
    pairs = list(given)
    assert len(pairs) == len(dict(pairs))
    return {name: (value or b"").decode() for name, value in pairs}


def truth(pos: Sandbox, entity: str) -> list[tuple[str, int]]:
    """What a reader must have found, in the order of the markers."""
    if entity == "stock":
        return [(key_of_stock(pos, marker), marker) for marker in sorted(pos.truth()[entity].values())]
    return sorted(pos.truth()[entity].items(), key=lambda pair: (pair[1], pair[0]))


def key_of_stock(pos: Sandbox, marker: int) -> str:
    """The key of a stock change, from what the shop made of it."""
    from connector.sandbox.shop.goods import stock

    item = next(item for item in pos.shop.sequences["stock"] if item.marker == marker)
    row = stock(pos.shop.draft(item))
    return f"{row.get('branchNumber') or 0}-{row['articleNumber']}"


@asynccontextmanager
async def reading(
    pos: Sandbox,
    name: str,
    *,
    position: Position = START,
    limit: int = 10,
    clock: Clock = REAL,
    largest: int = 8 << 20,
    order_types: tuple[str, ...] = (),
    change: Callable[[Entity], Entity] = lambda entity: entity,
    confirmation: Confirmation = QUICK,
    administration: str = "demo",
    budget: MemoryBudget | None = None,
) -> AsyncIterator[Reading]:
    """Read an entity of a sandbox while inside, from a position on, into a list."""
    entity = change(named([name])[0])
    found = Reading(pos, entity, position)
    access = Access(administration, pos.url, pos.ident, pos.secret, rate=1000, timeout=20)
    client = PosClient(access, InlineDecoder(), found.told.append, retries=Retries(first=0.01, most=0.05))
    heads = Heads(client, ENTITIES, INTERVAL, clock)
    publisher = Publisher(administration, entity, f"{administration}.dead-letters", largest)
    shard_state = ShardState((administration, name), position.state, found.told.append, clock)
    parts = PollerContext(
        heads, budget or MemoryBudget(24 << 20), publisher, found.commit, clock, shard_state, confirmation=confirmation
    )
    reader = Reader(client, entity, Choices(order_types))
    poller = ListPoller(parts, reader, position, INTERVAL) if entity.listed else Poller(parts, reader, position, limit)
    task = asyncio.create_task(poller.run())
    try:
        with shard_state.shown(position.marker, position.state):
            yield found
        if task.done():
            task.result()
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await heads.close()
        await client.close()


def configuration(bootstrap: str, prefix: str, pos: Sandbox, **settings: Any) -> Config:
    """A quick deployment of one's own on the session's broker."""
    quick: dict[str, Any] = {"group": prefix, "poll_interval": 0.1, "lists_interval": 0.1, "work_partitions": 2, "partitions": 2}
    quick |= {"command_partitions": 2, "session_timeout": 2, "requests_per_second": 500, "http_port": 0}
    broker: dict[str, Any] = {"bootstrap_servers": bootstrap}
    shop: dict[str, Any] = {"administration": prefix, "url": pos.url, "ident": pos.ident, "secret": pos.secret, "timeout": 20}
    administrations = (Administration(**shop),)
    return Config(kafka=Kafka(**broker), connector=Connector(**(quick | settings)), administrations=administrations)


@asynccontextmanager
async def working(config: Config, **options: Any) -> AsyncIterator[Worker]:
    """A worker that runs while inside, and doubts the POS for a moment only; its error comes out at the end."""
    wired.CONFIRMATION = QUICK
    started: asyncio.Future[Worker] = asyncio.get_running_loop().create_future()
    options = {"roles": ("source",)} | options
    task = asyncio.create_task(run(config, started=started, **options))
    try:
        both: set[asyncio.Future[Any]] = {started, task}
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
        yield started.result()
        if task.done():
            task.result()
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def owned(worker: Worker) -> set[int]:
    """The work partitions that the worker owns."""
    return {partition for topic, partition in worker.status.partitions if topic.endswith(".work")}


async def level(worker: Worker, pos: Sandbox, entities: Iterable[str], within: float = 30.0) -> None:
    """Wait until the worker has committed everything that the POS shows now."""
    heads = pos.shop.heads()
    wanted = {name: heads[name] for name in entities}

    def reached() -> bool:
        rows = {entity: row["position"] for (_, entity), row in worker.status.rows().items()}
        return all(rows.get(name, -1) >= head for name, head in wanted.items())

    await eventually(reached, within)


async def events_of(bootstrap: str, topic: str) -> list[tuple[str, int]]:
    """Identity and marker of every event in a topic, in the order of the markers (a topic has several partitions)."""
    records = [record for record in await read_all(bootstrap, topic) if any(name == "ce_id" for name, _ in record.headers)]
    return sorted(
        ((record.key.decode(), int(headers(record.headers)["ce_syncmarker"])) for record in records),
        key=lambda it: (it[1], it[0]),
    )


async def positions(bootstrap: str, prefix: str, isolation: str = "read_committed") -> dict[str, tuple[int, dict[str, Any]]]:
    """Entity → partition and latest value of its position record."""
    records = await read_all(bootstrap, f"{prefix}.sync-markers", isolation)
    assert await partition_count(bootstrap, f"{prefix}.sync-markers")
    return {record.key.decode(): (record.partition, orjson.loads(record.value)) for record in records}


def relabelled(entity: Entity, **page: Any) -> Entity:
    """The entity with other page settings."""
    return replace(entity, page=replace(entity.page, **page))
