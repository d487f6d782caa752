"""Scenes in which connectors and brokers die while they read."""

import asyncio
import random
import signal
from dataclasses import dataclass

from connector.local_kafka.start import Broker
from connector.sandbox import Sandbox
from tests.support.connectors import Connector, Fleet, until
from tests.support.crashing import STRUCK, Crash

SETTLE = 90.0
"""Seconds to read what is left, on a busy machine."""


@dataclass(slots=True)
class Tally:
    """What was done."""

    kills: int = 0
    inside: int = 0
    broker: int = 0


class Chaos:
    """Scenes, each of which ends with nobody alive whom it started."""

    def __init__(self, connectors: Fleet, pos: Sandbox, luck: random.Random) -> None:
        self.tally = Tally()
        self._connectors = connectors
        self._pos = pos
        self._luck = luck

    async def inside(self) -> None:
        """A connector dies in an open transaction: the broker has records of it, and no commit."""
        victim = self._connectors.start(Crash(at=self._luck.randint(1, 25), calls=("send",)))
        assert -signal.SIGKILL == await victim.end(), victim.last_words()
        assert STRUCK in victim.log
        self.tally.kills += 1
        self.tally.inside += 1

    async def working(self) -> None:
        """One dies at any instant of its work."""
        await self._kill(await self._worker(), self._luck.uniform(0, 1.5))

    async def starting(self) -> None:
        """One dies while it starts, or just after."""
        await self._kill(self._connectors.start(), self._luck.uniform(0.8, 3))

    async def two(self) -> None:
        """Two at the same time: one dies in an open transaction, the other goes on, and dies too."""
        other = await self._worker()
        await self.inside()
        await until(lambda: other.owns(8), 30, "the other has all work partitions")
        await self._kill(other, self._luck.uniform(0, 1))

    async def three(self) -> None:
        """Some come and some die, all at the same time."""
        await asyncio.gather(self.starting(), self.working(), self.working())

    async def without_broker(self, broker: Broker) -> None:
        """The broker dies and comes back: a connector survives that, and reads on."""
        survivor = await self._worker()
        await asyncio.to_thread(broker.kill)
        await asyncio.sleep(self._luck.uniform(0, 2))
        await asyncio.to_thread(broker.restart)
        self.tally.broker += 1
        await self._connectors.finish(self._pos.shop.heads(), SETTLE)
        assert survivor.alive, survivor.last_words()
        await self._kill(survivor, 0)

    async def _worker(self) -> Connector:
        worker = self._connectors.start()
        await until(worker.owns, 60, lambda: f"a connector owns work partitions: {worker.last_words()}")
        return worker

    async def _kill(self, victim: Connector, later: float) -> None:
        """At an instant that nothing decides but luck."""
        await asyncio.sleep(later)
        await victim.kill()
        self.tally.kills += 1
