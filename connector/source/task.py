"""The task of the source: an owned work partition, its one writer, and the pollers of its shards."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from connector.errors import Blocked, TransactionLost
from connector.kafka.errors import transacting
from connector.kafka.ownership import Membership, watch
from connector.kafka.reading.followers import Follower, following
from connector.kafka.reading.readers import read_back_all
from connector.kafka.reading.reading_back import ReadingBack
from connector.kafka.records import Place, Record
from connector.kafka.tasks import OnReady, TaskContext, run_together
from connector.kafka.writing.transactions import FencedProducer
from connector.kafka.writing.writer import Writer
from connector.messages.control import read
from connector.messages.position import Applied, Deployment, Position, State, TopicFacts
from connector.source.position_writer import Shard, WriterContext
from connector.source.shard import ShardRunner
from connector.source.topic_facts import lost

CONFIRM_S = 1.0
"""Between two looks at a topic that seems to be lost."""


@dataclass(frozen=True, slots=True)
class SourceTaskContext:
    """What all source tasks of a worker share; `owner` is its name."""

    task_context: TaskContext
    owner: str
    deployment: Deployment
    shards: Callable[[int], Sequence[Shard]]
    status: Callable[[Sequence[Shard]], Sequence[Record]]
    topics: "TopicKeeper"
    status_interval: float = 2.0
    topics_interval: float = 30.0


class TopicKeeper(Protocol):
    """The entities' topics."""

    async def facts(self, names: Collection[str]) -> Mapping[str, TopicFacts]:
        """Facts of the topics as they are now; one that is not there is left out. Makes none. Raises aiokafka's errors."""

    async def make(self, names: Collection[str]) -> str:
        """Make those that are not there, as configured; what is wrong with the others. Raises aiokafka's errors, Fatal."""


class SourceTask:
    """The work on a partition; see kafka.tasks.TaskBody."""

    def __init__(self, parts: SourceTaskContext) -> None:
        self._parts = parts
        self._reading_back = ReadingBack()

    async def __call__(self, place: Place, producer: FencedProducer, membership: Membership, settled: OnReady) -> None:
        """Read the positions back and poll until cancelled."""
        task_context, partition = self._parts.task_context, place.partition
        shards = self._parts.shards(partition)
        with self._reading_back.one():
            positions = await self._positions(partition, shards)
            facts = await self._facts(shards, positions)
        settled()
        await self._reading_back.others()
        writer = Writer(producer, place, task_context.tell, task_context.clock)
        encode, owner = self._parts.deployment.encode, self._parts.owner
        context = WriterContext(
            writer.submit,
            encode,
            partition,
            owner,
            task_context.tell,
            task_context.clock,
            lambda name: self._parts.topics.make([name]),
        )
        runners = [ShardRunner(shard, positions[shard], context, facts.get(shard.topic)) for shard in shards]
        await run_together(
            writer.run(),
            watch(membership, place, task_context.watch_interval),
            self._publish_status(shards, writer),
            self._watch_topics(runners),
            self._hear(runners, partition),
            *(runner.run() for runner in runners),
        )

    async def _positions(self, partition: int, shards: Sequence[Shard]) -> Mapping[Shard, Position]:
        places = {Place(shard.positions, partition) for shard in shards}
        values = await read_back_all(self._parts.task_context.cluster, places, turns=self._parts.task_context.turns)
        return {shard: self._position(shard, values[Place(shard.positions, partition)]) for shard in shards}

    def _position(self, shard: Shard, values: Mapping[bytes, bytes]) -> Position:
        """What is no position stops its entity alone: an operator must say from where to read it."""
        try:
            return self._parts.deployment.decode(values.get(shard.entity.encode()), self._parts.task_context.clock.monotonic())
        except Blocked as error:
            shard.shard_state.explain(str(error))
            return Position(state=State.STUCK)

    async def _facts(self, shards: Sequence[Shard], positions: Mapping[Shard, Position]) -> Mapping[str, TopicFacts]:
        """What the topics are; those that are not there, and from which nothing is missing, are made."""
        topics, names = self._parts.topics, {shard.topic for shard in shards}
        facts = await topics.facts(names)
        if any(lost(shard.topic, shard.entity, positions[shard], facts.get(shard.topic)) for shard in shards):
            await self._parts.task_context.clock.sleep(CONFIRM_S)  # only an operator ends it: one answer proves nothing
            facts = await topics.facts(names)
        missing = [shard for shard in shards if shard.topic not in facts]
        if new := {shard.topic for shard in missing if not lost(shard.topic, shard.entity, positions[shard], None)}:
            await topics.make(new)
            return await topics.facts(names)
        return facts

    async def _watch_topics(self, runners: Sequence[ShardRunner]) -> None:
        """A topic may be deleted while everything runs, and come back as something else: its entity begins anew then."""
        while runners:
            await self._parts.task_context.clock.sleep(self._parts.topics_interval)
            held = [(runner, runner.committed) for runner in runners]
            facts = await self._parts.topics.facts({runner.shard.topic for runner in runners})
            if wrong := [why for runner, position in held if (why := runner.lost(facts.get(runner.shard.topic), position))]:
                raise TransactionLost("; ".join(wrong))

    async def _hear(self, runners: Sequence[ShardRunner], partition: int) -> None:
        """Tell the runners what operators ask, from what each did not apply yet."""
        starts: dict[Place, int] = {}
        for runner in runners:
            place = Place(runner.shard.control, 0)
            starts[place] = min(runner.hears_from, starts.get(place, runner.hears_from))
        if not starts:
            return
        with transacting(partition):
            async with following(self._parts.task_context.cluster, starts) as follower:
                for runner in runners:
                    runner.settle(follower.ends[Place(runner.shard.control, 0)])
                while True:
                    await self._pass_on(follower, runners)

    async def _pass_on(self, follower: Follower, runners: Sequence[ShardRunner]) -> None:
        for record in await follower.next():
            age = self._parts.task_context.clock.wall().timestamp() - record.timestamp / 1000
            request = read(record.value, Applied(record.partition, record.offset), age)
            for runner in runners:
                if request is not None and runner.shard.control == record.topic:
                    runner.hear(request)

    async def _publish_status(self, shards: Sequence[Shard], writer: Writer) -> None:
        while shards:
            await self._parts.task_context.clock.sleep(self._parts.status_interval)
            await writer.submit(self._parts.status(shards))
            for shard in shards:
                shard.portion.others_sent()
