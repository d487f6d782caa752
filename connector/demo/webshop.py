"""The demo's webshop: customers come by themselves, and their commands go through Kafka."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import Any

from connector.client import Result
from connector.demo.customers import LIVES, Basket, Step, steps

EVERY_S = 1.5
"""Seconds from one customer to the next, on average."""

LONGEST_S = 4.0
"""Seconds without a new customer, at most: so long closing may have to wait."""

PAUSE_S = (0.5, 3.0)
"""Seconds that a customer takes from a result to the next command."""

TWICE_SHARE = 0.15
"""The share of commands that are sent once more, as a webshop does that lost the answer."""


@dataclass(slots=True)
class Said:
    """A step that was commanded, how often it was sent, and the results so far."""

    step: Step
    sent: int = 0
    results: list[Result] = field(default_factory=list)


class Webshop:
    """Sells what is in `prices` (article → cents) to relations 1 to `relations`. `said` grows while it is open."""

    def __init__(
        self,
        send: Callable[[Mapping[str, Any]], Awaitable[Result]],
        prices: Mapping[int, int],
        relations: int,
        *,
        luck: Random,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.said: list[Said] = []
        self._send = send
        self._prices = prices
        self._relations = relations
        self._luck = luck
        self._sleep = sleep
        self._open = True

    async def run(self) -> None:
        """Let customers come until `close`; then until each has the result of what it said last. Raises the client's errors."""
        try:
            async with asyncio.TaskGroup() as customers:
                await self._come(customers)
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from group

    async def _come(self, customers: asyncio.TaskGroup) -> None:
        for number in count(1001):
            customers.create_task(self._serve(self._basket(f"web-{number}"), self._life()))
            await self._sleep(min(self._luck.expovariate(1 / EVERY_S), LONGEST_S))
            if not self._open:
                return

    def close(self) -> None:
        """Nobody comes any more, and nobody begins anything new."""
        self._open = False

    async def _serve(self, basket: Basket, life: str) -> None:
        for step in steps(life, basket):
            said = Said(step)
            self.said.append(said)
            for _ in range(2 if self._luck.random() < TWICE_SHARE else 1):
                said.sent += 1
                said.results.append(await self._send(step.command))
            await self._sleep(self._luck.uniform(*PAUSE_S))
            if not self._open:
                return

    def _life(self) -> str:
        return self._luck.choices(list(LIVES), list(LIVES.values()))[0]

    def _basket(self, order: str) -> Basket:
        articles = self._luck.sample(list(self._prices), k=self._luck.randint(1, 3))
        lines = [(article, self._luck.randint(1, 3)) for article in articles]
        total = sum(self._prices[article] * quantity for article, quantity in lines)
        return Basket(order, self._luck.randint(1, self._relations), lines, total)
