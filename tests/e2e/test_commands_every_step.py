"""A crash at each single call of the POS and of Kafka that a command makes, after it took effect.

Before the next call the world is the same, so `make soak` alone tries that too.
"""

import asyncio
import itertools
import os
import random
import re
import signal
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from connector.sandbox import Sandbox, SandboxOptions
from tests.e2e.carried_out import examine, unfinished
from tests.e2e.customers import Customers, customers
from tests.e2e.forks import Nursery, nursery
from tests.e2e.orders import (
    ARTICLES,
    EACH,
    REST,
    Names,
    Step,
    cancelled,
    changed,
    created,
    created_with_deposit,
    deposit,
    part,
    settled,
    whole,
)
from tests.support.connectors import COMMANDS, Connector, settings, until
from tests.support.crashing import COMPLETED, COUNTING, SENDING, STRUCK, Crash
from tests.support.pos.sandbox_orders import ask, order

SMALL = {
    "entities": "articleGroup",
    "command_partitions": 1,
    "session_timeout": 1,
    "answer_deadline": 0.3,
    "requests_per_second": 1000,
}
STILL_TO_LEAVE = "0.3"
"""Seconds in which a dead worker's call may still leave: nobody is frozen here, and nothing is on its way for longer."""
AT_ONCE = 6
"""Shops at the same time: mostly their connectors wait for the session of the one before to end."""
STARTING = ("create topics", "join", "fence", "prove", "read ledger")
AT_WORK = ("send", "commit", "look", "page", "change")
"""The calls of a command: `begin` asks nobody."""


@dataclass(frozen=True, slots=True)
class Script:
    """The commands of one order. `old`: the order is there before, and the lineIds are known. `starting`: the crash comes
    while a connector starts that finds the commands there.
    """

    steps: Callable[[Names, Sequence[str]], list[Step]]
    old: bool = False
    starting: bool = False


def served(names: Names, lines: Sequence[str]) -> list[Step]:
    """updateOrder, payOrder, deliverOrder of a part and of the rest, and payOrder with an invoice."""
    return [changed(names), deposit(names), part(names, lines[1]), whole(names, 3), settled(names, REST, 0)]


SCRIPTS = {
    "served": Script(served, old=True),
    "cancelled": Script(lambda names, _: [created(names), cancelled(names)]),
    "prepaid": Script(lambda names, _: [created_with_deposit(names), settled(names, REST, 4)]),
    "started": Script(lambda names, _: [created(names)], starting=True),
}


MOMENTS = ("before", "after", "held") if "SOAK_SECONDS" in os.environ else ("after", "held")
"""Of a call. `held`: a transaction is complete but for its commit while the group's offset is committed, and comes to nothing."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What is commanded of an order, and when the victim dies."""

    script: str
    moment: str
    at: int

    @property
    def order(self) -> str:
        """Its name."""
        return f"{self.script}-{self.moment}-{self.at}"

    def crash(self, commands: int) -> Crash:
        """What the victim is told."""
        starting, held = SCRIPTS[self.script].starting, self.moment == "held"
        calls = ("commit",) if held else STARTING if starting else AT_WORK
        return Crash(self.at, calls, after=self.moment == "after", held=held, waits=not starting, commands=commands)


@dataclass(slots=True)
class Tally:
    """What was tried; `completed`: what the victims said that got through, by script and moment."""

    struck: list[tuple[str, str]] = field(default_factory=list)
    completed: dict[tuple[str, str], str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    commands: int = 0

    def turns(self) -> Iterator[Turn]:
        """Each script with a crash at its first call, its second, and so on until a run completes."""
        pairs = [pair for pair in itertools.product(SCRIPTS, MOMENTS) if pair != ("started", "held")]
        numbers = {pair: itertools.count(1) for pair in pairs}
        for pair in itertools.cycle(pairs):
            if len(self.completed) == len(pairs):
                return
            if pair not in self.completed:
                yield Turn(*pair, next(numbers[pair]))

    def died(self, turn: Turn, words: str) -> None:
        """A victim did what it was told."""
        if words.startswith(STRUCK):
            self.struck.append((turn.moment, words.rpartition(", ")[2]))
        else:
            self.completed[turn.script, turn.moment] = words

    def show(self, seconds: float) -> None:
        """Print what was tried."""
        for moment in MOMENTS:
            kinds = Counter(kind for when, kind in self.struck if when == moment)
            print(f"{kinds.total()} crashes, {moment}: {dict(sorted(kinds.items()))}")
        print({"-".join(pair): words.removeprefix(COMPLETED) for pair, words in self.completed.items()})
        print(f"{self.commands} commands carried out, {seconds:.0f} s")


async def test_a_crash_at_every_call_of_a_command(bootstrap: str, tmp_path: Path) -> None:
    """Whichever call it is, every command is carried out once and told once by the next run."""
    started, tally, directories = time.monotonic(), Tally(), [tmp_path / str(number) for number in range(AT_ONCE)]
    turns = tally.turns()
    async with asyncio.TaskGroup() as group:
        for directory in directories:
            directory.mkdir()
            group.create_task(_try_all(bootstrap, directory, turns, tally))
    tally.show(time.monotonic() - started)
    assert [] == tally.problems
    assert len(tally.struck) >= 40 * len(MOMENTS)


async def _try_all(bootstrap: str, directory: Path, each: Iterator[Turn], tally: Tally) -> None:
    """One crash after the other in a shop of its own, and at the end the comparison."""
    name = f"t-{uuid.uuid4().hex[:12]}"
    async with Sandbox(SandboxOptions(items=3)) as pos:
        environment = settings(pos, bootstrap, name, **SMALL) | {SENDING: STILL_TO_LEAVE}
        async with nursery(directory, environment, "commands", size=1) as connectors:
            async with _successor(connectors) as first:
                await until(lambda: first.owns(1, COMMANDS), 60, first.last_words)
            async with customers(pos, bootstrap, name, 1, random.Random(1)) as people:
                shop = Shop(pos, people, lambda: unfinished(bootstrap, name))
                for turn in each:
                    await _try(connectors, shop, turn, tally)
                async with _successor(connectors) as last:
                    await shop.finished(last)
        found = await examine(bootstrap, name, pos, people.orders, people.copies)
    tally.commands += found.commands
    tally.problems += found.problems


async def _try(connectors: Nursery, shop: "Shop", turn: Turn, tally: Tally) -> None:
    """A victim, which finishes what the one before has left, unless it dies of starting."""
    starting = SCRIPTS[turn.script].starting
    steps = await shop.planned(turn)
    if starting:
        await shop.people.say(turn.order, steps)
    async with connectors.connector(turn.crash(len(steps))) as victim:
        if not starting:
            await shop.finished(victim, but=steps)
            victim.signal(signal.SIGUSR1)
            await until(lambda: COUNTING in victim.log, 10, victim.last_words)
            await shop.people.say(turn.order, steps)
        await _crash(victim, turn, tally)


@dataclass(frozen=True, slots=True)
class Shop:
    """A POS and what was commanded there; `left` tells what is not finished."""

    pos: Sandbox
    people: Customers
    left: Callable[[], Awaitable[list[str]]]

    async def planned(self, turn: Turn) -> list[Step]:
        """Everything that the script says of an order."""
        lines: list[str] = []
        if SCRIPTS[turn.script].old:
            await ask(self.pos, "createOrder", order=order(turn.order, [(article, EACH) for article in ARTICLES]))
            self.pos.effects.pop()  # nobody commanded that
            lines = self.people.lines(turn.order)
        self.people.orders[turn.order] = SCRIPTS[turn.script].steps(Names(turn.order), lines)
        return self.people.orders[turn.order]

    async def finished(self, by: Connector, but: Sequence[Step] = ()) -> None:
        """Wait until it owns the partition and has done all that was commanded, but these steps."""
        steps = [step for steps in self.people.orders.values() for step in steps]
        wanted = sum(len(step.effects) for step in steps) - sum(len(step.effects) for step in but)

        async def idle() -> bool:
            return len(self.pos.effects) >= wanted and await by.owns(1, COMMANDS) and not await self.left()

        await until(idle, 60, lambda: f"idle: {by.last_words()}", every=0.2)


async def _crash(victim: Connector, turn: Turn, tally: Tally) -> None:
    """It ends by its own hand."""
    assert -signal.SIGKILL == await victim.end(), victim.last_words()
    found = re.search(f"^({STRUCK}|{COMPLETED}).*$", victim.log, re.MULTILINE)
    assert found, victim.last_words()
    tally.died(turn, found[0])


@asynccontextmanager
async def _successor(connectors: Nursery) -> AsyncIterator[Connector]:
    """One that lives until it is told to stop."""
    async with connectors.connector() as successor:
        yield successor
        successor.signal(signal.SIGTERM)
        assert 0 == await successor.end(), successor.last_words()
