"""The demo's webshop: what its customers do, and what is found wrong when something else was done."""

import asyncio
from collections.abc import Mapping
from io import StringIO
from random import Random
from typing import Any

import pytest
from rich.console import Console

from connector.client import Result
from connector.demo.customers import LIVES, Basket, Effect, steps
from connector.demo.orders import astray, order_of, state_of, tally, wrong
from connector.demo.screen import View, line, screen
from connector.demo.webshop import Said, Webshop
from connector.errors import Fatal
from connector.source.entities import ENTITIES

BASKET = Basket("web-1", 7, [(20, 2), (30, 1)], 1000)
PRICES = {20: 345, 30: 310, 40: 95}


class Till:
    """Answers commands at once, as a connector would: it knows their outcome beforehand, and which it has seen."""

    def __init__(self) -> None:
        self.asked: list[Mapping[str, Any]] = []
        self.results: list[Mapping[str, Any]] = []

    async def send(self, command: Mapping[str, Any]) -> Result:
        """Succeeded, and a duplicate from the second time on."""
        duplicate = command in self.asked
        self.asked.append(command)
        self.results.append({"commandId": command["commandId"], "outcome": "succeeded", "duplicate": duplicate})
        return Result(command["commandId"], outcome="succeeded", duplicate=duplicate)


async def sold(till: Till, *, customers: int) -> Webshop:
    """A webshop after so many customers were served, closed."""
    luck = Random(3)

    async def sleep(_: float) -> None:
        if len({said.step.command["commandId"].rpartition("-")[0] for said in shop.said}) >= customers:
            shop.close()
        await asyncio.sleep(0)

    shop = Webshop(till.send, PRICES, 200, luck=luck, sleep=sleep)
    await shop.run()
    return shop


def said(word: str, *results: Result, sent: int = 1) -> Said:
    """The first step of a life that begins with this word."""
    return Said(next(steps(word, BASKET)), sent, list(results))


def told(name: str = "web-1-1", outcome: str = "succeeded", *, duplicate: bool = False) -> dict[str, Any]:
    """A result as the topic has it."""
    return {"commandId": name, "outcome": outcome, "duplicate": duplicate}


def done(effect: str, amount: int | None = None, order: str = "web-1") -> dict[str, Any]:
    """A row of the sandbox's effects."""
    return {"extOrderId": order, "effect": effect, "amount": amount}


def order(**fields: Any) -> dict[str, Any]:
    """An order as the POS has it."""
    blank = {"fullyPaid": False, "prepaidAmount": 0, "invoiceIds": {"id": []}, "packingSlipIds": {"id": []}}
    return blank | fields


def test_a_deposit_and_the_rest_are_the_order() -> None:
    """What is paid in advance is not paid again, and with the rest the order is delivered and invoiced."""
    effects = [effect for step in steps("create deposit rest", BASKET) for effect in step.effects]

    assert [
        Effect("created", 1000),
        Effect("paid", 333),
        Effect("paid", 667),
        Effect("delivered"),
        Effect("invoiced", 1000),
    ] == effects


def test_what_was_delivered_is_not_delivered_again_with_the_rest() -> None:
    """Paying the rest of a delivered order only invoices it."""
    *_, last = steps("create deliver rest", BASKET)

    assert (Effect("paid", 1000), Effect("invoiced", 1000)) == last.effects


@pytest.mark.parametrize("life", ["create short", "create again", "stranger"])
def test_what_the_pos_refuses_does_nothing(life: str) -> None:
    """Paid short, ordered again, or by somebody unknown: rejected, without an effect."""
    *_, last = steps(life, BASKET)

    assert ("rejected", ()) == (last.outcome, last.effects)


@pytest.mark.parametrize("life", LIVES)
def test_every_command_has_an_id_of_its_own(life: str) -> None:
    """Else the connector would take it for the same command, sent again."""
    ids = [step.command["commandId"] for step in steps(life, BASKET)]

    assert len(ids) == len(set(ids))


async def test_customers_come_until_it_closes_and_get_their_results() -> None:
    """Each command has its result when `run` ends; some were sent twice, and were answered as repeated."""
    till = Till()
    shop = await sold(till, customers=40)
    rows = tally(shop.said).values()

    assert 40 <= len({each.step.command["commandId"].rpartition("-")[0] for each in shop.said})
    assert len(till.asked) == sum(row["sent"] for row in rows)
    assert 0 == sum(row["flight"] for row in rows)
    assert 0 < sum(row["repeated"] for row in rows) == len(till.asked) - len(shop.said)


async def test_a_lost_kafka_ends_the_webshop_with_the_clients_own_error() -> None:
    """One line for the user, not a group of exceptions."""

    async def send(command: Mapping[str, Any]) -> Result:
        raise Fatal("Kafka cannot be reached")

    with pytest.raises(Fatal, match=r"^Kafka cannot be reached$"):
        await Webshop(send, PRICES, 200, luck=Random(1)).run()


def test_what_went_well_is_not_wrong() -> None:
    """One result, the effects of the command, each once."""
    assert [] == wrong([said("create")], [told()], [done("created", 1000)])


def test_a_repeated_command_has_two_results_and_one_effect() -> None:
    """The second result says that it is a repetition."""
    assert [] == wrong([said("create", sent=2)], [told(), told(duplicate=True)], [done("created", 1000)])


@pytest.mark.parametrize(
    ("results", "effects", "problem"),
    [
        ([], [done("created", 1000)], "command web-1-1 (create), sent 1 times, must be succeeded; results: none"),
        ([told(outcome="unknown")], [done("created", 1000)], "must be succeeded; results: unknown"),
        ([told(), told()], [done("created", 1000)], "results: succeeded, succeeded"),
        ([told()], [], "order web-1: created 10.00 was commanded, nothing was done"),
        ([told()], [done("created", 1000)] * 2, "created 10.00 was commanded, created 10.00, created 10.00 was done"),
        ([told()], [done("created", 999)], "created 10.00 was commanded, created 9.99 was done"),
        ([told()], [done("created", 1000), done("paid", 5, "web-9")], "order web-9: nothing was commanded, paid 0.05 was done"),
        ([told(), told("other")], [done("created", 1000)], "a result of other, which nobody sent"),
    ],
)
def test_what_went_wrong_is_named(results: list[dict[str, Any]], effects: list[dict[str, Any]], problem: str) -> None:
    """A result that is missing, wrong or there twice, and an effect that is missing, wrong, there twice or nobody's."""
    (line,) = wrong([said("create")], results, effects)

    assert line.endswith(problem)


@pytest.mark.parametrize(
    ("state", "fields"),
    [
        ("created", {}),
        ("deposit", {"prepaidAmount": 5}),
        ("delivered", {"prepaidAmount": 5, "packingSlipIds": {"id": ["1"]}}),
        ("invoiced", {"prepaidAmount": 5, "packingSlipIds": {"id": ["1"]}, "invoiceIds": {"id": ["2"]}}),
        ("paid", {"prepaidAmount": 5, "fullyPaid": True, "invoiceIds": {"id": ["2"]}}),
    ],
)
def test_the_state_of_an_order(state: str, fields: dict[str, Any]) -> None:
    """As far as the POS says it came; a cancelled one is cancelled whatever it was, and one that is not there was rejected."""
    assert state == state_of(order(**fields))
    assert "cancelled" == state_of(order(**fields), cancelled=True)
    assert "rejected" == state_of(None)


def test_a_journey_that_is_elsewhere_is_named() -> None:
    """Or that there is none."""
    journeys = {"web-1": {"state": "paid"}, "web-2": {"state": "created"}}

    assert [
        "order web-2: its journey says created, the POS paid",
        "order web-3: its journey says nothing, the POS created",
    ] == astray(journeys, {"web-1": "paid", "web-2": "paid", "web-3": "created"})


async def test_a_line_tells_all_where_there_is_no_terminal() -> None:
    """Entities, changes, commands and journeys; a journey is complete when it is paid, cancelled or rejected."""
    entities = {"order": {"backlog": 0, "items": 5}, "invoice": {"backlog": 2, "items": 3}}
    told_so_far = [said("create", Result("web-1-1", outcome="succeeded")), said("deposit")]

    assert (
        "1 of 2 entities at their head, 8 changes in Kafka; 2 commands: 1 succeeded, 0 rejected, 0 repeated, 1 in flight; "
        "0 of 1 journeys complete"
    ) == line(View(entities, told_so_far, {"web-1": "deposit"}))
    assert line(View(entities, told_so_far, {"web-1": "paid"})).endswith("1 of 1 journeys complete")


@pytest.mark.parametrize("width", [80, 120, 200])
async def test_the_screen_fits_the_terminal(width: int) -> None:
    """Every figure is there in full, on 24 lines."""
    shop = await sold(Till(), customers=40)
    entities = {entity.name: {"backlog": 10, "items": 1234, "age": 1.5} for entity in ENTITIES}
    view = View(entities, shop.said, dict.fromkeys((order_of(each) for each in shop.said), "paid"))
    console = Console(width=width, file=StringIO(), record=True)
    console.print(screen(view, width, 24))
    shown = console.export_text()
    figures = [row[name] for row in tally(shop.said).values() for name in ("sent", "succeeded", "rejected", "flight")]

    assert len(shown.splitlines()) < 24
    assert {str(figure) for figure in figures} <= set(shown.split())
    assert {"purchaseDelivery", "deliverOrder", "paid"} <= set(shown.split())
