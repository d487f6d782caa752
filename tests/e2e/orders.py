"""Lives of orders: what is commanded of each, in order, and what must have been done to it, once, when all is over."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

from connector.sandbox.shop.wares import ware
from tests.support.sink.commanding import cancel, create, deliver, pay, update

ARTICLES = (10, 20)
EACH = 2
"""Pieces of each article in an order."""
TOTAL = sum(EACH * ware(article).price for article in ARTICLES)
DEPOSIT = 100
REST = TOTAL - DEPOSIT


class Effect(NamedTuple):
    """Something done to an order: `number` is cents paid or pieces delivered, `reference` that of a payment."""

    kind: str
    number: int = 0
    reference: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """A command, and what it does to the order when all steps before are done."""

    command: Mapping[str, Any]
    effects: tuple[Effect, ...]

    @property
    def id(self) -> str:
        """Its commandId."""
        return str(self.command["commandId"])

    @property
    def value(self) -> bytes:
        """The record's value."""
        return orjson.dumps(self.command)


class Names:
    """Names the commands of an order, one after the other."""

    def __init__(self, order: str) -> None:
        self.order = order
        self._count = 0

    def next(self) -> str:
        """A commandId."""
        self._count += 1
        return f"{self.order}-{self._count}"


Life = Callable[[Names, Sequence[str]], list[Step]]
"""The order's steps after it was created; of a line each of the lineIds is given."""


def created(names: Names) -> Step:
    """It is there."""
    return Step(create(names.next(), names.order, *ARTICLES), (Effect("created", TOTAL),))


def created_with_deposit(names: Names) -> Step:
    """It is there, and a part of it paid."""
    name = names.next()
    command = create(name, names.order, *ARTICLES, prepay=True, paymentList=[{"method": "IDEAL", "amount": DEPOSIT}])
    return Step(command, (Effect("created", TOTAL), Effect("paid", DEPOSIT, name)))


def deposit(names: Names) -> Step:
    """A part is paid."""
    name = names.next()
    return Step(pay(name, names.order, DEPOSIT), (Effect("paid", DEPOSIT, name),))


def settled(names: Names, amount: int, still_open: int) -> Step:
    """So many cents are paid, so many pieces delivered, and it is invoiced."""
    name = names.next()
    delivered = (Effect("delivered", still_open),) if still_open else ()
    return Step(
        pay(name, names.order, amount, prepay=False), (Effect("paid", amount, name), *delivered, Effect("invoiced", TOTAL))
    )


def part(names: Names, line: str) -> Step:
    """One piece of a line is delivered."""
    return Step(deliver(names.next(), names.order, {"lineId": line, "quantity": 1}), (Effect("delivered", 1),))


def whole(names: Names, still_open: int) -> Step:
    """All that is left is delivered."""
    return Step(deliver(names.next(), names.order), (Effect("delivered", still_open),))


def changed(names: Names) -> Step:
    """It says something else."""
    name = names.next()
    return Step(update(name, names.order, reference=f"changed by {name}"), (Effect("updated"),))


def cancelled(names: Names) -> Step:
    """It is off."""
    return Step(cancel(names.next(), names.order), (Effect("cancelled"),))


def paid_in_two(names: Names, lines: Sequence[str]) -> list[Step]:
    """A deposit, then the rest."""
    return [deposit(names), settled(names, REST, 4)]


def changed_and_paid(names: Names, lines: Sequence[str]) -> list[Step]:
    """Changed and paid at once."""
    return [changed(names), settled(names, TOTAL, 4)]


def delivered_in_parts(names: Names, lines: Sequence[str]) -> list[Step]:
    """Twice the same part, the rest, and then paid in two."""
    return [part(names, lines[0]), part(names, lines[0]), whole(names, 2), deposit(names), settled(names, REST, 0)]


def delivered_partly(names: Names, lines: Sequence[str]) -> list[Step]:
    """Of each line one piece stays: were a delivery made twice, it would find something to deliver."""
    return [part(names, lines[0]), part(names, lines[1]), deposit(names)]


def delivered_then_changed(names: Names, lines: Sequence[str]) -> list[Step]:
    """All five kinds of commands that come after creating, but cancelling."""
    return [changed(names), deposit(names), part(names, lines[1]), whole(names, 3), changed(names), settled(names, REST, 0)]


def called_off(names: Names, lines: Sequence[str]) -> list[Step]:
    """Changed, then cancelled."""
    return [changed(names), cancelled(names)]


@dataclass(frozen=True, slots=True)
class Plan:
    """How an order is created and what comes then; `needs_lines`: its lineIds must be known for that."""

    first: Callable[[Names], Step]
    then: Life
    needs_lines: bool = False


PLANS = (
    Plan(created, paid_in_two),
    Plan(created, delivered_in_parts, needs_lines=True),
    Plan(created_with_deposit, lambda names, _: [changed(names), settled(names, REST, 4)]),
    Plan(created, called_off),
    Plan(created_with_deposit, lambda names, _: [whole(names, 4), settled(names, REST, 0)]),
    Plan(created, delivered_then_changed, needs_lines=True),
    Plan(created, changed_and_paid),
    Plan(created, delivered_partly, needs_lines=True),
)
