"""Life in the shop: scenarios that change several items each, at so many changes per second."""

import asyncio
from collections.abc import Awaitable, Callable
from random import Random

from connector.sandbox.shop.facts import by_share
from connector.sandbox.shop.item import Item
from connector.sandbox.shop.shop import Shop

# what happens, and how often compared with the others. "+" makes an item, "~" changes one, "-" deletes one.
SCENARIOS: tuple[tuple[str, int], ...] = (
    ("+receipt +stock +stock +stock ~relationPoints", 22),
    ("+order", 14),
    ("~order +packingSlip +stock +stock", 8),
    ("~order +invoice ~packingSlip", 6),
    ("~order", 8),
    ("-order", 1),
    ("~invoice", 5),
    ("~receipt", 3),
    ("-receipt", 1),
    ("+proposal", 4),
    ("~proposal +order", 3),
    ("+purchaseOrder", 3),
    ("+purchaseDelivery ~purchaseOrder +stock +stock", 3),
    ("~purchaseDelivery", 1),
    ("~article", 5),
    ("+article ~articleGroup", 2),
    ("-article", 1),
    ("+articleGroup", 1),
    ("-articleGroup", 1),
    ("+relation +relationPoints", 2),
    ("~relation", 2),
    ("-relation", 1),
    ("~employee", 1),
    ("+employee", 1),
    ("+activity", 1),
    ("~activity", 2),
    ("-activity", 1),
)
TICK_S = 0.05  # seconds
Sleep = Callable[[float], Awaitable[None]]


class Activity:
    """`rate` is in changes per second, and may be set at any time; 0 is none."""

    def __init__(self, shop: Shop, rate: float, sleep: Sleep = asyncio.sleep) -> None:
        self.rate = rate
        self._shop = shop
        self._sleep = sleep
        self._luck = Random(shop.seed)

    async def run(self) -> None:
        """Change the shop until cancelled."""
        owed = 0.0
        while True:
            await self._sleep(TICK_S)
            owed = owed + self.rate * TICK_S if self.rate else 0.0
            while owed >= 1:
                owed -= self.step()

    def step(self) -> int:
        """One scenario; how many changes it made."""
        steps = by_share(SCENARIOS, self._luck.getrandbits(32))[0].split()
        cause: Item | None = None
        for place, step in enumerate(steps):
            item = self._act(step[0], step[1:], cause, place)
            cause = cause or item
        return len(steps)

    def _act(self, sign: str, entity: str, cause: Item | None, place: int) -> Item:
        """Where nothing is left to change or delete, something is made."""
        if entity == "stock" and cause:
            return self._shop.create(entity, (cause.entity, cause.number, place))
        item = None if sign == "+" else self._shop.pick(entity)
        if item is None:
            return self._shop.create(entity)
        change = self._shop.delete if sign == "-" else self._shop.change_item
        change(entity, item.identity)
        return item
