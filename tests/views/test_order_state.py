"""What an order is: cases, each a line of the specification. Who says what is the comment; the state is what must follow."""

import random
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest

from connector.views.fold import folded
from connector.views.projection import journey
from connector.views.records import milliseconds
from tests.support.views.histories import (
    DEPOSIT,
    TOTAL,
    Made,
    at,
    command,
    invoice,
    order,
    read_at,
    restored,
    result,
    slip,
)
from tests.views.telling import arrived, journey_of, told

HALF = 300


def payments(*amounts: int) -> list[dict[str, Any]]:
    """A payment list."""
    return [{"paymentId": f"p{n}", "entryTimestamp": at(1, n), "amount": amount} for n, amount in enumerate(amounts)]


class Case(NamedTuple):
    """`told`: what is known, in whatever order it came. `state`: "invoiced, in part" where only a part of the order is."""

    told: list[Made]
    state: str
    steps: Mapping[str, int] = MappingProxyType({})
    """Amount of each step that must be there, by its name; 0: a step without an amount."""


RETURN: dict[str, Any] = {"totalInclAmount": -TOTAL, "paymentList": payments(-TOTAL), "prepaidAmount": 0, "fullyPaid": True}
GIVEN_BACK: dict[str, Any] = {"paymentList": payments(DEPOSIT, -DEPOSIT), "prepaidAmount": 0}
NAMED: dict[str, Any] = {"packingSlipIds": ["slip-1"], "invoiceIds": ["invoice-1"]}
UNDONE: dict[str, Any] = {"packingSlipIds": [], "invoiceIds": []}

CASES = {
    # the order's own record decides
    "new": Case([order(1, 10)], "created"),
    "paid in part": Case([order(1, 10, DEPOSIT)], "deposit", {"deposit": DEPOSIT}),
    "paid": Case([order(1, 10, TOTAL)], "paid", {"paid": TOTAL}),
    "paid by its own word, though its invoice is open": Case([order(1, 10, TOTAL), invoice(1, 1, state="OUTSTANDING")], "paid"),
    "delivered by its own word, its packing slips are not read": Case(
        [order(1, 10, delivery="COMPLETE")], "delivered", {"delivered": 0}
    ),
    "cancelled in part": Case([order(1, 10, cancel="PARTIAL")], "created", {"cancelled": 0}),
    "cancelled": Case([order(1, 10, TOTAL, cancel="COMPLETE")], "cancelled"),
    "about nothing": Case([order(1, 10, totalInclAmount=0, fullyPaid=True)], "created"),
    "about nothing, and invoiced": Case([order(1, 10, totalInclAmount=0, fullyPaid=True), invoice(1, 1, total=0)], "paid"),
    # refunds and returns
    "a deposit given back": Case([order(1, 10, **GIVEN_BACK)], "created", {"deposit": DEPOSIT, "refunded": -DEPOSIT}),
    "a return, paid back": Case([order(1, 10, **RETURN)], "paid", {"paid": -TOTAL}),
    "a return, paid back in part": Case(
        [order(1, 10, **{**RETURN, "paymentList": payments(-DEPOSIT), "fullyPaid": False})], "deposit", {"deposit": -DEPOSIT}
    ),
    "a return, invoiced": Case(
        [order(1, 10, totalInclAmount=-TOTAL), invoice(1, 1, total=-TOTAL, state="OUTSTANDING-CREDIT")], "invoiced"
    ),
    # an invoice speaks for what it covers
    "invoiced": Case([order(1, 10), invoice(1, 1, state="OUTSTANDING")], "invoiced", {"invoiced": TOTAL}),
    "its invoice is paid": Case([order(1, 10), invoice(1, 1)], "paid", {"paid": TOTAL}),
    "its invoice is paid, and more was charged than ordered": Case([order(1, 10), invoice(1, 1, total=TOTAL + 5)], "paid"),
    "a part of it is invoiced": Case([order(1, 10), invoice(1, 1, total=HALF, state="OUTSTANDING")], "invoiced, in part"),
    "a part of it is invoiced and paid": Case([order(1, 10), slip(1, 1), invoice(1, 1, total=HALF)], "invoiced, in part"),
    "both parts are invoiced and paid": Case(
        [order(1, 10), invoice(1, 1, 1, total=HALF), invoice(2, 2, 1, total=TOTAL - HALF)], "paid", {"paid": TOTAL - HALF + HALF}
    ),
    "an invoice twice, both credited in part, nobody paid": Case(
        [order(1, 10)]
        + [invoice(n, n, 1, state="HANDLED", paidAmount=0) for n in (1, 2)]
        + [invoice(n, n, 1, total=-HALF, state="HANDLED", paidAmount=0) for n in (3, 4)],
        "invoiced",
    ),
    "both parts are invoiced, one is paid": Case(
        [order(1, 10), invoice(1, 1, 1, total=HALF), invoice(2, 2, 1, total=TOTAL - HALF, state="OUTSTANDING")], "invoiced"
    ),
    "three orders on one invoice": Case(
        [order(1, 10), invoice(9, 1, 1, 2, 3, total=3 * TOTAL, state="OUTSTANDING")], "invoiced", {"invoiced": 3 * TOTAL}
    ),
    "three orders on one invoice that is paid, which the order does not say": Case(
        [order(1, 10), invoice(9, 1, 1, 2, 3, total=3 * TOTAL)], "invoiced"
    ),
    "three orders on one invoice that is paid": Case([order(1, 10, TOTAL), invoice(9, 1, 1, 2, 3, total=3 * TOTAL)], "paid"),
    "an unpaid invoice, credited": Case(
        [
            order(1, 10, delivery="COMPLETE"),
            invoice(1, 1, 1, state="OUTSTANDING"),
            invoice(2, 2, 1, total=-TOTAL, state="HANDLED"),
        ],
        "delivered",
    ),
    "an unpaid invoice, credited, both handled": Case(
        [order(1, 10), invoice(1, 1, 1, state="HANDLED"), invoice(2, 2, 1, total=-TOTAL, state="HANDLED")], "created"
    ),
    "credited, and invoiced anew": Case(
        [
            order(1, 10),
            invoice(1, 1, 1, state="OUTSTANDING"),
            invoice(2, 2, 1, total=-TOTAL, state="HANDLED"),
            invoice(3, 3, 1, state="OUTSTANDING"),
        ],
        "invoiced",
    ),
    "credited in part": Case(
        [order(1, 10), invoice(1, 1, 1, state="OUTSTANDING"), invoice(2, 2, 1, total=-HALF, state="HANDLED")], "invoiced, in part"
    ),
    "a credited invoice of which nobody says what was paid": Case(
        [order(1, 10), invoice(1, 1, 1, state="HANDLED", paidAmount=None)], "invoiced"
    ),
    "an invoice that the POS calls paid, a cent was rounded": Case([order(1, 10), invoice(1, 1, paidAmount=TOTAL - 1)], "paid"),
    "an order and its return on one invoice": Case([order(1, 10), invoice(9, 1, 1, 2, total=0, state="OUTSTANDING")], "invoiced"),
    "a collective invoice, credited": Case(
        [order(1, 10), invoice(8, 1, 1, 2, total=40), invoice(9, 2, 1, 2, total=-40, state="HANDLED")], "created"
    ),
    "an invoice that names another order now": Case(
        [order(1, 10, **UNDONE), invoice(1, 1), read_at(order(1, 11, **UNDONE), at(1, 600))], "created"
    ),
    "no total, an invoice that is paid": Case([order(1, 10, totalInclAmount=None), invoice(1, 1)], "paid"),
    # packing slips
    "a part is delivered": Case([order(1, 10, delivery="PARTIAL"), slip(1, 1)], "delivered, in part", {"delivered": 0}),
    "all is delivered, in two parts": Case([order(1, 10, delivery="COMPLETE"), slip(1, 1, "a"), slip(1, 2, "b")], "delivered"),
    "a packing slip that the order was not read after": Case([order(1, 10), slip(1, 1)], "delivered, in part"),
    "a packing slip that was cancelled": Case([order(1, 10), slip(1, 1, state="CANCELLED")], "created"),
    # the POS was restored: its documents of then count where the order names them
    "the restore has undone payment, delivery and invoice": Case(
        [order(1, 10, TOTAL, "COMPLETE"), slip(1, 1), invoice(1, 1), restored(order(1, 5, **UNDONE))], "created"
    ),
    "the restore has undone nothing": Case(
        [order(1, 10, TOTAL, "COMPLETE"), slip(1, 1), invoice(1, 1), restored(order(1, 5, TOTAL, "COMPLETE", **NAMED))],
        "paid",
        {"delivered": 0, "invoiced": TOTAL},
    ),
    "the restore has undone the payment alone": Case(
        [order(1, 10), invoice(1, 3), restored(invoice(1, 2, state="OUTSTANDING")), restored(order(1, 5, **NAMED))], "invoiced"
    ),
    "the restore has undone all, and the order tells no documents": Case(
        [order(1, 10, TOTAL, "COMPLETE"), slip(1, 1), invoice(1, 1), restored(order(1, 5))], "created"
    ),
    "results from before a restore say nothing of after": Case(
        [command(1, "payOrder"), result(1, "payOrder", syncMarker=1000), read_at(restored(order(1, 5, **UNDONE)), at(1, 60))],
        "created",
    ),
    # commanded, done, and not yet read
    "commanded": Case([command(1)], "commanded"),
    "created, its record is not read": Case([command(1), result(1)], "created", {"created": 0}),
    "created and cancelled, its record is not read": Case(
        [command(1), result(1), command(1, "cancelOrder"), result(1, "cancelOrder")], "cancelled", {"cancelled": 0}
    ),
    "a deposit, its record is not read": Case(
        [command(1), result(1), command(1, "payOrder", prepay=True), result(1, "payOrder")], "deposit"
    ),
    "paid, its record is not read": Case([command(1), result(1), command(1, "payOrder"), result(1, "payOrder")], "paid"),
    "delivered, its record is not read": Case(
        [command(1), result(1), command(1, "deliverOrder"), result(1, "deliverOrder")], "delivered"
    ),
    "a part delivered, its record is not read": Case(
        [command(1), result(1), command(1, "deliverOrder", lineList=[{"lineId": "a"}]), result(1, "deliverOrder")],
        "delivered, in part",
    ),
    "cancelled after its record was read": Case(
        [order(1, 10), command(1, "cancelOrder"), result(1, "cancelOrder", syncMarker=11, at=at(1, 5))], "cancelled"
    ),
    "read after it was cancelled, and living again": Case(
        [command(1, "cancelOrder"), result(1, "cancelOrder", syncMarker=11), read_at(order(1, 12), at(1, 5))], "created"
    ),
    "the cancellation was refused": Case(
        [command(1), result(1), command(1, "cancelOrder"), result(1, "cancelOrder", "rejected")], "created"
    ),
    "rejected": Case([command(1), result(1, outcome="rejected")], "rejected", {"rejected": 0}),
    "rejected, and yet there": Case([command(1), result(1, outcome="rejected"), order(1, 10)], "created"),
    "unknown": Case([command(1), result(1, outcome="unknown")], "unknown", {"unknown": 0}),
    "unknown, and then something was paid": Case([result(1, outcome="unknown"), result(1, "payOrder")], "deposit"),
    "created and paid at once, its record is not read": Case(
        [command(1, paymentList=[{}], prepay=False), result(1)], "paid", {"created": 0, "paid": 0}
    ),
    "created with a deposit, its record is not read": Case([command(1, paymentList=[{}], prepay=True), result(1)], "deposit"),
    "a delivery of which nobody knows how much": Case([result(1), result(1, "deliverOrder")], "delivered, in part"),
    "a part delivered, and then the rest, not read yet": Case(
        [
            order(1, 10),
            command(1, "deliverOrder", "d-1", lineList=[{"lineId": "a"}]),
            result(1, "deliverOrder", commandId="d-1", syncMarker=11),
            command(1, "deliverOrder", "d-2"),
            result(1, "deliverOrder", commandId="d-2", syncMarker=12),
        ],
        "delivered",
    ),
    "the POS cancels it later, if at all": Case(
        [order(1, 10), command(1, "cancelOrder"), result(1, "cancelOrder", syncMarker=11, reason="CANCEL-ORDER-RESULT-PENDING")],
        "created",
    ),
    "cancelled, by a worker whose clock is an hour behind": Case(
        [order(1, 10), command(1, "cancelOrder"), result(1, "cancelOrder", syncMarker=11, at=at(1, -60))], "cancelled"
    ),
    # somebody else's documents
    "an invoice of an order that has the same extOrderId": Case(
        [order(1, 10), order(2, 20, extOrderId="web-1"), invoice(1, 1)], "created"
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_state(name: str) -> None:
    """The table, from both ends: what came last may have come first."""
    case = CASES[name]
    for records in (case.told, case.told[::-1], *(random.Random(seed).sample(case.told, len(case.told)) for seed in range(5))):
        found = told(*records)
        amounts = {step["step"]: step.get("amount", 0) or 0 for step in found["steps"]}

        assert case.state == found["state"] + ", in part" * found["partly"]
        assert case.steps.items() <= amounts.items()


def test_an_amount_over_several_orders_says_over_how_many() -> None:
    """It is not this order's."""
    steps = told(order(1, 10), invoice(9, 1, 1, 2, 3, total=3 * TOTAL))["steps"]

    assert [3] == [step["orders"] for step in steps if step["step"] == "invoiced"]


def test_what_is_told_again_is_no_news() -> None:
    """A resync reads the same record once more: the order has not moved. A change of it has."""
    first = order(1, 10)
    again, change = read_at(first, at(1, 3000)), read_at(order(1, 11), at(1, 4000))

    assert told(first)["updatedAt"] == told(first, again)["updatedAt"] == told(again, first)["updatedAt"]
    assert milliseconds(at(1, 4000)) == milliseconds(told(first, change)["updatedAt"])


def as_version_1(kept: dict[str, Any]) -> dict[str, Any]:
    """What the version before kept of the same."""
    unknown = {"slips", "invoices", "partlyCancelled", "orderId", "orders", "handled", "prepay", "pays", "partly", "refuses"}
    old: dict[str, Any] = {name: value for name, value in kept.items() if name not in ("version", "seen")}
    old["seen"] = {name: value for name, value in kept["seen"].items() if name != "delivered"}
    old["order"] = {name: value for name, value in kept["order"].items() if name not in unknown - {"orderId"}}
    for name in {"slips", "invoices", "commands", "results"} & kept.keys():
        old[name] = {each: {word: row[word] for word in row.keys() - (unknown - set(NAMES))} for each, row in kept[name].items()}
    return {**old, "latest": at(1)}


NAMES = ("orderId",)


def test_what_version_1_kept_of_a_collective_invoice_pays_for_nobody() -> None:
    """Nobody knows over how many orders it was, until it is read again."""
    bill = invoice(9, 1, 1, 2, 3, total=3 * TOTAL)
    now = told(order(1, 10), bill)
    kept = as_version_1(now["facts"])
    again = [*told(order(1, 10), bill)["facts"]["invoices"].values()]

    assert "invoiced" == journey("web-1", folded(kept, kept["order"]))["state"]
    assert [3] == [step["orders"] for step in journey("web-1", folded(kept, again[0]))["steps"] if step["step"] == "invoiced"]


def test_what_version_1_kept_is_completed() -> None:
    """It did not know what an order names, nor over how many orders an invoice is."""
    now = told(order(1, 10, TOTAL, "COMPLETE"), slip(1, 1), invoice(1, 1), command(1), result(1))
    old = as_version_1(now["facts"])
    after = journey("web-1", folded(old, old["order"]))

    assert {**now, "facts": 0} == {**after, "facts": 0}


def test_the_refusal_of_another_message_solves_nothing() -> None:
    """Nor does a worker whose clock is behind hide what it has solved: results count as they lie in Kafka."""
    refused = result(1, outcome="rejected", reason="INVALID-COMMAND", attempts=0, at=at(1, 9))
    solved = result(1, outcome="succeeded", at=at(1, -60))
    lying = [arrived(made, offset) for offset, made in enumerate([result(1, outcome="unknown", attempts=3), refused, solved])]

    assert "unknown" == journey_of(lying[:2])["commands"][0]["outcome"]
    assert "succeeded" == journey_of(lying)["commands"][0]["outcome"] == journey_of(lying[::-1])["commands"][0]["outcome"]
