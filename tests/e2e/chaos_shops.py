"""The shops of the chaos test: a sandbox that misbehaves, a middle box before it, and the customers who command its orders."""

import asyncio
import itertools
import random
import re
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime

import orjson
from aiokafka import AIOKafkaProducer

from connector.kafka.records import partition_of
from connector.sandbox import Sandbox, SandboxOptions
from connector.sandbox.order_operations.outcomes import order_by_ext_id
from tests.e2e.chaos_box import ChaosBox, Odds
from tests.e2e.chaos_orders import PLANS, Author, Plan, Wish
from tests.e2e.chaos_truth import Story
from tests.support.kafka.reading import read_topics

NEWER = ("createOrderV3", "payOrderV2", "updateOrderV2")
"""What an old administration lacks."""
TAKEN = re.compile(r"^(\S+) .* partition taken .*partition=(\d+) .*topic=(\S+)", re.MULTILINE)
Takings = Mapping[tuple[str, int], Sequence[float]]
"""By topic and partition, when it was taken by a worker."""
LAPSES = {"forget_key": 0.3, "cut_reference": 0.06, "drop_reference": 0.06, "leave_out": 0.15, "add_slip_line": 0.2}


@dataclass
class Shop:
    """An administration, one of the deployment `group`. `commanded`: by extOrderId;
    `over`: orders that are not there by now never will be.
    """

    name: str
    group: str
    pos: Sandbox
    box: ChaosBox
    luck: random.Random
    commanded: dict[str, list[Wish]] = field(default_factory=dict)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    all_came: bool = False

    async def open(
        self, producer: AIOKafkaProducer, plans: Sequence[Plan], orders: int, per_second: float, partitions: int
    ) -> None:
        """Customers come, until all have said what they want."""
        async with asyncio.TaskGroup() as group:
            for number, plan in zip(range(orders), itertools.cycle(plans)):
                group.create_task(self._serve(Desk(producer, f"{self.name}.order-commands", partitions), number, plan))
                await asyncio.sleep(self.luck.expovariate(per_second))
            self.all_came = True

    async def _serve(self, desk: "Desk", number: int, plan: Plan) -> None:
        order = f"web-{number}"
        author, lines = Author(order, number), list[str]()
        wishes = self.commanded.setdefault(order, [plan.first(author)])
        if plan.needs_lines:
            await desk.say(order, wishes)
            if not (lines := await self._lines(order)):
                return
        wishes += plan.then(author, lines)
        await desk.say(order, wishes[1:] if plan.needs_lines else wishes)

    async def _lines(self, order: str) -> list[str]:
        """The lineIds, as soon as there is the order."""
        while (item := order_by_ext_id(self.pos.shop, order)) is None:
            if self.over.is_set():
                return []
            await asyncio.sleep(0.1)
        return [line["lineId"] for line in self.pos.shop.document(item)["lineList"]["line"]]

    async def stories(self, bootstrap: str, takings: Takings, partitions: int) -> dict[str, Story]:
        """All that is to be judged; what is no order's stands under ""."""
        found: dict[str, Story] = defaultdict(lambda: Story([]))
        for order, wishes in self.commanded.items():
            item = order_by_ext_id(self.pos.shop, order)
            taken = takings[f"{self.name}.order-commands", partition_of(order.encode(), partitions)]
            found[order] = Story(wishes, end=self.pos.shop.document(item) if item else None, takings=taken)
        topic = f"{self.name}.order-command-results"
        for record in (await read_topics(bootstrap, [topic]))[topic]:
            row = orjson.loads(record.value)
            found[record.key.decode()].told.append(row)
        for effect in self.pos.effects:
            found[effect["extOrderId"]].effects.append(effect)
        for passage in self.box.passages:
            found[passage.order].passages.append(passage)
        return found


def takings(logs: Iterable[str]) -> Takings:
    """What the workers said."""
    found: dict[tuple[str, int], list[float]] = defaultdict(list)
    for log in logs:
        for at, partition, topic in TAKEN.findall(log):
            found[topic, int(partition)].append(datetime.fromisoformat(at).timestamp())
    return found


@dataclass(frozen=True, slots=True)
class Desk:
    """Where commands are handed in."""

    producer: AIOKafkaProducer
    topic: str
    partitions: int

    async def say(self, order: str, wishes: Sequence[Wish]) -> None:
        """Produce commands, in this order."""
        key = order.encode()
        place = partition_of(key, self.partitions)
        sent = [await self.producer.send(self.topic, orjson.dumps(wish.command), key, place) for wish in wishes]
        await asyncio.gather(*sent)


@asynccontextmanager
async def shop(name: str, group: str, odds: Odds, seed: int, *, old: bool = False) -> AsyncIterator[Shop]:
    """One that misbehaves from the start; `old`: its POS knows only the first versions of the operations."""
    async with Sandbox(SandboxOptions(seed=seed, items=3)) as pos, ChaosBox(pos, odds, seed=seed) as box:
        for kind, probability in LAPSES.items():
            pos.faults.switch(kind, probability=probability)
        pos.faults.missing_operations = frozenset(NEWER if old else ())
        yield Shop(name, group, pos, box, random.Random(seed))


OF_AN_OLD_SHOP = tuple(plan for place, plan in enumerate(PLANS) if place not in (4, 8))
"""It takes no payments with a new order: one of these plans shows that, the others would be told the same."""
