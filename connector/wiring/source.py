"""The source of a worker: every entity of every administration as a shard, and the lanes that poll them."""

from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

from connector.clock import Clock
from connector.config import Config
from connector.events import Listener
from connector.kafka.records import Record, shard_partition
from connector.kafka.tenure import Office
from connector.mplus.client import PosClient
from connector.source.budget import MemoryBudget
from connector.source.bundles import Publisher
from connector.source.entities import Choices, Entity, named
from connector.source.heads import Heads
from connector.source.lane import Lane, LaneParts
from connector.source.lists import ListPoller
from connector.source.poller import Commit, Parts, Poller
from connector.source.positions import Deployment, Position
from connector.source.reader import Reader
from connector.source.repair import Repair, RepairParts
from connector.source.schedule import Lag
from connector.source.seat import Polling, Shard
from connector.topics import control_results_topic, control_topic, dead_letters_topic, positions_topic

Status = Callable[[Sequence[Shard]], Sequence[Record]]


@asynccontextmanager
async def polling(
    config: Config, clients: Mapping[str, PosClient], office: Office, status: Status, *, owner: str
) -> AsyncIterator[Lane]:
    """What is done on a work partition."""
    settings, budget = config.connector, MemoryBudget(config.connector.bytes_in_flight)
    entities = chosen_entities(config)
    shards: list[tuple[Shard, int]] = []
    async with AsyncExitStack() as stack:
        for name, client in clients.items():
            heads = Heads(client, entities, settings.poll_interval, office.clock)
            stack.push_async_callback(heads.close)
            shared = (client, heads, budget, office.tell, office.clock)
            places = {entity: shard_partition(name, entity.number, settings.work_partitions) for entity in entities}
            shards += [(_shard(config, name, entity, shared), place) for entity, place in places.items()]
        deployment = Deployment(settings.group, settings.work_partitions)
        mine = lambda owned: [shard for shard, number in shards if number == owned]  # noqa: E731
        yield Lane(LaneParts(office, owner, deployment, mine, status))


def _shard(config: Config, name: str, entity: Entity, shared: tuple[PosClient, Heads, MemoryBudget, Listener, Clock]) -> Shard:
    settings = config.connector
    client, heads, budget, tell, clock = shared
    publisher = Publisher(name, entity, dead_letters_topic(name), settings.max_event_bytes)
    reader = Reader(client, kept(entity, settings.keep), Choices(settings.order_types), clock.monotonic)

    lags: defaultdict[int, Lag] = defaultdict(Lag)  # by epoch: heads from before a restore tell nothing

    def poller(position: Position, commit: Commit) -> Polling:
        parts = Parts(client, heads, budget, publisher, commit, tell, clock, lags[position.epoch])
        if entity.listed:
            return ListPoller(parts, reader, position, settings.lists_interval)
        return Poller(parts, reader, position, settings.page_size)

    async def head() -> int:
        return (await heads.at_once(entity)).marker

    topics = (positions_topic(name), control_topic(name), control_results_topic(name))
    pause = 1 / settings.audit_requests_per_second
    repair = Repair(RepairParts(reader, heads, budget, publisher, clock, settings.page_size, pause))
    heard = hears(entity, chosen_entities(config))
    return Shard(name, entity.name, *topics, poller, None if entity.listed else head, heard, repair)


def hears(entity: Entity, entities: Sequence[Entity]) -> Callable[[str], bool]:
    """Whether requests to an entity of this name are answered by this one: its own; by the first, also those to nobody."""
    names = {row.name for row in entities}
    return lambda name: name == entity.name or (entity.name == entities[0].name and name not in names)


def kept(entity: Entity, keep: Sequence[str]) -> Entity:
    """The entity with what CONNECTOR_KEEP names no longer left out."""
    return replace(entity, page=replace(entity.page, omit=entity.page.omit - set(keep)))


def chosen_entities(config: Config) -> tuple[Entity, ...]:
    """The entities that this configuration reads. Raises Misconfigured."""
    return named(config.connector.entities)
