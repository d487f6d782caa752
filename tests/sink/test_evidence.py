"""What an order shows, and what it does not: absence proves nothing, and half of what was asked is not all of it."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from connector.mplus.request import Fields
from connector.mplus.responses.answers import OrderAnswer, read_answer
from connector.sandbox import Sandbox, SandboxOptions
from connector.sink.pos.calls import Pos
from tests.support.sink.commanding import cancel, create, deliver, pay, update
from tests.support.sink.evidence import UNKNOWN, Change, Showing, Shown, payments, references, without
from tests.support.sink.foreign_orders import ONLY_V1
from tests.support.sink.lone_executor import lone_executor
from tests.support.sink.lost_answers import TOTAL, first_line, other_line, told

INVOICE = "DELIVER-ORDER-TURNOVER-TYPE-INVOICE"


LOSSES: Mapping[str, Change] = {
    "reference not stored": references(lambda text: ""),
    "reference left out": payments(lambda row: row.pop("externalReference", None)),
    "reference cut": references(lambda text: text[:7]),
    "reference in capitals": references(str.upper),
    "reference padded": references(lambda text: f"{text}   "),
    "reference recoded": references(lambda text: text.replace("-", "?")),
    "payments left out": without("paymentList"),
    "payments left out, and what is paid": without("paymentList", "prepaidAmount", "fullyPaid"),
    "payments emptied": lambda shown: shown.update(paymentList=[]),
    "payments and all that counts left out": without("paymentList", "prepaidAmount", "syncMarker", "changeCounter"),
    "amounts left out": payments(lambda row: row.pop("amount", None)),
}
OWN = {"short": "c-1", "long": "order-service/2026-07-31/payments/web-1/attempt-1", "odd": "c-1 \u20ac \U0001f600 "}


@pytest.mark.parametrize("missing", [frozenset(), ONLY_V1])
@pytest.mark.parametrize("reference", ["", "PSP-77-ünïcode 12345678901234567890"])
@pytest.mark.parametrize("loss", LOSSES)
async def test_a_payment_that_cannot_be_recognised_is_not_made_twice(loss: str, reference: str, missing: frozenset[str]) -> None:
    """Its answer is lost, and the order shows it otherwise than it was sent, or not: told as made, or as unknown."""
    async with lone_executor(through=lambda pos, _: Showing(pos, LOSSES[loss])) as bench:
        bench.pos.faults.missing_operations = missing
        await bench.run(create("c-0", "web-1"))
        bench.pos.faults.switch("drop_after", count=1, operations=["payOrder", "payOrderV2"])
        asked = pay("c-1", "web-1", 100)
        asked["paymentList"][0]["externalReference"] = reference
        result = await bench.run(asked)
        assert ["created", "paid"] == bench.effects("web-1")
        assert "rejected" != result["outcome"]
        assert 1 == result["attempts"]


@pytest.mark.parametrize("command_id", OWN)
@pytest.mark.parametrize("missing", [frozenset(), ONLY_V1])
async def test_our_own_references_survive_any_pos(command_id: str, missing: frozenset[str]) -> None:
    """Short ASCII without blanks: whether it stores 20 characters or only latin1, the payment is recognised."""
    stored = references(lambda text: text.encode("latin1", "replace").decode("latin1")[:20].strip())
    async with lone_executor(through=lambda pos, _: Showing(pos, stored)) as bench:
        bench.pos.faults.missing_operations = missing
        await bench.run(create("c-0", "web-1"))
        bench.pos.faults.switch("drop_after", count=1, operations=["payOrder", "payOrderV2"])
        result = await bench.run(pay(OWN[command_id], "web-1", 100))
        assert ("succeeded", "PAY-ORDER-RESULT-OK", 1, True) == told(result)
        assert ["created", "paid"] == bench.effects("web-1")


async def test_an_empty_reference_is_none() -> None:
    """What a serializer sends for an unset field: a cashier's payment without one is not taken for ours."""
    async with lone_executor() as bench:
        await bench.run(create("c-0", "web-1"))
        order_id = bench.order("web-1")["orderId"]
        bench.pos.faults.switch("drop_before", count=1, operations=["payOrderV2"])
        bench.time.at(bench.time.passed + 5, lambda: bench.pos.shop.cashier_pays(order_id, 700))
        asked = pay("c-1", "web-1", 100)
        asked["paymentList"][0]["externalReference"] = ""
        result = await bench.run(asked)
        rows = [(row["amount"], row["externalReference"]) for row in bench.order("web-1")["paymentList"]["payment"]]
        assert ("succeeded", 2) == (result["outcome"], result["attempts"])
        assert [(700, ""), (100, "c-1")] == rows


@pytest.mark.parametrize("parts", [[60], [60, 40], [50, 25, 25], [1]])
@pytest.mark.parametrize("missing", [frozenset(), ONLY_V1])
async def test_a_payment_that_was_split_or_booked_in_part_is_not_made_twice(parts: list[int], missing: frozenset[str]) -> None:
    """And its reference is lost: what is there may be all of it, or half."""

    def split(shown: Shown) -> None:
        rows = [row for row in shown.get("paymentList", ()) if row["amount"] == 100]
        for row in rows:
            shown["paymentList"] = [{**row, "amount": part, "externalReference": ""} for part in parts]
            shown["prepaidAmount"] = sum(parts)

    async with lone_executor(through=lambda pos, _: Showing(pos, split)) as bench:
        bench.pos.faults.missing_operations = missing
        await bench.run(create("c-0", "web-1"))
        bench.pos.faults.switch("drop_after", count=1, operations=["payOrder", "payOrderV2"])
        assert UNKNOWN == told(await bench.run(pay("c-1", "web-1", 100)))[:2]
        assert ["created", "paid"] == bench.effects("web-1")


async def test_a_reference_of_the_same_name_under_another_amount_is_not_the_payment() -> None:
    """Half of what was asked is not all of it: 60 of 100 with our reference is unknown."""
    half = payments(lambda row: row.update(amount=60) if row["amount"] == 100 else None)
    async with lone_executor(through=lambda pos, _: Showing(pos, half)) as bench:
        await bench.run(create("c-0", "web-1"))
        bench.pos.faults.switch("drop_after", count=1, operations=["payOrderV2"])
        assert UNKNOWN == told(await bench.run(pay("c-1", "web-1", 100)))[:2]
        assert ["created", "paid"] == bench.effects("web-1")


def test_a_field_that_cannot_be_read_is_not_shown() -> None:
    """One leaf of one payment: the order is shown without its payments, not without any."""
    payment = "<ns:payment><ns:method>CASH</ns:method><ns:amount>{}</ns:amount></ns:payment>"
    order = "<ns:order><ns:orderId>o-1</ns:orderId><ns:paymentList>{}</ns:paymentList></ns:order>"
    envelope = (
        '<E:Envelope xmlns:E="http://schemas.xmlsoap.org/soap/envelope/" xmlns:ns="urn:mplusqapi"><E:Body><ns:GetOrderResponse>'
        "<ns:result>GET-ORDER-RESULT-OK</ns:result>{}</ns:GetOrderResponse></E:Body></E:Envelope>"
    )
    for amounts, expected in ((["100"], True), (["100", "1e2"], False), ([], True)):
        rows = "".join(payment.format(amount) for amount in amounts)
        found = read_answer(envelope.format(order.format(rows)).encode(), "GetOrderResponse").order
        assert found is not None
        assert expected == ("paymentList" in found)


SLIPS: Mapping[str, tuple[Change, Change]] = {
    "a line more": (bool, lambda slip: slip["lineList"].append({**slip["lineList"][0], "salesOrderLineId": ""})),
    "a line more that the order got": (
        bool,
        lambda slip: slip["lineList"].append({**slip["lineList"][0], "salesOrderLineId": "x"}),
    ),
    "no line ids": (bool, lambda slip: [line.pop("salesOrderLineId", None) for line in slip["lineList"]]),
    "no lines": (bool, lambda slip: slip.pop("lineList")),
    "no id": (bool, lambda slip: slip.pop("packingSlipId")),
    "no slips on the order": (without("packingSlipIds"), bool),
    "no delivered quantities": (lambda shown: [line["data"].pop("deliveredQuantity", None) for line in shown["lineList"]], bool),
    "no lines on the order": (without("lineList"), bool),
    "nothing that tells": (without("lineList", "packingSlipIds", "syncMarker", "deliveryState"), bool),
}


@pytest.mark.parametrize("loss", SLIPS)
async def test_a_delivery_whose_slip_does_not_tell_is_not_made_twice(loss: str) -> None:
    """Its answer is lost: told as made, or as unknown."""
    order, slip = SLIPS[loss]
    async with lone_executor(through=lambda pos, _: Showing(pos, order, slip)) as bench:
        await bench.run(create("c-0", "web-1"))
        bench.pos.faults.switch("drop_after", count=1, operations=["deliverOrderV2"])
        asked = deliver("c-1", "web-1", {"lineId": first_line(bench), "quantity": 1})
        result = await bench.run(asked)
        assert ["created", "delivered"] == bench.effects("web-1")
        assert "rejected" != result["outcome"]
        assert 1 == result["attempts"]
        if "a line more" in loss or loss in ("no line ids", "no lines"):
            assert ("succeeded", bench.order("web-1")["packingSlipIds"]["id"][0]) == (result["outcome"], result["packingSlipId"])


async def test_a_slip_over_a_part_of_it_may_be_ours() -> None:
    """Two were asked for, the answer is lost, and a slip over one is there: nobody can tell whose."""
    async with lone_executor() as bench:
        await bench.run(create("c-0", "web-1"))
        line, order_id = first_line(bench), bench.order("web-1")["orderId"]
        bench.pos.faults.switch("drop_before", count=1, operations=["deliverOrderV2"])
        bench.time.at(bench.time.passed + 5, lambda: bench.pos.shop.cashier_delivers(order_id, {line: 1}))
        assert UNKNOWN == told(await bench.run(deliver("c-1", "web-1", {"lineId": line, "quantity": 2})))[:2]
        assert ["created", "delivered"] == bench.effects("web-1")


async def test_slips_that_explain_all_that_moved_prove_it_not_done() -> None:
    """A cashier's slips over other lines, and over more than was asked, are not ours."""
    async with lone_executor() as bench:
        await bench.run(create("c-0", "web-1"))
        line, order_id, other = first_line(bench), bench.order("web-1")["orderId"], other_line(bench)
        bench.pos.faults.switch("drop_before", count=1, operations=["deliverOrderV2"])
        bench.time.at(bench.time.passed + 5, lambda: bench.pos.shop.cashier_delivers(order_id, {other: 1}))
        bench.time.at(bench.time.passed + 6, lambda: bench.pos.shop.cashier_delivers(order_id, {line: 1, other: 1}))
        result = await bench.run(deliver("c-1", "web-1", {"lineId": line, "quantity": 1}))
        assert ("succeeded", "DELIVER-ORDER-V2-RESULT-OK", 2, False) == told(result)
        assert ["created", "delivered", "delivered", "delivered"] == bench.effects("web-1")


@pytest.mark.parametrize("name", ["pay", "deliver", "cancel", "part", "update"])
async def test_an_order_id_that_became_anothers(name: str) -> None:
    """The POS was restored while a call was unanswered, and gives the id to a new order: nothing is done to that one."""
    operations = {"pay": "payOrderV2", "deliver": "deliverOrder", "cancel": "cancelOrder", "part": "deliverOrderV2"}
    async with lone_executor() as bench:
        await bench.run(create("c-0", "web-1"))
        order, shop = bench.order("web-1"), bench.pos.shop
        make = {
            "pay": pay("c-1", "web-1", 100),
            "deliver": deliver("c-1", "web-1"),
            "part": deliver("c-1", "web-1", {"lineId": first_line(bench), "quantity": 1}),
            "cancel": cancel("c-1", "web-1"),
            "update": update("c-1", "web-1", reference="red"),
        }
        item = shop.sequences["order"].by_identity[order["orderId"]]
        bench.pos.faults.switch("drop_before", count=1, operations=[operations.get(name, "updateOrderV2")])

        def restored() -> None:
            shop.revise(item, {**shop.document(item), "extOrderId": "web-77", "relationNumber": 2})
            shop.memory.order_ids["web-77"] = item.identity

        bench.wire.before(lambda _, it: bench.wire.before(lambda *_: None) or restored if it == "getOrder" else None)  # type: ignore[func-returns-value]
        result = await bench.run(make[name])
        assert UNKNOWN == told(result)[:2]
        assert "web-1" == result["extOrderId"]
        assert [] == bench.effects("web-77")


FROM_ELSEWHERE = {"FAILED": ["CREATE-ORDER-RESULT-FAILED"], "lost": []}


@pytest.mark.parametrize("how", FROM_ELSEWHERE)
@pytest.mark.parametrize("missing", [frozenset(), ONLY_V1])
async def test_a_creation_that_failed_beside_an_order_from_elsewhere(how: str, missing: frozenset[str]) -> None:
    """Another's order of this name, with other lines, is never told as this command's success."""
    async with Sandbox(SandboxOptions(items=3)) as pos:
        async with lone_executor(pos) as other:
            await other.run(create("x-1", "web-1", 10))
        async with lone_executor(pos) as bench:
            pos.faults.missing_operations = missing
            pos.faults.results.tell("createOrderV3", FROM_ELSEWHERE[how])
            pos.faults.switch("drop_before", count=not FROM_ELSEWHERE[how], operations=["createOrder", "createOrderV3"])
            result = await bench.run(create("c-1", "web-1", 20))
        assert "succeeded" != result["outcome"]
        assert ["created"] == bench.effects("web-1")


async def test_a_reference_of_the_psp_in_anothers_order_is_no_payment_of_ours() -> None:
    """The same reference under a second creation of that name: rejected, for another command made it."""
    paid = [{"method": "IDEAL", "amount": 100, "externalReference": "psp-77"}]
    async with lone_executor() as bench:
        await bench.run(create("c-1", "web-1", 10, prepay=True, paymentList=paid))
        result = await bench.run(create("c-2", "web-1", 20, 30, prepay=True, paymentList=[{**paid[0], "amount": 5000}]))
        assert ("rejected", "CREATE-ORDER-RESULT-EXT-ORDER-ID-ALREADY-EXISTS") == told(result)[:2]
        assert ["created", "paid"] == bench.effects("web-1")


async def test_an_order_made_anew_after_a_restore_is_not_the_old_commands() -> None:
    """The ledger knows who made web-1, and which order that was; the one that is there now is another."""
    async with lone_executor() as bench:
        await bench.run(create("c-1", "web-1", 10))
        shop = bench.pos.shop
        shop.sequences["order"].by_identity.pop(shop.memory.order_ids.pop("web-1"))
        bench.pos.faults.switch("drop_after", count=1, operations=["createOrderV3"])
        assert "succeeded" == (await bench.run(create("c-9", "web-1", 20)))["outcome"]


async def test_a_payment_without_its_invoice_is_not_done() -> None:
    """prepay=false: the payment is booked, the invoice could not be made, the POS says FAILED: unknown."""
    booked = payments(lambda row: None)

    class Half(Showing):
        async def change(self, operation: str, fields: Fields) -> OrderAnswer:
            if operation != "payOrderV2":
                return await self._pos.change(operation, fields)
            deposit = [(name, True if name == "prepay" else value) for name, value in fields]
            await self._pos.change(operation, deposit)
            return OrderAnswer("PAY-ORDER-RESULT-FAILED", message="the period is closed")

        def __init__(self, pos: Pos) -> None:
            super().__init__(pos, booked)
            del self.change  # the class's own

    async with lone_executor(through=lambda pos, _: Half(pos)) as bench:
        await bench.run(create("c-0", "web-1"))
        result = await bench.run(pay("c-1", "web-1", TOTAL, prepay=False))
        assert UNKNOWN == told(result)[:2]
        assert "the payments are in the order, and no new invoice is" == result["message"]


async def test_a_line_that_a_cashier_cancelled_is_no_cancelled_order() -> None:
    """Our call never came; the order shows PARTIAL: cancelOrder is safe by state, and made again."""
    state: list[str] = []
    partly = lambda shown: shown.update(cancelState=state[0]) if state and bench_open(shown) else None  # noqa: E731

    async with lone_executor(through=lambda pos, _: Showing(pos, partly)) as bench:
        await bench.run(create("c-0", "web-1"))
        bench.pos.faults.switch("drop_before", count=1, operations=["cancelOrder"])
        bench.wire.before(lambda _, it: (lambda: state.append("ORDER-CANCEL-STATE-PARTIAL")) if it == "cancelOrder" else None)
        result = await bench.run(cancel("c-1", "web-1"))
        assert ("succeeded", 2) == (result["outcome"], result["attempts"])
        assert ["created", "cancelled"] == bench.effects("web-1")


def bench_open(shown: Shown) -> bool:
    """Whether nothing of the order is cancelled."""
    return bool(shown["cancelState"] == "ORDER-CANCEL-STATE-NOTHING")


async def test_a_delivery_without_the_invoice_that_was_asked_for() -> None:
    """Our call never came, and a cashier delivers all without an invoice: that is not what was asked."""
    async with lone_executor() as bench:
        await bench.run(create("c-0", "web-1"))
        order_id = bench.order("web-1")["orderId"]
        bench.pos.faults.switch("drop_before", count=1, operations=["deliverOrder"])
        acted = lambda: bench.pos.shop.cashier_delivers(order_id)  # noqa: E731
        bench.wire.before(lambda _, it: bench.wire.before(lambda *_: None) or acted if it == "getOrder" else None)  # type: ignore[func-returns-value]
        result = await bench.run({**deliver("c-1", "web-1"), "turnoverType": INVOICE})
        assert UNKNOWN == told(result)[:2]
        assert ["created", "delivered"] == bench.effects("web-1")


@pytest.mark.parametrize("field", ["changeCounter", "reference", "syncMarker"])
async def test_an_update_whose_fields_are_not_shown(field: str) -> None:
    """Made once where its lock protects it; without one, told as unknown rather than made again beside the first."""
    async with lone_executor(through=lambda pos, _: Showing(pos, without(field, "syncMarker"))) as bench:
        await bench.run(create("c-0", "web-1"))
        bench.pos.faults.switch("drop_after", count=1, operations=["updateOrderV2"])
        result = await bench.run(update("c-1", "web-1", reference="red paper"))
        assert ["created", "updated"] == bench.effects("web-1")
        assert "rejected" != result["outcome"]


@pytest.mark.parametrize("code", ["GET-ORDER-RESULT-OK", "GET-ORDER-RESULT-SOMETHING-NEW"])
async def test_an_answer_without_an_order_is_not_no_order(code: str) -> None:
    """The POS says OK and shows nothing, or what nobody knows: it is looked at again, and no command is rejected for it."""
    bad: list[str] = [code] * 3

    class Empty(Showing):
        async def order(self, operation: str, fields: Fields) -> OrderAnswer:
            return OrderAnswer(bad.pop()) if bad else await super().order(operation, fields)

    async with lone_executor(through=lambda pos, _: Empty(pos)) as bench:
        await bench.run(create("c-0", "web-1"))
        result = await bench.run(cancel("c-1", "web-1"))
        assert ("succeeded", [], ["created", "cancelled"]) == (result["outcome"], bad, bench.effects("web-1"))


async def test_a_creation_whose_answer_has_no_marker_looks() -> None:
    """The result's marker is null only where the POS queued the order."""

    class Unmarked(Showing):
        def __init__(self, pos: Pos) -> None:
            super().__init__(pos)
            del self.change

        async def change(self, operation: str, fields: Fields) -> OrderAnswer:
            answer = await self._pos.change(operation, fields)
            return replace(answer, order={k: v for k, v in dict(answer.order or {}).items() if k != "syncMarker"} or None)

    async with lone_executor(through=lambda pos, _: Unmarked(pos)) as bench:
        result = await bench.run(create("c-1", "web-1"))
        assert bench.order("web-1")["syncMarker"] == result["syncMarker"]
