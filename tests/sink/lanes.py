"""A lane on a real broker, without a group: who owns the partition is what the test says."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import orjson

from connector.clock import Clock
from connector.errors import Fenced, TransactionLost
from connector.events.base import Event
from connector.kafka.cluster import Cluster
from connector.kafka.ownership import Membership
from connector.kafka.records import Place, Record
from connector.kafka.tasks import OnReady, TaskContext, TransactionalTasks
from connector.kafka.topics import ensure
from connector.kafka.writing.transactions import FencedProducer, Tuning
from connector.messages.topics import Topics
from connector.mplus.client import Access, PosClient, Retries
from connector.mplus.request import Fields
from connector.mplus.responses.answers import OrderAnswer
from connector.mplus.responses.process import InlineDecoder
from connector.sandbox import Sandbox
from connector.sink.context import Deadlines, MissingOperations
from connector.sink.pos.calls import Calls, Pos
from connector.sink.task import SinkTask, SinkTaskContext
from connector.wiring.topics import plan
from tests.support.sink.commanding import Commands, create, pay
from tests.support.source.polling import configuration, eventually

REAL = Clock()
SETTINGS: dict[str, Any] = {
    "deadlines": Deadlines(0.5, 0.5, 0.1),
    "in_flight": 4,
    "retention": 3600.0,
    "proof": 60.0,
    "linger": 0.0,
    "watch_interval": 0.05,
}


class Member:
    """A group that this worker is a member of, until it is not."""

    def __init__(self) -> None:
        self.offset = 0
        self.lost = False
        self.proofs = 0

    async def prove(self, place: Place, offset: int | None = None) -> None:
        self.proofs += 1
        if self.lost:
            raise Fenced(f"{place}: the group no longer knows this worker")
        if offset is not None:
            self.offset = offset

    async def committed(self, place: Place) -> int:
        return self.offset


@dataclass
class Gate:
    """Holds a call: `reached` when it is there, `opened` when it may go on."""

    reached: asyncio.Event = field(default_factory=asyncio.Event)
    opened: asyncio.Event = field(default_factory=asyncio.Event)


class Gated:
    """A Pos that holds back what changes some orders, or its answer."""

    def __init__(self, pos: Pos) -> None:
        self._pos = pos
        self._gates: list[tuple[str, Gate, bool]] = []
        self.changes: list[str] = []
        self.order, self.page, self.turn = pos.order, pos.page, pos.turn

    def hold(self, text: str, *, answer: bool = False) -> Gate:
        """The next call in whose fields this stands, once: before it is sent, or when it is answered."""
        gate = Gate()
        self._gates.append((text, gate, answer))
        return gate

    async def change(self, operation: str, fields: Fields) -> OrderAnswer:
        found = next((row for row in self._gates if row[0] in str(fields)), None)
        self.changes.append(operation)
        if found is None:
            return await self._pos.change(operation, fields)
        self._gates.remove(found)
        _, gate, after = found
        if after:
            answer = await self._pos.change(operation, fields)
            await _through(gate)
            return answer
        await _through(gate)
        return await self._pos.change(operation, fields)


async def _through(gate: Gate) -> None:
    gate.reached.set()
    await gate.opened.wait()


@dataclass
class Lanes(Commands):
    """An administration with one command partition, and workers that own it one after the other."""

    clock: Clock = REAL
    member: Member = field(default_factory=Member)
    told: list[Event] = field(default_factory=list)
    transactions: list[list[Record]] = field(default_factory=list)
    losing: bytes = b""
    """The next transaction that begins with this is lost."""
    settings: dict[str, Any] = field(default_factory=lambda: dict(SETTINGS))

    @property
    def place(self) -> Place:
        return Place(f"{self.prefix}.order-commands", 0)

    @asynccontextmanager
    async def worker(self) -> AsyncIterator[tuple[Gated, Calls]]:
        """A worker's client and the calls that outlive its sessions."""
        access = Access(self.prefix, self.pos.url, self.pos.ident, self.pos.secret, tls=False, timeout=20, rate=1000)
        client = PosClient(access, InlineDecoder(), self.told.append, retries=Retries(first=0.001, most=0.01))
        gated = Gated(client)
        calls = Calls(gated)
        try:
            yield gated, calls
        finally:
            await calls.end(0.0)
            await client.close()

    @asynccontextmanager
    async def owning(self, calls: Calls, **settings: Any) -> AsyncIterator["asyncio.Task[None]"]:
        """A session, while inside. The next one of this partition fences it."""
        settings = self.settings | settings
        task_context = TaskContext(Cluster(self.bootstrap), self.told.append, self.clock, Tuning())
        lane = SinkTask(SinkTaskContext(task_context, self.prefix, Topics(self.prefix), calls, MissingOperations(), **settings))
        settled = asyncio.Event()

        async def work(place: Place, producer: FencedProducer, membership: Membership, _: OnReady) -> None:
            await lane(place, Spied(producer, self), membership, settled.set)

        session = TransactionalTasks(
            task_context, lambda place: f"{settings.get('group', '')}.{place.topic}.{place.partition}", work
        )
        task = asyncio.create_task(session(self.place, self.member))
        try:
            await asyncio.wait_for(settled.wait(), 20)
            yield task
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError, Fenced):
                await task

    def effects_on(self, name: str) -> list[str]:
        """What was really done to an order, in order."""
        return [row["effect"] for row in self.pos.effects if row["extOrderId"] == name]

    async def letters_of(self, count: int, within: float = 20.0) -> list[tuple[bytes, dict[str, str]]]:
        """As soon as there are so many, all dead letters."""
        async with asyncio.timeout(within):
            while len(found := await self.letters()) < count:  # noqa: ASYNC110 - a topic tells nobody
                await asyncio.sleep(0.05)
        return found

    async def idle(self, offset: int) -> None:
        """Wait until everything before this offset is finished."""
        await eventually(lambda: self.member.offset >= offset)
        assert offset == self.member.offset

    async def rewind(self, offset: int) -> None:
        """As if the lane's work stood there still, in its ledger and in the group."""
        from aiokafka import AIOKafkaProducer

        producer = AIOKafkaProducer(bootstrap_servers=self.bootstrap)
        await producer.start()
        try:
            stands = orjson.dumps({"offset": offset, "finished": []})
            await producer.send_and_wait(f"{self.prefix}.command-ledger", stands, b"lane:0", 0)
        finally:
            await producer.stop()
        self.member.offset = offset


class Spied(FencedProducer):
    """Remembers what was committed together, and loses what it is told to."""

    def __init__(self, producer: FencedProducer, lanes: "Lanes") -> None:
        self._inner = producer
        self._lanes = lanes

    async def transaction(self, records: Iterable[Record], agreed: Callable[[], Awaitable[None]] | None = None) -> None:
        whole = list(records)
        if self._lanes.losing and self._lanes.losing in (whole[0].key or b"") + (whole[0].value or b""):
            self._lanes.losing = b""
            raise TransactionLost("the broker is gone")
        await self._inner.transaction(whole, agreed)
        self._lanes.transactions.append(whole)

    def size_of(self, record: Record) -> int:
        return self._inner.size_of(record)


TOPICS = ("order-commands", "order-command-results", "command-ledger", "dead-letters")


@asynccontextmanager
async def laning(bootstrap: str, prefix: str, pos: Sandbox, clock: Clock = REAL) -> AsyncIterator[Lanes]:
    """An administration's topics, with one command partition."""
    config = configuration(bootstrap, prefix, pos, command_partitions=1, partitions=1)
    wanted = [topic for topic in plan(config, []) if topic.name.removeprefix(f"{prefix}.") in TOPICS]
    assert [] == await ensure(Cluster(bootstrap), wanted)
    yield Lanes(bootstrap, prefix, pos, 1, clock)


UNSEEN = frozenset({"getOrder", "findOrder"})


async def unknown(lanes: Lanes, pos: Gated, kind: str) -> tuple[bytes, dict[str, Any]]:
    """A payment whose answer is lost where looking is refused, so that nobody knows; its bytes, and its result."""
    command, gate = pay("c-2", "web-1", 5), pos.hold("prepay")
    await lanes.send(create("c-1", "web-1"), command)
    await asyncio.wait_for(gate.reached.wait(), 10)
    lanes.pos.faults.switch(kind, count=1, operations=["payOrderV2"])
    lanes.pos.faults.unlicensed_operations = UNSEEN
    gate.opened.set()
    _, result = await lanes.results(2)
    lanes.pos.faults.unlicensed_operations = frozenset()
    return orjson.dumps(command), result
