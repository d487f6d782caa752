"""Creating, finding, changing and cancelling orders."""

import asyncio

import pytest

from connector.sandbox import Sandbox, SandboxOptions
from tests.support.pos.sandbox_calls import call, control, fault
from tests.support.pos.sandbox_orders import TOTAL, ask, create, effects, inner, look, order, payment, payments


async def test_a_created_order_is_found_and_complete(pos: Sandbox) -> None:
    """It has identity, numbers, totals and lines with ids, and is found by both of its names."""
    order_id = await create(pos, "a-1")
    found = (await ask(pos, "findOrder", extOrderId="a-1"))["order"]
    assert found == await look(pos, order_id)
    assert (found["totalInclAmount"], found["relationNumber"], found["changeCounter"]) == (str(TOTAL), "3", "0")
    assert (found["deliveryState"], found["cancelState"]) == ("ORDER-DELIVERY-STATE-NOTHING", "ORDER-CANCEL-STATE-NOTHING")
    assert (found["fullyPaid"], found["prepaidAmount"], found["versionNumber"]) in {("false", "0", "1"), ("0", "0", "1")}
    lines = found["lineList"]["line"]
    assert [line["data"]["totalInclAmount"] for line in lines] == ["850", "780"]
    assert len({line["lineId"] for line in lines}) == 2
    assert found["orderNumber"]["number"]
    assert found["orderType"] == "ORDER-TYPE-EXTERNAL-SALES-ORDER"


async def test_what_the_caller_decides_is_kept(pos: Sandbox) -> None:
    """Addresses, dates, prices, weights and texts come back as they were sent."""
    address = {"name": "Bakker & Zn.", "city": "Delft"}
    moment = {"sec": 1, "min": 2, "hour": 3, "day": 4, "mon": 5, "year": 2026, "isdst": True, "timezone": 120}
    line = {"articleNumber": 100, "text": "speculaas", "data": {"quantity": 530, "decimalPlaces": 3, "price": 1001}}
    sent = {
        "orderId": "",
        "extOrderId": "b",
        "relationNumber": 4,
        "deliveryAddress": {"name": "Bakker &amp; Zn.", "city": "Delft"},
        "reference": "tafel",
        "deliveryMethod": "POST",
        "deliveryDate": {"day": 4, "mon": 5, "year": 2026},
        "deliveryPeriodBegin": moment,
        "lineList": {"line": [line]},
    }
    told = await ask(pos, "createOrder", order=sent)
    found = await look(pos, told["info"]["orderId"])
    assert (found["deliveryAddress"], found["reference"], found["deliveryMethod"]) == (address, "tafel", "POST")
    assert found["deliveryPeriodBegin"]["hour"] == "3"
    data = found["lineList"]["line"]["data"]
    assert (data["quantity"], data["decimalPlaces"], data["price"], data["totalInclAmount"]) == ("530", "3", "1001", "531")
    assert found["lineList"]["line"]["text"] == "speculaas"


async def test_an_ext_order_id_is_used_but_once(pos: Sandbox) -> None:
    """Neither the same order again nor one after a cancellation may have it, nor that of an order of the seeded shop."""
    order_id = await create(pos, "a-1")
    await ask(pos, "cancelOrder", orderId=order_id)
    for ext in ("a-1", "shop-2"):
        told = await ask(pos, "createOrder", order=order(ext))
        assert told["result"] == "EXT-ORDER-ID-ALREADY-EXISTS"
    assert effects(pos) == ["created", "cancelled"]


async def test_a_restored_backup_forgets_orders(pos: Sandbox) -> None:
    """After a fall-back the order is gone and its extOrderId is free; an earlier state of an older order is back."""
    old = await create(pos, "a-1")
    pos.shop.cashier_changes(old, "later")
    lost = await create(pos, "a-2")
    pos.shop.fall_back("order", 2)
    assert (await look(pos, old))["reference"] == ""
    assert (await ask(pos, "getOrder", orderId=lost))["result"] == "NOT-FOUND"
    assert await create(pos, "a-2") != lost


@pytest.mark.parametrize(
    "wrong",
    [
        {"relationNumber": 999},
        {"relationNumber": None},
        {"lineList": {"line": [{"articleNumber": 9999}]}},
        {"lineList": {"line": [{"articleNumber": 12}]}},
    ],
)
async def test_an_order_must_name_what_exists(pos: Sandbox, wrong: dict[str, None]) -> None:
    """Without a relation, or with an unknown relation or article, it fails and nothing is booked."""
    told = await ask(pos, "createOrder", order={**order("a-1"), **wrong})
    assert (told["result"], told["info"]["orderId"], pos.effects) == ("FAILED", "", [])


@pytest.mark.parametrize(
    ("operation", "fields", "says"),
    [
        ("createOrder", {}, "missing: order"),
        ("createOrder", {"order": {"extOrderId": "x"}}, "missing: orderId"),
        ("createOrder", {"order": {"orderId": "", "relationNumber": 1, "extOrderId": "x"}}, "out of order"),
        ("createOrder", {"order": {"orderId": "", "vatChange": "VAT-CHANGE-EAT-HERE"}}, "does not simulate"),
        ("createOrder", {"order": {"orderId": "", "orderType": "PIZZA"}}, "orderType"),
        ("createOrder", {"order": {"orderId": "", "lineList": {"line": [{"text": "x"}]}}}, "articleNumber"),
        ("createOrder", {"order": {"orderId": "", "lineList": {"row": "x"}}}, "'row' is unknown"),
        ("createOrderV3", {"idempotencyKey": "", "order": {"orderId": ""}}, "idempotencyKey is empty"),
        ("createOrderV3", {"order": {"orderId": ""}}, "missing: idempotencyKey"),
        ("payOrder", {"orderId": "x", "prepay": True, "paymentList": {"payment": [{"method": "CASH"}]}}, "amount"),
        ("payOrder", {"orderId": "x", "prepay": "yes", "paymentList": {}}, "prepay must be a boolean"),
        ("deliverOrder", {"orderId": "x", "turnoverType": "LATER"}, "turnoverType"),
        ("deliverOrderV2", {"orderDelivery": {"orderId": "x", "lineList": {"line": [{"lineId": "x"}]}}}, "quantity"),
        ("cancelOrderV2", {"orderId": "x"}, "employee, workplace"),
        ("getOrdersByExtOrderIds", {}, "extOrderIds"),
    ],
)
async def test_what_the_schema_forbids_is_a_client_fault(pos: Sandbox, operation: str, fields: dict[str, str], says: str) -> None:
    """The fault names what is wrong, and nothing is booked."""
    code, text = fault(await call(pos, operation, inner(operation, fields)))
    assert (code, pos.effects) == ("SOAP-ENV:Client", [])
    assert says in text


async def test_a_key_is_answered_once_and_then_replayed(pos: Sandbox) -> None:
    """createOrderV3 with a key seen before answers as the first time, whatever was sent since; failures too."""
    first = await ask(pos, "createOrderV3", idempotencyKey="k", order=order("a-1"))
    pos.shop.cashier_changes(first["info"]["orderId"])
    again = await ask(pos, "createOrderV3", idempotencyKey="k", order=order("a-2"))
    assert first["idempotencyResult"] == "IDEMPOTENCY-RESULT-ORIGINAL-RESPONSE"
    assert again == {**first, "idempotencyResult": "IDEMPOTENCY-RESULT-REPLAY-RESPONSE"}
    for expected in ("ORIGINAL", "REPLAY"):
        failed = await ask(pos, "createOrderV3", idempotencyKey="l", order=order("a-1"))
        assert failed["result"] == "EXT-ORDER-ID-ALREADY-EXISTS"
        assert expected in failed["idempotencyResult"]
    assert [(row["effect"], row["idempotencyKey"]) for row in pos.effects] == [("created", "k"), ("updated", None)]


async def test_keys_can_be_forgotten() -> None:
    """With forget_keys a replay after so many seconds is a new call."""
    async with Sandbox(SandboxOptions(items=40, forget_keys=0)) as pos:
        results = [
            (await ask(pos, "createOrderV3", idempotencyKey="k", order=order("a-1")))["result"],
            (await ask(pos, "createOrderV3", idempotencyKey="k", order=order("a-1")))["result"],
        ]
    assert results == ["OK", "EXT-ORDER-ID-ALREADY-EXISTS"]


async def test_a_deposit_can_come_with_the_order(pos: Sandbox) -> None:
    """createOrderV3 with prepay books the payments; without prepay they must cover the order, and it is invoiced."""
    some = payments(payment(500, "c-1"))
    told = await ask(pos, "createOrderV3", idempotencyKey="k", order=order("a-1"), prepay=True, paymentList=some)
    assert (told["result"], told["payResult"], told["order"]["prepaidAmount"]) == ("OK", "PAY-ORDER-RESULT-OK", "500")
    assert told["order"]["paymentList"]["payment"]["externalReference"] == "c-1"
    told = await ask(pos, "createOrderV3", idempotencyKey="l", order=order("a-2"), paymentList=payments(payment(TOTAL)))
    assert told["invoiceId"] == told["order"]["invoiceIds"]["id"]
    assert effects(pos) == ["created", "paid", "created", "paid", "delivered", "invoiced"]


@pytest.mark.parametrize("prepay", [True, False])
async def test_where_the_payment_fails_the_order_exists_nevertheless(pos: Sandbox, prepay: bool) -> None:
    """PAYMENT-FAILED, by a payment that cannot be booked or by order of a test: created, and not paid."""
    wrong = payments(payment(100, method="SHELLS") if prepay else payment(100))
    told = await ask(pos, "createOrderV3", idempotencyKey="k", order=order("a-1"), prepay=prepay, paymentList=wrong)
    expected = "FAILED" if prepay else "PAYMENT-INSUFFICIENT"
    assert (told["result"], told["payResult"]) == ("PAYMENT-FAILED", f"PAY-ORDER-RESULT-{expected}")
    pos.faults.results.tell("createOrderV3", ["CREATE-ORDER-RESULT-PAYMENT-FAILED"])
    right = payments(payment(TOTAL))
    told = await ask(pos, "createOrderV3", idempotencyKey="l", order=order("a-2"), paymentList=right)
    assert (told["result"], told["order"]["prepaidAmount"]) == ("PAYMENT-FAILED", "0")
    assert told["info"]["orderId"] == told["order"]["orderId"]
    assert effects(pos) == ["created", "created"]


async def test_an_order_can_be_queued_until_a_hook_books_it(pos: Sandbox) -> None:
    """orderQueued: accepted, not found, its extOrderId taken; booked it has the identity and the payment announced."""
    pos.faults.switch("queue_order", count=1, seconds=0)
    some = payments(payment(500))
    told = await ask(pos, "createOrderV3", idempotencyKey="k", order=order("a-1"), prepay=True, paymentList=some)
    assert (told["result"], told["info"]["orderQueued"], "order" in told, pos.effects) == ("OK", "true", False, [])
    assert (await ask(pos, "findOrder", extOrderId="a-1"))["result"] == "NOT-FOUND"
    assert (await ask(pos, "createOrder", order=order("a-1")))["result"] == "EXT-ORDER-ID-ALREADY-EXISTS"
    assert (await control(pos, "cashier", {"does": "books"})).json() == {"booked": 1}
    found = (await ask(pos, "findOrder", extOrderId="a-1"))["order"]
    assert (found["orderId"], found["prepaidAmount"]) == (told["info"]["orderId"], "500")
    assert effects(pos) == ["created", "paid"]


async def test_a_queued_order_is_booked_in_time(pos: Sandbox) -> None:
    """With seconds it is booked so much later without a hook."""
    pos.faults.switch("queue_order", count=1, seconds=0.3)
    await ask(pos, "createOrder", order=order("a-1"))
    assert (await ask(pos, "findOrder", extOrderId="a-1"))["result"] == "NOT-FOUND"
    await asyncio.sleep(0.35)
    assert (await ask(pos, "findOrder", extOrderId="a-1"))["result"] == "OK"


async def test_orders_are_read_by_their_ext_order_ids(pos: Sandbox) -> None:
    """Those that exist come, from the marker asked for and no more than the limit."""
    first, second = await create(pos, "a-1"), await create(pos, "a-2")
    ids = {"id": ["a-2", "nobody's", "a-1"]}
    both = await ask(pos, "getOrdersByExtOrderIds", extOrderIds=ids)
    assert [found["orderId"] for found in both["orderList"]["order"]] == [first, second]
    marker = both["orderList"]["order"][1]["syncMarker"]
    later = await ask(pos, "getOrdersByExtOrderIds", syncMarker=int(marker), extOrderIds=ids)
    assert later["orderList"]["order"]["orderId"] == second
    one = await ask(pos, "getOrdersByExtOrderIds", syncMarkerLimit=1, extOrderIds=ids)
    assert one["orderList"]["order"]["orderId"] == first


async def test_who_is_not_there_is_not_found(pos: Sandbox) -> None:
    """Reads, update and cancel have a result for it; pay and deliver fail; of nothing there are no packing slips."""
    assert (await ask(pos, "findOrder", extOrderId=""))["result"] == "NOT-FOUND"
    assert (await ask(pos, "getOrder", orderId="x"))["result"] == "NOT-FOUND"
    assert (await ask(pos, "updateOrder", order={"orderId": "x"}))["result"] == "NOT-FOUND"
    assert (await ask(pos, "cancelOrder", orderId="x"))["result"] == "NOT-FOUND"
    assert (await ask(pos, "payOrder", orderId="x", prepay=True, paymentList={}))["result"] == "FAILED"
    assert (await ask(pos, "deliverOrder", orderId="x"))["result"] == "FAILED"
    assert (await ask(pos, "getPackingSlipsByOrder", orderId="x"))["packingSlipList"] == ""
