"""Customers: each commands one order to its end, and now and then sends a command twice."""

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial

from aiokafka import AIOKafkaProducer

from connector.kafka.records import partition_of
from connector.sandbox import Sandbox
from connector.sandbox.order_operations.outcomes import order_by_ext_id
from tests.e2e.orders import PLANS, Names, Plan, Step
from tests.support.connectors import until

PATIENCE = 900.0
"""Seconds until an order exists that was commanded while everything dies: longer than dying lasts, on a busy machine too."""


class Customers:
    """What they commanded, by extOrderId, and how often each commandId was produced once more."""

    def __init__(self, pos: Sandbox, producer: AIOKafkaProducer, topic: str, partitions: int, luck: random.Random) -> None:
        self.orders: dict[str, list[Step]] = {}
        self.copies: Counter[str] = Counter()
        self._pos = pos
        self._producer = producer
        self._topic = topic
        self._partitions = partitions
        self._luck = luck

    async def come(self, per_second: float, over: asyncio.Event, at_least: int) -> None:
        """One after the other, until it is over and there were enough; then wait until all have said what they want."""
        async with asyncio.TaskGroup() as group:
            for number, plan in enumerate(itertools.cycle(PLANS)):
                group.create_task(self.serve(f"web-{number}", plan))
                if over.is_set() and len(self.orders) >= at_least:
                    return
                await asyncio.sleep(self._luck.expovariate(per_second))

    async def serve(self, order: str, plan: Plan) -> None:
        """Command all that the plan says, as early as that can be known; some of it twice."""
        names, lines = Names(order), list[str]()
        steps, said = self.orders.setdefault(order, [plan.first(names)]), 0
        if plan.needs_lines:
            await self.say(order, steps)
            await until(partial(self._exists, order), PATIENCE, f"the order {order}")
            lines, said = self.lines(order), 1
        steps += plan.then(names, lines)
        await self.say(order, steps[said:])
        if self._luck.random() < 0.5:
            await asyncio.sleep(self._luck.uniform(0, 3))
            copy = self._luck.choice(steps)
            self.copies[copy.id] += 1
            await self.say(order, [copy])

    async def command(self, order: str, steps: list[Step], said: int = 0) -> None:
        """All that is ever commanded of an order; the first of it may have been said already."""
        self.orders[order] = steps
        await self.say(order, steps[said:])

    async def say(self, order: str, steps: Sequence[Step]) -> None:
        """Produce commands, in this order."""
        place = partition_of(order.encode(), self._partitions)
        sent = [await self._producer.send(self._topic, step.value, order.encode(), place) for step in steps]
        await asyncio.gather(*sent)

    def lines(self, order: str) -> list[str]:
        """The order's lineIds."""
        item = order_by_ext_id(self._pos.shop, order)
        assert item is not None
        return [line["lineId"] for line in self._pos.shop.document(item)["lineList"]["line"]]

    def _exists(self, order: str) -> bool:
        return order in self._pos.shop.memory.order_ids


@asynccontextmanager
async def customers(pos: Sandbox, bootstrap: str, name: str, partitions: int, luck: random.Random) -> AsyncIterator[Customers]:
    """Customers of an administration whose topics exist. What they send comes once, also while the broker dies."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True, request_timeout_ms=60_000)
    await producer.start()
    try:
        yield Customers(pos, producer, f"{name}.order-commands", partitions, luck)
    finally:
        await producer.stop()
