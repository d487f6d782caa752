"""Commands that pass from one connector to another: after kill -9, and after a freeze between INTENT and call."""

import random
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from connector.sandbox import Sandbox, SandboxOptions
from connector.sandbox.faults.result_codes import CODES
from connector.sink.executor import SENDING_S
from tests.e2e.carried_out import examine, unfinished
from tests.e2e.customers import Customers, customers
from tests.e2e.orders import ARTICLES, EACH, PLANS, Names, Step, cancelled, changed, deposit, part
from tests.support.connectors import COMMANDS, Connector, Fleet, fleet, settings, until
from tests.support.crashing import STRUCK, Crash
from tests.support.pos.sandbox_orders import ask, order

PARTITIONS, ORDERS = 8, 40
SESSION = 10
"""Seconds: the default session timeout."""
DEADLINE = 2.0
FEW = {"entities": "articleGroup", "requests_per_second": 1000, "answer_deadline": DEADLINE}
SETTLE = 120.0
"""Seconds to finish on a busy machine; what waits for a deadline looks ever more seldom."""
LET_GO = "partition released"
SHORT = {**FEW, "command_partitions": 1, "session_timeout": 2}


@dataclass(frozen=True, slots=True)
class Scene:
    """Two connectors at a POS; the first is the one that will suffer."""

    bootstrap: str
    name: str
    pos: Sandbox
    connectors: Fleet
    first: Connector
    other: Connector
    people: Customers

    async def finished(self, within: float) -> float:
        """Wait until all commands are; return the seconds that took."""

        async def idle() -> bool:
            return not await unfinished(self.bootstrap, self.name)

        return await until(idle, within, "all commands are finished", every=0.2)

    async def assert_done_once(self) -> None:
        """The effects, results and offsets are as they should be."""
        found = await examine(self.bootstrap, self.name, self.pos, self.people.orders, self.people.copies)
        print(found)
        assert [] == found.problems

    def changes(self) -> int:
        """How often the POS was asked to change an order."""
        return sum(self.pos.requests.counts[operation] for operation in CODES)

    async def old_order(self) -> tuple[Names, str]:
        """An order that nobody commanded, and one of its lineIds."""
        await ask(self.pos, "createOrder", order=order("web-1", [(article, EACH) for article in ARTICLES]))
        self.pos.effects.clear()
        self.pos.requests.counts.clear()
        return Names("web-1"), self.people.lines("web-1")[0]


@asynccontextmanager
async def scene(bootstrap: str, name: str, directory: Path, crash: Crash, **more: object) -> AsyncIterator[Scene]:
    """The first owns partitions before the other comes."""
    async with AsyncExitStack() as stack:
        pos = await stack.enter_async_context(Sandbox(SandboxOptions(items=3)))
        connectors = await stack.enter_async_context(fleet(directory, settings(pos, bootstrap, name, **more), "commands"))
        first = connectors.start(crash)
        await until(lambda: first.owns(1, COMMANDS), 60, first.last_words)
        other = connectors.start()
        partitions = int(str(more.get("command_partitions", PARTITIONS)))
        await until(lambda: _shared(first, other, partitions), 60, "the two share the partitions")
        people = await stack.enter_async_context(customers(pos, bootstrap, name, partitions, random.Random(1)))
        yield Scene(bootstrap, name, pos, connectors, first, other, people)


async def _shared(one: Connector, other: Connector, partitions: int) -> bool:
    """Whether the two own all partitions, none of them twice, and the first its part; a single one is the first's."""
    mine, theirs = await one.partitions(COMMANDS), await other.partitions(COMMANDS)
    both = bool(theirs) or (partitions == 1 and bool(await other.status()))
    return both and bool(mine) and not mine & theirs and len(mine | theirs) == partitions


async def test_after_kill_9_the_other_finishes_the_commands(bootstrap: str, prefix: str, tmp_path: Path) -> None:
    """With the default session timeout: calls that were under way are looked for, and all orders served by the other."""
    dies = Crash(at=15, calls=("change",), after=False)
    async with scene(bootstrap, prefix, tmp_path, dies, **FEW) as on:
        on.pos.faults.switch("delay_after_seconds", probability=1, seconds=0.2)
        plans = [plan for plan in PLANS if not plan.needs_lines]
        for number in range(ORDERS):
            names, plan = Names(f"web-{number}"), plans[number % len(plans)]
            await on.people.command(names.order, [plan.first(names), *plan.then(names, ())])

        await until(lambda: STRUCK in on.first.log, 60, "the victim died in the middle of its calls")
        killed = time.monotonic()
        await on.finished(SESSION + 50)

        print(f"all commands finished {time.monotonic() - killed:.1f} s after kill -9; the session timeout is {SESSION} s")
        await on.assert_done_once()
        await on.connectors.stop()


Commanded = Callable[[Names, str], Step]
"""A command for an order of which a lineId is given."""


@pytest.mark.parametrize(
    ("commanded", "waits"),
    [
        (lambda names, _: deposit(names), SENDING_S + DEADLINE),
        (part, SENDING_S + DEADLINE),
        (lambda names, _: changed(names), 0.0),
    ],
    ids=["payOrder", "deliverOrder of a part", "updateOrder"],
)
async def test_frozen_between_intent_and_call(
    bootstrap: str, prefix: str, tmp_path: Path, commanded: Commanded, waits: float
) -> None:
    """The other carries the command out; thawed after that, the first makes no call.

    Where a repetition is safe by nothing, the other waits until a call that was still to leave would have ended.
    """
    frozen = Crash(at=2, calls=("commit",), signal=signal.SIGSTOP)  # the first says whose the partition is
    async with scene(bootstrap, prefix, tmp_path, frozen, **SHORT) as on:
        names, line = await on.old_order()
        await on.people.command(names.order, [commanded(names, line)])
        await until(lambda: STRUCK in on.first.log, 60, "the first is frozen")
        began = time.monotonic()
        assert 0 == on.changes()

        await on.finished(SETTLE)
        took = time.monotonic() - began
        print(f"done by the other {took:.1f} s after the freeze")
        assert took >= waits
        assert 1 == on.changes()

        said = len(on.first.log)
        on.first.signal(signal.SIGCONT)
        await until(lambda: LET_GO in on.first.log[said:], 90, on.first.last_words)
        assert 1 == on.changes()
        await on.people.command(names.order, [*on.people.orders[names.order], deposit(names)], said=1)
        await on.finished(SETTLE)
        assert 2 == on.changes(), [on.pos.effects, on.first.log[said:], on.other.log[-20:]]
        await on.assert_done_once()
        await on.connectors.stop()


@pytest.mark.parametrize("commanded", [deposit, changed, cancelled], ids=["by key", "by lock", "by state"])
async def test_a_call_that_leaves_late(bootstrap: str, prefix: str, tmp_path: Path, commanded: Callable[[Names], Step]) -> None:
    """Frozen right before its packet, and thawed after the other has done it: the second call changes nothing."""
    frozen = Crash(at=1, calls=("change",), after=False, signal=signal.SIGSTOP)
    async with scene(bootstrap, prefix, tmp_path, frozen, **SHORT) as on:
        names, _ = await on.old_order()
        await on.people.command(names.order, [commanded(names)])
        await until(lambda: STRUCK in on.first.log, 60, "the first is frozen")
        await on.finished(SETTLE)
        assert 1 == on.changes()

        said = len(on.first.log)
        on.first.signal(signal.SIGCONT)

        await until(lambda: 2 == on.changes(), 90, "the late call")
        await until(lambda: LET_GO in on.first.log[said:], 90, on.first.last_words)
        await on.assert_done_once()
        await on.connectors.stop()
