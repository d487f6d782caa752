"""Orders' lives, played in the sandbox by its cashiers, read by the connector's pollers, and folded by a `views` that dies."""

import copy
import os
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from connector.kafka.records import Record
from connector.messages.position import Position
from connector.sandbox import Sandbox, SandboxOptions
from connector.sandbox.order_operations.staff import StaffedShop
from connector.sandbox.shop.catalogue import ORDER_TYPES
from tests.support.source.polling import reading
from tests.support.views.histories import Made
from tests.support.views.machine import Machine, journeys, sums

ORDERS = 24
"""Lives that are played in one shop."""
SHOPS = max(10, int(float(os.environ.get("SOAK_SECONDS", "0")) / 3600 * 450))
"""Shops: some hundred lives, and more than 10,000 in an hour of `make soak`."""
ACTS = 60
KINDS = tuple(kind for kind, *_ in ORDER_TYPES)
TOPICS = {"order": "orders", "packingSlip": "packing-slips", "invoice": "invoices"}


@dataclass
class Bill:
    """An invoice as the cashier made it, or a credit, whose amount is below nothing; `paid`: by the customer."""

    orders: Sequence["Life"]
    amount: int
    paid: bool = False


@dataclass
class Life:
    """What was done to an order, and what must follow from that; nothing here is read from a document."""

    identity: str
    total: int
    paid: int = 0
    delivered: float = 0
    cancelled: bool = False
    bills: list[Bill] = field(default_factory=list)

    @property
    def state(self) -> str:
        """Its own money first, then the invoices that are about it alone, and so on, as a shopkeeper would say it."""
        billed = sum(bill.amount for bill in self.bills if len(bill.orders) == 1)
        together = sum(bill.amount for bill in self.bills if len(bill.orders) > 1)
        received = sum(bill.amount for bill in self.bills if bill.paid and len(bill.orders) == 1)
        sign = -1 if self.total < 0 else 1
        if self.cancelled:
            return "cancelled"
        if self.paid * sign >= self.total * sign or (received * sign >= self.total * sign and received):
            return "paid"
        if together or billed * sign > 0:
            return "invoiced" if together or billed * sign >= self.total * sign else "invoiced, in part"
        if self.delivered:
            return "delivered" if self.delivered == 1 else "delivered, in part"
        return "deposit" if self.paid else "created"


class Till:
    """The cashiers of a shop: what they may do to an order, and the book that they keep of it."""

    def __init__(self, shop: StaffedShop, luck: random.Random) -> None:
        self.shop = shop
        self.luck = luck
        self.lives: list[Life] = []
        self.bills: dict[str, Bill] = {}
        for _ in range(ORDERS):
            self._enter(shop.create("order").identity)

    def play(self, acts: int) -> None:
        """So many acts; what the till refuses did not happen."""
        deeds: Sequence[Callable[[Life], None]] = (
            *(self.pay, self.pay, self.deliver_part, self.deliver, self.bill_part, self.bill, self.bill_several),
            *(self.settle, self.settle, self.credit, self.credit_part, self.refund, self.cancel, self.change, self.take_back),
        )
        for _ in range(acts):
            try:
                self.luck.choice(deeds)(self.luck.choice(self.lives))
            except ValueError:
                continue

    def pay(self, life: Life) -> None:
        amount = self.luck.choice([100, abs(life.total), max(1, life.total - life.paid)])
        self.shop.cashier_pays(life.identity, amount)
        life.paid += amount

    def refund(self, life: Life) -> None:
        amount = self.luck.choice([100, max(1, life.paid)])
        self.shop.cashier_refunds(life.identity, amount)
        life.paid -= amount

    def deliver(self, life: Life) -> None:
        if life.total < 0:
            return
        self.shop.cashier_delivers(life.identity)
        life.delivered = 1

    def deliver_part(self, life: Life) -> None:
        lines = self._order(life)["lineList"]["line"]
        if len(lines) > 1 and not life.delivered and life.total > 0:
            first = lines[0]["data"]
            self.shop.cashier_delivers(
                life.identity, {lines[0]["lineId"]: first["quantity"]} if not first.get("decimalPlaces") else None
            )
            life.delivered = 0.5 if not first.get("decimalPlaces") else 1

    def bill(self, life: Life) -> None:
        self._bill([life], None)

    def bill_part(self, life: Life) -> None:
        self._bill([life], self.luck.choice([100, life.total // 2 or 1]))

    def bill_several(self, life: Life) -> None:
        others = [each for each in self.luck.sample(self.lives, 2) if each is not life]
        self._bill([life, *others], None)

    def settle(self, _: Life) -> None:
        if self.bills:
            name = self.luck.choice(list(self.bills))
            self.shop.cashier_settles(name)
            self.bills[name].paid = True

    def credit(self, _: Life) -> None:
        self._credit(None)

    def credit_part(self, _: Life) -> None:
        self._credit(100)

    def cancel(self, life: Life) -> None:
        self.shop.cashier_cancels(life.identity)
        life.cancelled = True

    def change(self, life: Life) -> None:
        self.shop.cashier_changes(life.identity)

    def take_back(self, life: Life) -> None:
        if life.total > 0 and not life.cancelled:
            pays = self.luck.random() < 0.5
            self._enter(self.shop.cashier_takes_back(life.identity, pays=pays))
            self.lives[-1].paid = -life.total if pays else 0

    def _enter(self, identity: str) -> None:
        item = self.shop.sequences["order"].by_identity[identity]
        self.lives.append(Life(identity, self.shop.document(item)["totalInclAmount"]))

    def _order(self, life: Life) -> dict[str, Any]:
        return self.shop.document(self.shop.sequences["order"].by_identity[life.identity])

    def _bill(self, lives: Sequence[Life], amount: int | None) -> None:
        name = self.shop.cashier_invoices([life.identity for life in lives], amount)
        self.bills[name] = bill = Bill(lives, sum(life.total for life in lives) if amount is None else amount)
        for life in lives:
            life.bills.append(bill)

    def _credit(self, amount: int | None) -> None:
        if not self.bills:
            return
        name = self.luck.choice(list(self.bills))
        bill = self.bills[name]
        cents = bill.amount if amount is None else amount
        self.shop.cashier_credits(name, amount)
        credit = Bill(bill.orders, -cents)
        for life in bill.orders:
            life.bills.append(credit)


async def read(pos: Sandbox, position: Position) -> dict[str, list[Record]]:
    """All events of each topic that the connector's pollers make of the shop as it is now, from a position on."""
    found = {}
    for entity, topic in TOPICS.items():
        async with reading(pos, entity, limit=500, position=position, order_types=KINDS) as entity_reading:
            await entity_reading.caught_up()
        found[topic] = entity_reading.events
    return found


def mixed(luck: random.Random, topics: dict[str, list[Record]]) -> Iterator[Made]:
    """Topics keep their order, and nothing keeps theirs among each other; some of it comes again."""
    again = {topic: [*records, *records[luck.randint(0, len(records)) :]] for topic, records in topics.items()}
    left = Counter({topic: len(records) for topic, records in again.items()})
    while topic := luck.choice([*left.elements()] or [""]):
        record = again[topic][-left[topic]]
        left -= Counter([topic])
        yield Made(topic, record.key, record.value or b"", record.headers)


def shown(journey: Any) -> str:
    """Its state in words."""
    return f"{journey['state']}{', in part' if journey['partly'] else ''}"


@pytest.mark.parametrize("seed", range(SHOPS // 2))
async def test_a_restore_of_the_pos_undoes_what_it_undid(seed: int) -> None:
    """What was done since the backup counts for no order that is still there, though its documents were read."""
    luck = random.Random(seed)
    async with Sandbox(SandboxOptions(items=0, seed=seed)) as pos:
        till, machine = Till(pos.shop, luck), Machine(luck, luck.choice([0.0, 0.05]), pos.shop.now().timestamp())
        till.play(ACTS)
        backup, book = pos.shop.snapshot(), copy.deepcopy((till.lives, till.bills))
        till.play(ACTS)
        before = await read(pos, Position())
        pos.shop.restore(backup)
        till.lives, till.bills = book
        till.play(ACTS // 4)
        after = await read(pos, Position(epoch=1))
        machine.produce(mixed(luck, {topic: [*before[topic], *after[topic]] for topic in before}), int(machine.now * 1000))
        machine.run()

    assert [] == machine.refused
    there = {life.identity for life in till.lives}
    found = [row for row in journeys(machine).values() if row["orderId"] in there]
    assert {life.identity: life.state for life in till.lives} == {row["orderId"]: shown(row) for row in found}
    assert {life.identity: money(life) for life in till.lives} == {row["orderId"]: told(row) for row in found}


@pytest.mark.parametrize("seed", range(SHOPS))
async def test_every_life_is_told_as_it_was(seed: int) -> None:
    """States, amounts and documents of each order, and the figures of all of them."""
    luck = random.Random(seed)
    async with Sandbox(SandboxOptions(items=0, seed=seed)) as pos:
        till, machine = Till(pos.shop, luck), Machine(luck, luck.choice([0.0, 0.05]), pos.shop.now().timestamp())
        for _ in range(2):
            till.play(ACTS)
            machine.produce(mixed(luck, await read(pos, Position())), int(machine.now * 1000))
        machine.run()

    assert [] == machine.refused
    found = journeys(machine)
    assert {life.identity: life.state for life in till.lives} == {row["orderId"]: shown(row) for row in found.values()}
    assert {life.identity: money(life) for life in till.lives} == {row["orderId"]: told(row) for row in found.values()}
    alive, bills = (
        [life.total for life in till.lives if not life.cancelled],
        {id(b): b for life in till.lives for b in life.bills},
    )
    figures = sums(machine)
    assert (len(alive), sum(alive)) == figures["revenue.ordered"]
    assert (len(bills), sum(bill.amount for bill in bills.values())) == figures.get("revenue.invoiced", (0, 0))


def money(life: Life) -> tuple[int, int, list[int]]:
    """Total, paid, and the amount of each invoice and credit."""
    return life.total, life.paid, sorted(bill.amount for bill in life.bills)


def told(journey: Any) -> tuple[int, int, list[int]]:
    """The same, as the journey has it."""
    return journey["total"], journey["paid"], sorted(step["amount"] for step in journey["steps"] if step["step"] == "invoiced")
