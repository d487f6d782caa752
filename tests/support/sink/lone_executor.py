"""The executor alone, between a client of a sandbox and a ledger in memory, in a time that only sleeping moves."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from connector.clock import Clock
from connector.events.base import Event
from connector.events.commands import CommandWaits
from connector.kafka.records import Place
from connector.messages.command import Command, read
from connector.mplus.client import Access, PosClient, Retries
from connector.mplus.request import Fields
from connector.mplus.responses.answers import OrderAnswer
from connector.mplus.responses.pages import Item, PageSpec, Undecodable
from connector.mplus.responses.process import InlineDecoder
from connector.sandbox import Sandbox, SandboxOptions
from connector.sink.command_end import CommandEnd
from connector.sink.context import Deadlines, MissingOperations, SinkContext
from connector.sink.execution import Execution
from connector.sink.executor import Executor
from connector.sink.ledger.ledger import Done, Intent, Ledger
from connector.sink.pos.calls import Calls, Pos
from tests.support.sink.commanding import key_of, order_of, valid

Act = Callable[[], Awaitable[object] | object]
Before = Callable[[int, str], Act | None]
START = datetime(2026, 7, 1, 12, tzinfo=UTC)
DEADLINES = Deadlines(answer=600.0, unknown=900.0, pause=15.0)


class Time:
    """Stands still unless somebody sleeps; then what is planned for meanwhile happens."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._planned: list[tuple[float, Act]] = []

    def at(self, moment: float, act: Act) -> None:
        """Plan something, for so many seconds after the start."""
        self._planned.append((1000.0 + moment, act))
        self._planned.sort(key=lambda row: row[0])

    @property
    def passed(self) -> float:
        """Seconds since the start."""
        return self.now - 1000.0

    async def sleep(self, seconds: float) -> None:
        until = self.now + seconds
        while self._planned and self._planned[0][0] <= until:
            self.now, act = self._planned.pop(0)
            await done(act)
        self.now = until
        await asyncio.sleep(0)

    @property
    def clock(self) -> Clock:
        return Clock(lambda: self.now, lambda: START + timedelta(seconds=self.passed), self.sleep, lambda: 0.5)


async def done(act: Act) -> object:
    """What it returns, at once or later."""
    found = act()
    return await found if inspect.isawaitable(found) else found


class Wire:
    """A Pos around another: says what was asked when, and lets something happen before a call."""

    def __init__(self, pos: Pos, time: Time) -> None:
        self._pos = pos
        self._time = time
        self._before: Before = lambda number, operation: None
        self.asked: list[str] = []
        self.changes: list[tuple[float, str]] = []

    def before(self, act: Before) -> None:
        """What happens right before the n-th call (from 1) of this operation."""
        self._before = act

    async def order(self, operation: str, fields: Fields) -> OrderAnswer:
        await self._ask(operation)
        return await self._pos.order(operation, fields)

    async def page(self, operation: str, fields: Fields, spec: PageSpec) -> list[Item | Undecodable]:
        await self._ask(operation)
        return await self._pos.page(operation, fields, spec)

    async def turn(self) -> None:
        await self._pos.turn()

    async def change(self, operation: str, fields: Fields) -> OrderAnswer:
        await self._ask(operation)
        self.changes.append((self._time.passed, operation))
        return await self._pos.change(operation, fields)

    async def _ask(self, operation: str) -> None:
        self.asked.append(operation)
        act = self._before(len(self.asked), operation)
        if act is not None:
            await done(act)


@dataclass
class LoneExecutor:
    """`run` carries one command out and returns its result, which the results' schema has accepted."""

    pos: Sandbox
    time: Time
    wire: Wire
    context: SinkContext
    intents: list[Intent]
    told: list[Event]
    endings: list[CommandEnd] = field(default_factory=list)
    offset: int = 0

    async def run(self, command: Mapping[str, Any], *, intent: Intent | None = None, redriven: bool = False) -> dict[str, Any]:
        """Until it has ended; `intent`: it was found in the ledger."""
        taken = read(key_of(command).encode(), orjson.dumps(command))
        assert isinstance(taken, Command), taken
        execution = Execution(taken, self.offset, "", intent, redriven=redriven)
        self.offset += 1
        end = await asyncio.wait_for(Executor(self.context).carry_out(execution), 20)
        result = end.result(taken, self.context.clock.stamp())
        self.endings.append(end)
        self.context.ledger.write(Done(taken.id, execution.offset, taken.digest, valid(result), end.intent))
        return result

    def forget(self) -> None:
        """Let the ledger forget all that it knows, as after its retention."""
        self.context.ledger.aged(self.time.now + 1.0, 0.0)

    def effects(self, name: str) -> list[str]:
        """What was really done to this order, in order."""
        return [row["effect"] for row in self.pos.effects if row["extOrderId"] == name]

    def order(self, name: str) -> dict[str, Any]:
        """The order as the shop has it."""
        return order_of(self.pos, name)

    @property
    def waits(self) -> list[str]:
        """Why it waited."""
        return [event.reason for event in self.told if isinstance(event, CommandWaits)]


@asynccontextmanager
async def lone_executor(
    pos: Sandbox | None = None,
    *,
    timeout: float = 20.0,
    deadlines: Deadlines = DEADLINES,
    through: Callable[[Pos, Time], Pos] = lambda pos, time: pos,
    **options: Any,
) -> AsyncIterator[LoneExecutor]:
    """On a sandbox of one's own, or on `pos`. `through` puts something between the executor and the client."""
    async with Sandbox(SandboxOptions(**{"items": 3, "forget_keys": 0, **options})) as own:
        shop = pos or own
        time, told, intents = Time(), list[Event](), list[Intent]()
        access = Access("demo", shop.url, shop.ident, shop.secret, tls=False, timeout=timeout, rate=10_000)
        client = PosClient(access, InlineDecoder(), told.append, retries=Retries(first=0.001, most=0.01))
        wire = Wire(through(client, time), time)
        try:
            yield LoneExecutor(shop, time, wire, _context(wire, time, told, intents, deadlines), intents, told)
        finally:
            await client.close()


def _context(wire: Wire, time: Time, told: list[Event], intents: list[Intent], deadlines: Deadlines) -> SinkContext:
    ledger = Ledger(Place("ledger", 0), {})

    async def intend(intent: Intent, coordinates: str) -> None:
        ledger.write(intent, coordinates)
        intents.append(intent)

    async def prove() -> None:
        pass

    slots = asyncio.Semaphore(4)
    calls, missing = Calls(wire), MissingOperations()
    return SinkContext("demo", calls, ledger, intend, prove, slots, missing, deadlines, told.append, time.clock)
