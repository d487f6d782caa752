"""What the customers of the demo's webshop do: they order, pay, change their mind, or pay too little. Pure."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

LIVES: Mapping[str, int] = {
    "create deposit rest": 5,
    "create deposit deliver rest": 4,
    "create rest": 3,
    "create update rest": 3,
    "create deliver rest": 2,
    "create short rest": 2,
    "create deposit": 1,
    "create cancel": 2,
    "create deposit again rest": 1,
    "stranger": 1,
}
"""What customers do, in order, and how often compared with the others."""

NOBODY = 999_999_999
"""The number of no relation."""


class Effect(NamedTuple):
    """Something done to an order at the POS; the amount in cents, None where it has none."""

    kind: str
    amount: int | None = None


@dataclass(frozen=True, slots=True)
class Basket:
    """An order to be: who orders, pairs of article and quantity, and what it costs in cents."""

    order: str
    relation: int
    lines: Sequence[tuple[int, int]]
    total: int

    @property
    def deposit(self) -> int:
        """A third, paid in advance."""
        return self.total // 3


@dataclass(frozen=True, slots=True)
class Step:
    """A command, how it has to end, and what it then has done to the order."""

    word: str
    command: Mapping[str, Any]
    effects: tuple[Effect, ...] = ()

    @property
    def outcome(self) -> str:
        """The result's, when all goes well: what changes nothing is refused."""
        return "succeeded" if self.effects else "rejected"


Deed = tuple[Mapping[str, Any], tuple[Effect, ...]]


def steps(life: str, basket: Basket) -> Iterator[Step]:
    """The commands of a customer's life, in order."""
    before: list[str] = []
    for word in life.split():
        command, effects = DEEDS[word](basket, before)
        yield Step(word, {"commandId": f"{basket.order}-{len(before) + 1}", **command}, effects)
        before.append(word)


def _creates(basket: Basket, _: Sequence[str]) -> Deed:
    return _created(basket, basket.relation), (Effect("created", basket.total),)


def _creates_again(basket: Basket, _: Sequence[str]) -> Deed:
    """The same order, under another commandId."""
    return _created(basket, basket.relation), ()


def _is_a_stranger(basket: Basket, _: Sequence[str]) -> Deed:
    return _created(basket, NOBODY), ()


def _updates(basket: Basket, _: Sequence[str]) -> Deed:
    order = {"extOrderId": basket.order, "reference": "please ring twice"}
    return {"command": "updateOrder", "order": order}, (Effect("updated", basket.total),)


def _cancels(basket: Basket, _: Sequence[str]) -> Deed:
    return {"command": "cancelOrder", "extOrderId": basket.order}, (Effect("cancelled"),)


def _receives(basket: Basket, _: Sequence[str]) -> Deed:
    return {"command": "deliverOrder", "extOrderId": basket.order}, (Effect("delivered"),)


def _pays_deposit(basket: Basket, _: Sequence[str]) -> Deed:
    return _paid(basket, basket.deposit, prepay=True), (Effect("paid", basket.deposit),)


def _pays_short(basket: Basket, before: Sequence[str]) -> Deed:
    return _paid(basket, _rest(basket, before) - 1, prepay=False), ()


def _pays_rest(basket: Basket, before: Sequence[str]) -> Deed:
    """The POS then also delivers what is open, and invoices."""
    rest, delivered = _rest(basket, before), () if "deliver" in before else (Effect("delivered"),)
    return _paid(basket, rest, prepay=False), (Effect("paid", rest), *delivered, Effect("invoiced", basket.total))


DEEDS: Mapping[str, Callable[[Basket, Sequence[str]], Deed]] = {
    "create": _creates,
    "again": _creates_again,
    "stranger": _is_a_stranger,
    "update": _updates,
    "cancel": _cancels,
    "deliver": _receives,
    "deposit": _pays_deposit,
    "short": _pays_short,
    "rest": _pays_rest,
}
"""The words of a life: from a basket and the words before to a command, and to what it does."""


def _rest(basket: Basket, before: Sequence[str]) -> int:
    return basket.total - (basket.deposit if "deposit" in before else 0)


def _created(basket: Basket, relation: int) -> Mapping[str, Any]:
    lines = [{"articleNumber": article, "data": {"quantity": quantity}} for article, quantity in basket.lines]
    return {"command": "createOrder", "order": {"extOrderId": basket.order, "relationNumber": relation, "lineList": lines}}


def _paid(basket: Basket, amount: int, *, prepay: bool) -> Mapping[str, Any]:
    payments = [{"method": "IDEAL", "amount": amount}]
    return {"command": "payOrder", "extOrderId": basket.order, "prepay": prepay, "paymentList": payments}
