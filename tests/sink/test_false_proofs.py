"""What is no proof of anything: a marker that stands, a reference under another amount, what others did."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from connector.mplus.request import Fields
from connector.mplus.responses.answers import OrderAnswer, read_answer
from connector.sink.pos.calls import Pos
from connector.sink.pos.orders import asked_lines
from connector.sink.pos.replies import Kind, Reply
from tests.support.sink.commanding import create, deliver, pay, update
from tests.support.sink.evidence import UNKNOWN, Change, Showing, Shown, references
from tests.support.sink.foreign_orders import ONLY_V1
from tests.support.sink.lone_executor import LoneExecutor, lone_executor
from tests.support.sink.lost_answers import TOTAL, first_line, other_line, told


def booked_as(cents: int) -> Change:
    """Each payment with this amount."""

    def change(shown: Shown) -> None:
        for row in shown.get("paymentList", ()):
            row["amount"] = cents
        shown["prepaidAmount"] = cents * len(shown.get("paymentList", ()))

    return change


def rounded(shown: Shown) -> None:
    """Cash is booked in steps of five cents."""
    for row in shown.get("paymentList", ()):
        row["amount"] = 5 * round(row["amount"] / 5)
    shown["prepaidAmount"] = sum(row["amount"] for row in shown.get("paymentList", ()))


def stands(*more: Change) -> Change:
    """The order's marker does not move, or not yet."""

    def change(shown: Shown) -> None:
        shown["syncMarker"] = 7
        for each in more:
            each(shown)

    return change


def both(one: Change, other: Change) -> Change:
    """One after the other."""
    return lambda shown: [change(shown) for change in (one, other)]


UNLIKE: Mapping[str, Change] = {
    "rounded": rounded,
    "without its change": booked_as(90),
    "rounded, no reference": both(rounded, references(lambda text: "")),
    "wrapped": references(lambda text: f"web:{text}"),
    "its end only": references(lambda text: text[-2:]),
    "marker stands, no reference": stands(references(lambda text: "")),
    "marker stands, rounded": stands(rounded),
    "no marker": both(lambda shown: shown.update(syncMarker=0), references(lambda text: "")),
}


@pytest.mark.parametrize("missing", [frozenset(), ONLY_V1])
@pytest.mark.parametrize("reference", ["", "PSP-77-12345678901234567890"])
@pytest.mark.parametrize("unlike", UNLIKE)
async def test_a_payment_that_is_booked_otherwise_is_not_made_twice(unlike: str, reference: str, missing: frozenset[str]) -> None:
    """Its answer is lost; the order shows it under another amount, a longer reference, or its old marker."""
    async with lone_executor(through=lambda pos, _: Showing(pos, UNLIKE[unlike])) as bench:
        bench.pos.faults.missing_operations = missing
        await bench.run(create("c-0", "web-1"))
        bench.pos.faults.switch("drop_after", count=1, operations=["payOrder", "payOrderV2"])
        asked = pay("c-1", "web-1", 98)
        asked["paymentList"][0]["externalReference"] = reference
        result = await bench.run(asked)
        assert ["created", "paid"] == bench.effects("web-1")
        assert "rejected" != result["outcome"]


@pytest.mark.parametrize("missing", [frozenset(), ONLY_V1])
async def test_a_settlement_with_change_may_be_ours(missing: frozenset[str]) -> None:
    """More cash is given than is due, its answer is lost, and the POS books what is due, without a reference: not rejected."""
    due = both(lambda shown: booked_as(TOTAL)(shown) if shown.get("invoiceIds") else None, references(lambda text: ""))
    async with lone_executor(through=lambda pos, _: Showing(pos, due)) as bench:
        bench.pos.faults.missing_operations = missing
        await bench.run(create("c-0", "web-1"))
        bench.pos.faults.switch("drop_after", count=1, operations=["payOrder", "payOrderV2"])
        result = await bench.run(pay("c-1", "web-1", TOTAL + 760, prepay=False))
        assert UNKNOWN == told(result)[:2]
        assert ["created", "paid", "delivered", "invoiced"] == bench.effects("web-1")


async def test_a_reference_that_is_anothers_command_id_is_still_ours() -> None:
    """The producer pays with the id of its own createOrder as reference: that does not make the payment another's."""
    async with lone_executor(through=lambda pos, _: Showing(pos, rounded)) as bench:
        await bench.run(create("c-0", "web-1"))
        bench.pos.faults.switch("drop_after", count=1, operations=["payOrderV2"])
        asked = pay("c-1", "web-1", 98)
        asked["paymentList"][0]["externalReference"] = "c-0"
        result = await bench.run(asked)
        assert ["created", "paid"] == bench.effects("web-1")
        assert "rejected" != result["outcome"]


async def test_payments_that_are_no_longer_listed_prove_nothing() -> None:
    """A deposit's answer is lost, a cashier settles, and the POS lists the payments on the invoice only: not rejected."""
    moved: Change = lambda shown: shown.update(paymentList=[], prepaidAmount=None) if shown.get("invoiceIds") else None  # noqa: E731
    async with lone_executor(through=lambda pos, _: Showing(pos, moved)) as bench:
        await bench.run(create("c-0", "web-1"))
        order_id = bench.order("web-1")["orderId"]
        await bench.run(pay("c-1", "web-1", 50))
        bench.pos.faults.switch("drop_after", count=1, operations=["payOrderV2"])
        bench.time.at(bench.time.passed + 5, lambda: bench.pos.shop.cashier_pays(order_id, TOTAL, prepay=False))
        result = await bench.run(pay("c-2", "web-1", 100))
        assert "rejected" != result["outcome"]


@pytest.mark.parametrize("slips", [True, False])
async def test_a_delivery_under_an_old_marker_is_not_made_twice(*, slips: bool) -> None:
    """Its answer is lost, the order's marker stands, and its lines or packing slips show it."""
    hidden: Change = bool if slips else lambda shown: shown.pop("packingSlipIds", None)
    async with lone_executor(through=lambda pos, _: Showing(pos, stands(hidden))) as bench:
        await bench.run(create("c-0", "web-1"))
        bench.pos.faults.switch("drop_after", count=1, operations=["deliverOrderV2"])
        result = await bench.run(deliver("c-1", "web-1", {"lineId": first_line(bench), "quantity": 1}))
        assert ["created", "delivered"] == bench.effects("web-1")
        assert "rejected" != result["outcome"]


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("missing", [frozenset(), ONLY_V1])
async def test_the_last_writer_wins_also_on_the_same_field(times: int, missing: frozenset[str]) -> None:
    """A cashier writes the very field between looking and the call, which is refused by its lock: that call did nothing."""
    async with lone_executor() as bench:
        bench.pos.faults.missing_operations = missing
        await bench.run(create("c-0", "web-1"))
        order_id = bench.order("web-1")["orderId"]
        left = list(range(times))

        def quicker(_: int, operation: str) -> Callable[[], object] | None:
            updates = operation.startswith("updateOrder") and operation not in missing
            return (lambda: bench.pos.shop.cashier_changes(order_id, f"call {left.pop()}")) if left and updates else None

        bench.wire.before(quicker)
        result = await bench.run(update("c-1", "web-1", reference="red"))
        assert ("succeeded", "UPDATE-ORDER-RESULT-OK", times + 1, False) == told(result)
        assert "red" == bench.order("web-1")["reference"]


async def test_a_lock_that_holds_is_a_rejection() -> None:
    """The producer named the changeCounter, and a cashier writes the same field just before the call."""
    async with lone_executor() as bench:
        await bench.run(create("c-0", "web-1"))
        order = bench.order("web-1")
        acted = lambda: bench.pos.shop.cashier_changes(order["orderId"], "call first")  # noqa: E731
        bench.wire.before(lambda _, operation: acted if operation == "updateOrderV2" else None)
        result = await bench.run(update("c-1", "web-1", reference="red", changeCounter=order["changeCounter"]))
        assert ("rejected", "UPDATE-ORDER-RESULT-ORDER-HAS-CHANGED", 1, True) == told(result)


@pytest.mark.parametrize("code", ["ORDER-ALREADY-INVOICED", "ORDER-HAS-CHANGED"])
async def test_a_payment_that_is_refused_because_a_cashier_was_quicker(code: str) -> None:
    """He takes the same amount just before the only call, which the POS refuses: rejected, for looking cannot show it ours."""
    async with lone_executor() as bench:
        await bench.run(create("c-0", "web-1"))
        order_id, settles = bench.order("web-1")["orderId"], code == "ORDER-ALREADY-INVOICED"
        acted = lambda: bench.pos.shop.cashier_pays(order_id, TOTAL, prepay=not settles)  # noqa: E731
        bench.wire.before(lambda _, operation: acted if operation == "payOrderV2" else None)
        if not settles:
            bench.pos.faults.results.tell("payOrderV2", [f"PAY-ORDER-RESULT-{code}"])
        result = await bench.run(pay("c-1", "web-1", TOTAL, prepay=not settles))
        assert ("rejected", f"PAY-ORDER-RESULT-{code}", 1, True) == told(result)
        assert 1 == bench.effects("web-1").count("paid")


class Halfway(Showing):
    """A Pos on which an operation does a part of what it should, and then says FAILED."""

    def __init__(self, pos: Pos, operation: str, code: str) -> None:
        super().__init__(pos)
        self._operation, self._code = operation, code
        self.half: Callable[[], object] = bool
        del self.change

    async def change(self, operation: str, fields: Fields) -> OrderAnswer:
        if operation != self._operation:
            return await self._pos.change(operation, fields)
        self.half()
        return OrderAnswer(self._code, message="the printer is out of paper")


HALVES: Mapping[str, tuple[str, Callable[[LoneExecutor], dict[str, Any]]]] = {
    "PAY-ORDER-RESULT-FAILED": ("payOrderV2", lambda _: pay("c-1", "web-1", TOTAL, prepay=False)),
    "DELIVER-ORDER-RESULT-FAILED": ("deliverOrder", lambda _: deliver("c-1", "web-1")),
}


@pytest.mark.parametrize("code", HALVES)
async def test_what_failed_halfway_is_not_rejected(code: str) -> None:
    """FAILED, and a packing slip over a line is new: a part of it may have been done."""
    operation, make = HALVES[code]
    found: list[Halfway] = []

    def through(pos: Pos, _: object) -> Pos:
        found.append(Halfway(pos, operation, code))
        return found[0]

    async with lone_executor(through=through) as bench:
        await bench.run(create("c-0", "web-1"))
        order_id, line = bench.order("web-1")["orderId"], other_line(bench)
        found[0].half = lambda: bench.pos.shop.cashier_delivers(order_id, {line: 1})
        assert UNKNOWN == told(await bench.run(make(bench)))[:2]


@pytest.mark.parametrize("code", HALVES)
async def test_what_failed_and_did_nothing_is_rejected(code: str) -> None:
    """FAILED, and the order is as it was."""
    operation, make = HALVES[code]
    async with lone_executor(through=lambda pos, _: Halfway(pos, operation, code)) as bench:
        await bench.run(create("c-0", "web-1"))
        assert ("rejected", code, 1, True) == told(await bench.run(make(bench)))


async def test_an_order_that_is_made_and_not_paid_is_no_success() -> None:
    """createOrderV3 says OK, and what it says of the payments is not: the order does not show them."""

    class Unpaid(Showing):
        def __init__(self, pos: Pos) -> None:
            super().__init__(pos)
            del self.change

        async def change(self, operation: str, fields: Fields) -> OrderAnswer:
            without = [row for row in fields if row[0] not in ("paymentList", "prepay")]
            answer = await self._pos.change(operation, without)
            return replace(answer, payment_code="PAY-ORDER-RESULT-FAILED")

    async with lone_executor(through=lambda pos, _: Unpaid(pos)) as bench:
        asked = create("c-1", "web-1", prepay=True, paymentList=[{"method": "IDEAL", "amount": 100}])
        result = await bench.run(asked)
        assert UNKNOWN == told(result)[:2]
        assert bench.order("web-1")["orderId"] == result["orderId"]


async def test_an_update_that_asks_for_new_prices_only() -> None:
    """Its fields are as asked before; the call is lost and a cashier changes something: that is not the new prices."""
    async with lone_executor() as bench:
        await bench.run(create("c-0", "web-1"))
        await bench.run(update("c-1", "web-1", reference="red"))
        order_id = bench.order("web-1")["orderId"]
        bench.pos.faults.switch("drop_before", count=1, operations=["updateOrderV2"])
        acted = lambda: bench.pos.shop.cashier_pays(order_id, 100)  # noqa: E731
        bench.wire.before(lambda _, it: bench.wire.before(lambda *_: None) or acted if it == "getOrder" else None)  # type: ignore[func-returns-value]
        result = await bench.run({**update("c-2", "web-1", reference="red"), "applySalesPrices": True})
        assert UNKNOWN == told(result)[:2]


async def test_of_two_slips_that_are_alike_none_is_named() -> None:
    """A cashier delivers the same while the answer is lost: which slip is the command's cannot be told."""
    async with lone_executor() as bench:
        await bench.run(create("c-0", "web-1"))
        line, order_id = first_line(bench), bench.order("web-1")["orderId"]
        bench.pos.faults.switch("drop_after", count=1, operations=["deliverOrderV2"])
        acted = lambda: bench.pos.shop.cashier_delivers(order_id, {line: 1})  # noqa: E731
        bench.wire.before(lambda _, it: bench.wire.before(lambda *_: None) or acted if it == "getOrder" else None)  # type: ignore[func-returns-value]
        result = await bench.run(deliver("c-1", "web-1", {"lineId": line, "quantity": 1}))
        assert ["created", "delivered", "delivered"] == bench.effects("web-1")
        assert ("succeeded", None) == (result["outcome"], result["packingSlipId"])


async def test_a_cashiers_invoice_is_not_the_deliverys() -> None:
    """None was asked for: the result names none."""
    async with lone_executor() as bench:
        await bench.run(create("c-0", "web-1"))
        order_id = bench.order("web-1")["orderId"]
        bench.pos.faults.switch("drop_after", count=1, operations=["deliverOrder"])
        acted = lambda: bench.pos.shop.cashier_pays(order_id, TOTAL, prepay=False)  # noqa: E731
        bench.wire.before(lambda _, it: bench.wire.before(lambda *_: None) or acted if it == "getOrder" else None)  # type: ignore[func-returns-value]
        result = await bench.run(deliver("c-1", "web-1"))
        assert ["created", "delivered", "paid", "invoiced"] == bench.effects("web-1")
        assert ("succeeded", None) == (result["outcome"], result["invoiceId"])


@pytest.mark.parametrize("places", [2_147_483_647, -2_147_483_648])
def test_quantities_that_nobody_can_deliver(places: int) -> None:
    """Any number of decimal places can be read and added up: the judging must not fail where the POS has not."""
    asked = asked_lines([{"lineId": "l-1", "quantity": 9, "decimalPlaces": places}] * 2)
    assert asked["l-1"] not in (0, 18)


async def test_a_payment_that_the_ledger_forgot_under_another_amount() -> None:
    """Our own reference is in the order before the first call: something of it was done, so nothing is sent."""
    async with lone_executor(through=lambda pos, _: Showing(pos, rounded)) as bench:
        await bench.run(create("c-0", "web-1"))
        await bench.run(pay("c-1", "web-1", 98))
        bench.forget()
        assert UNKNOWN == told(await bench.run(pay("c-1", "web-1", 98)))[:2]
        assert ["created", "paid"] == bench.effects("web-1")


@pytest.mark.parametrize(
    ("told_of_it", "unpaid"), [("", False), ("PAY-ORDER-RESULT-OK", False), ("PAY-ORDER-RESULT-FAILED", True)]
)
def test_a_creation_tells_of_its_payments(told_of_it: str, *, unpaid: bool) -> None:
    """In an element of its own, beside the creation's result."""
    code = f"<ns:payResult>{told_of_it}</ns:payResult>" if told_of_it else ""
    body = (
        '<E:Envelope xmlns:E="http://schemas.xmlsoap.org/soap/envelope/" xmlns:ns="urn:mplusqapi"><E:Body>'
        f"<ns:CreateOrderV3Response><ns:result>CREATE-ORDER-RESULT-OK</ns:result><ns:info/>{code}</ns:CreateOrderV3Response></E:Body></E:Envelope>"
    )
    answer = read_answer(body.encode(), "CreateOrderV3Response")
    assert unpaid == Reply(Kind.ANSWERED, "", answer).unpaid


TURNOVER = "DELIVER-ORDER-TURNOVER-TYPE-INVOICE"


@pytest.mark.parametrize("part", [False, True])
@pytest.mark.parametrize("invoiced", [False, True])
async def test_an_order_that_was_delivered_without_the_invoice_that_is_asked_for(*, part: bool, invoiced: bool) -> None:
    """ALREADY-DELIVERED is as asked only if there is an invoice: else nothing was done, and nothing will be."""
    async with lone_executor() as bench:
        await bench.run(create("c-0", "web-1"))
        line = {"lineId": first_line(bench), "quantity": 1}
        await bench.run({**deliver("c-1", "web-1"), **({"turnoverType": TURNOVER} if invoiced else {})})
        result = await bench.run({**deliver("c-2", "web-1", *([line] if part else [])), "turnoverType": TURNOVER})
        code = "DELIVER-ORDER-V2-RESULT-ALREADY-DELIVERED" if part else "DELIVER-ORDER-RESULT-ALREADY-DELIVERED"
        assert ("succeeded" if invoiced else "rejected", code, 1, True) == told(result)


@pytest.mark.parametrize("done", [True, False])
async def test_an_intent_of_an_older_version(*, done: bool) -> None:
    """It knows no payments before, only how often its reference was there; another deposit is in the order, and is not ours."""
    async with lone_executor() as bench:
        await bench.run(create("c-0", "web-1"))
        order_id = bench.order("web-1")["orderId"]
        bench.pos.shop.cashier_pays(order_id, 700)
        bench.pos.faults.switch("drop_after" if done else "drop_before", count=1, operations=["payOrderV2"])
        bench.pos.faults.unlicensed_operations = frozenset()
        bench.wire.before(
            lambda *_: setattr(
                bench.pos.faults, "unlicensed_operations", frozenset({"getOrder"} if bench.wire.changes[1:] else ())
            )
        )
        assert UNKNOWN == told(await bench.run(pay("c-1", "web-1", 100)))[:2]
        bench.wire.before(lambda *_: None)
        bench.pos.faults.unlicensed_operations = frozenset()
        intent = bench.endings[-1].intent
        assert intent is not None
        older = replace(intent, before={"references": {"c-1": 0}, "invoiceIds": [], "packingSlipIds": []})
        result = await bench.run(pay("c-1", "web-1", 100), intent=older)
        assert ("succeeded", 1 if done else 2) == (result["outcome"], result["attempts"])
        assert ["created", "paid", "paid"] == bench.effects("web-1")
