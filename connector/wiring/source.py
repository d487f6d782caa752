"""The source of a worker: every entity of every administration as a shard, and the tasks that poll them."""

from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace

from connector.config.load import Config
from connector.kafka.cluster import Cluster
from connector.kafka.records import Record, shard_partition
from connector.kafka.tasks import TaskContext
from connector.kafka.topics import ensure, extents
from connector.messages.gaps import Window
from connector.messages.position import Deployment, Position, State, TopicFacts
from connector.messages.topics import Topics
from connector.mplus.client import PosClient
from connector.source.budget import MemoryBudget
from connector.source.bundles import Publisher
from connector.source.doubt import Confirmation
from connector.source.entities import Choices, Entity, named
from connector.source.heads import Heads
from connector.source.list_poller import ListPoller
from connector.source.poller import Commit, Poller, PollerContext
from connector.source.position_writer import Shard
from connector.source.reading.portion import Portion
from connector.source.reading.reader import Reader
from connector.source.repair import Repair, RepairContext
from connector.source.restarts import Polling
from connector.source.schedule import Lag
from connector.source.state import ShardState
from connector.source.task import SourceTask, SourceTaskContext
from connector.wiring.topics import plan

CONFIRMATION = Confirmation()
"""How long a POS is doubted before it counts as restored."""

Status = Callable[[Sequence[Shard]], Sequence[Record]]


@dataclass(frozen=True, slots=True)
class SourceContext:
    """What the shards of one administration share."""

    config: Config
    client: PosClient
    heads: Heads
    budget: MemoryBudget
    task_context: TaskContext


@dataclass(frozen=True, slots=True)
class EntityTopics:
    """See source.task.TopicKeeper."""

    config: Config
    cluster: Cluster

    async def facts(self, names: Collection[str]) -> Mapping[str, TopicFacts]:
        """See TopicKeeper."""
        found = await extents(self.cluster, names)
        return {name: TopicFacts(extent.partitions, extent.end) for name, extent in found.items()}

    async def make(self, names: Collection[str]) -> str:
        """See TopicKeeper."""
        wanted = [topic for topic in plan(self.config, chosen_entities(self.config)) if topic.name in names]
        return "; ".join(await ensure(self.cluster, wanted))


@asynccontextmanager
async def polling(
    config: Config, clients: Mapping[str, PosClient], task_context: TaskContext, status: Status, *, owner: str
) -> AsyncIterator[SourceTask]:
    """What is done on a work partition."""
    settings, budget = config.connector, MemoryBudget(config.connector.bytes_in_flight)
    entities = chosen_entities(config)
    shards: list[tuple[Shard, int]] = []
    async with AsyncExitStack() as stack:
        for name, client in clients.items():
            heads = Heads(client, entities, settings.poll_interval, task_context.clock)
            stack.push_async_callback(heads.close)
            context = SourceContext(config, client, heads, budget, task_context)
            places = {entity: shard_partition(name, entity.number, settings.work_partitions) for entity in entities}
            shards += [(_shard(context, name, entity), place) for entity, place in places.items()]
        deployment = Deployment(settings.group, settings.work_partitions)
        mine = lambda owned: [shard for shard, number in shards if number == owned]  # noqa: E731
        yield SourceTask(
            SourceTaskContext(task_context, owner, deployment, mine, status, EntityTopics(config, task_context.cluster))
        )


def _shard(context: SourceContext, name: str, entity: Entity) -> Shard:
    settings, heads, clock = context.config.connector, context.heads, context.task_context.clock
    entity = kept(entity, settings.keep)
    publisher = Publisher(name, entity, Topics(name).dead_letters, settings.max_event_bytes)
    reader = Reader(context.client, entity, Choices(settings.order_types), clock.monotonic)
    shard_state = ShardState((name, entity.name), State.RUNNING, context.task_context.tell, clock)
    lags: defaultdict[int, Lag] = defaultdict(Lag)  # by epoch: heads from before a restore tell nothing
    portion, window = Portion(), Window(settings.late_markers, settings.late_window)

    def poller(position: Position, commit: Commit) -> Polling:
        shared = PollerContext(
            heads, context.budget, publisher, commit, clock, shard_state, lags[position.epoch], portion, window, CONFIRMATION
        )
        if entity.listed:
            return ListPoller(shared, reader, position, settings.lists_interval)
        return Poller(shared, reader, position, settings.page_size)

    async def head() -> int:
        return (await heads.at_once(entity)).marker

    types = settings.order_types if entity.name == "order" else None
    topics = (publisher.topic, Topics(name).positions, Topics(name).control, Topics(name).control_results)
    pause = 1 / settings.audit_requests_per_second
    repair = Repair(RepairContext(reader, heads, context.budget, publisher, clock, settings.page_size, pause))
    heard = hears(entity, chosen_entities(context.config))
    return Shard(name, entity.name, *topics, poller, None if entity.listed else head, heard, repair, shard_state, portion, types)


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
