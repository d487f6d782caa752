"""kill -9 while orders are commanded, of connectors and once of the broker, and a POS whose answers are lost: all is done once.

`SOAK_SECONDS` repeats rounds for that long, `SOAK_SEED` varies them.
"""

import asyncio
import os
import random
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from connector.local_kafka.start import Broker
from connector.sandbox import Sandbox, SandboxOptions
from connector.sandbox.faults.result_codes import CODES
from tests.e2e.carried_out import examine, open_intents, unfinished
from tests.e2e.customers import customers
from tests.e2e.forks import Nursery, nursery
from tests.support.connectors import COMMANDS, Connector, settings, until
from tests.support.crashing import STRUCK, Crash

PARTITIONS, ORDERS, PER_SECOND = 4, 320, 4.0
CHANGING = tuple(CODES)
"""Operations that change an order."""
FAULTS = ("server_fault", "server_fault_after", "garbage", "unavailable")
LOSSES = ("drop_before", "drop_after", "truncate", "truncate_framed")
TIMEOUT, LATE, DEADLINE = 1.0, 3.0, 4.0
"""Seconds: a call's, which is over before a late one takes effect, which is before it is believed not to."""
AT_WORK = 0.06
"""Seconds that a change takes after it took effect."""
SMALL = {
    "entities": "articleGroup",
    "command_partitions": PARTITIONS,
    "session_timeout": 1.5,
    "answer_deadline": DEADLINE,
    "requests_per_second": 1000,
}
SETTLE = 300.0
"""Seconds to carry out what is left, on a busy machine: a part delivery waits 14 s or more after a take-over."""


@dataclass(slots=True)
class Tally:
    """What was done. `alone`: when connectors died that were alone, in seconds since the epoch."""

    kills: int = 0
    broker: int = 0
    alone: list[float] = field(default_factory=list)


class Chaos:
    """Scenes, each of which ends with nobody alive whom it started."""

    def __init__(self, connectors: Nursery, pos: Sandbox, broker: Broker, luck: random.Random) -> None:
        self.tally = Tally()
        self._connectors = connectors
        self._pos = pos
        self._broker = broker
        self._luck = luck

    async def before_a_call(self) -> None:
        """The INTENT is there; the call is never made."""
        await self._suicide(Crash(at=self._luck.randint(1, 20), calls=("change",), after=False))

    async def after_an_answer(self) -> None:
        """The call was answered; nobody wrote that down."""
        await self._suicide(Crash(at=self._luck.randint(1, 20), calls=("change",)))

    async def in_a_transaction(self) -> None:
        """An INTENT or a result is with the broker, and not committed."""
        await self._suicide(Crash(at=self._luck.randint(1, 25), calls=("send",)))

    async def after_a_commit(self) -> None:
        """An INTENT or a result is committed, and what follows does not come."""
        await self._suicide(Crash(at=self._luck.randint(1, 20), calls=("commit",)))

    async def while_the_pos_is_at_work(self) -> None:
        """Calls are under way, and their answers find nobody."""
        async with self._at_work() as victim:
            await self._kill(victim)

    async def while_it_starts(self) -> None:
        """At an instant that nothing decides but luck."""
        async with self._connectors.connector() as victim:
            await asyncio.sleep(self._luck.uniform(0.3, 2.5))
            await self._kill(victim)

    async def two(self) -> None:
        """Two share the partitions: one dies in the middle of a call, the other goes on with all of them, and dies too."""
        async with self._at_work() as other:
            crash = Crash(at=self._luck.randint(1, 10), calls=("change",), after=self._luck.random() < 0.5)
            async with self._connectors.connector(crash) as victim:
                await self._dead(victim)
            await until(lambda: other.owns(PARTITIONS, COMMANDS), 60, "the other has all partitions")
            await self._worked(5)
            await self._kill(other)

    async def without_broker(self) -> None:
        """The broker dies and comes back: the connector survives that, and goes on."""
        async with self._at_work() as survivor:
            await asyncio.to_thread(self._broker.kill)
            await asyncio.sleep(self._luck.uniform(0, 1))
            await asyncio.to_thread(self._broker.restart)
            self.tally.broker += 1
            await self._worked(20)
            assert survivor.alive, survivor.last_words()
            await self._kill(survivor)

    @asynccontextmanager
    async def _at_work(self) -> AsyncIterator[Connector]:
        """A connector that makes calls."""
        async with self._connectors.connector() as worker:
            await self._worked(self._luck.randint(1, 15))
            yield worker

    async def _worked(self, calls: int) -> None:
        """So many changes more were asked of the POS."""
        already = self._changes()
        await until(lambda: self._changes() >= already + calls, 90, f"{calls} changes more than {already}")

    def _changes(self) -> int:
        return sum(self._pos.requests.counts[operation] for operation in CHANGING)

    async def _suicide(self, crash: Crash) -> None:
        async with self._connectors.connector(crash) as victim:
            await self._dead(victim)
            self.tally.alone.append(time.time())

    async def _dead(self, victim: Connector) -> None:
        assert -signal.SIGKILL == await victim.end(90), victim.last_words()
        assert STRUCK in victim.log
        self.tally.kills += 1

    async def _kill(self, victim: Connector) -> None:
        await victim.kill()
        self.tally.kills += 1
        self.tally.alone.append(time.time())


async def test_kill_9_while_orders_are_commanded(own_kafka: Broker, prefix: str, tmp_path: Path) -> None:
    """Whenever connectors and the broker are killed, every command is carried out once, in order, and told once."""
    seed, deadline = int(os.environ.get("SOAK_SEED", "1")), time.monotonic() + float(os.environ.get("SOAK_SECONDS", "0"))
    await one_round(own_kafka, prefix, tmp_path, seed)
    while time.monotonic() < deadline:
        seed += 1
        (tmp_path / str(seed)).mkdir()
        await one_round(own_kafka, f"{prefix}-{seed}", tmp_path / str(seed), seed)


async def one_round(broker: Broker, name: str, directory: Path, seed: int) -> None:
    """Chaos, then peace, then the comparison."""
    luck, started = random.Random(seed), time.monotonic()
    async with Sandbox(SandboxOptions(seed=seed, items=3)) as pos:
        environment = settings(pos, broker.bootstrap, name, **SMALL) | {"MPLUS_TIMEOUT": str(TIMEOUT)}
        async with nursery(directory, environment, "commands", size=2) as connectors:
            async with connectors.connector() as first:
                await until(lambda: first.owns(PARTITIONS, COMMANDS), 60, "the topics exist")
                await first.kill()
            chaos = Chaos(connectors, pos, broker, luck)
            async with customers(pos, broker.bootstrap, name, PARTITIONS, luck) as people, asyncio.TaskGroup() as group:
                over = asyncio.Event()
                commanding = group.create_task(people.come(PER_SECOND, over, ORDERS))
                await play(chaos, pos, luck)
                over.set()
                played = time.monotonic() - started
                await settle(connectors, commanding, lambda: idle(broker.bootstrap, name))
            found = await examine(broker.bootstrap, name, pos, people.orders, people.copies)
    inside = [len(open_intents(found.ledger, at)) for at in chaos.tally.alone]
    print(
        f"seed {seed}: {chaos.tally.kills} kills, {sum(map(bool, inside))} of them with an open INTENT ({sum(inside)} in all), "
        f"{chaos.tally.broker} of the broker; {len(people.orders)} orders, {found}; {played:.0f} s of chaos, "
        f"{time.monotonic() - started:.0f} s in all, {sum(pos.requests.counts.values())} calls of the POS"
    )
    assert [] == found.problems, f"seed {seed}: {found.problems[:20]}"
    assert len(people.orders) >= 300
    assert chaos.tally.kills >= 30
    assert sum(map(bool, inside)) >= 10


def sicken(pos: Sandbox, luck: random.Random) -> None:
    """Answers go wrong in every way there is, changes take a while, and some come when nobody waits any longer."""
    for ill in FAULTS + LOSSES:
        pos.faults.switch(ill, probability=luck.uniform(0.005, 0.02), seconds=0)
    pos.faults.switch("delay_after_seconds", probability=1, operations=CHANGING, seconds=AT_WORK)
    pos.faults.switch("delay_seconds", probability=0.05, operations=CHANGING, seconds=LATE)


async def play(chaos: Chaos, pos: Sandbox, luck: random.Random) -> None:
    """All scenes in some order; at the end the POS recovers."""
    scenes: list[Callable[[], Awaitable[None]]] = [chaos.without_broker, chaos.two, chaos.two]
    scenes += [chaos.before_a_call, chaos.after_an_answer] * 7 + [chaos.in_a_transaction] * 5
    scenes += [chaos.while_the_pos_is_at_work, chaos.after_a_commit] * 3 + [chaos.while_it_starts] * 2
    luck.shuffle(scenes)
    sicken(pos, luck)
    for scene in scenes:
        await scene()
    pos.faults.clear()


async def settle(connectors: Nursery, commanding: asyncio.Task[None], finished: Callable[[], Awaitable[bool]]) -> None:
    """A connector carries out what is left, and stops when it is told to."""
    async with connectors.connector() as last:
        await until(commanding.done, SETTLE, lambda: f"customers have said all: {last.last_words()}")
        await until(finished, SETTLE, lambda: f"idle: {last.last_words()}", every=0.2)
        last.signal(signal.SIGTERM)
        assert 0 == await last.end(), last.last_words()
        await last.vanished()


async def idle(bootstrap: str, name: str) -> bool:
    """Whether everything that was commanded is finished."""
    return not await unfinished(bootstrap, name)
