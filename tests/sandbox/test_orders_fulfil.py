"""Paying, delivering and invoicing orders, and what the source operations then show."""

from functools import partial
from typing import Any

import pytest

from connector.sandbox import Sandbox, SandboxOptions
from tests.support.pos.sandbox_calls import answer, page, page_request
from tests.support.pos.sandbox_orders import TOTAL, Value, ask, create, effects, look, order, payment, payments, plain

PAY = ("payOrder", "payOrderV2")


async def _pay(pos: Sandbox, order_id: str, *rows: dict[str, Value], key: str | None = None, prepay: bool = True) -> Any:
    fields: dict[str, Value] = {"orderId": order_id, "prepay": prepay, "paymentList": payments(*rows)}
    if key is None:
        return await ask(pos, "payOrder", **fields)
    return await ask(pos, "payOrderV2", **{"idempotencyKey": key, **fields})


async def _deliver(pos: Sandbox, order_id: str, *lines: tuple[str, int], places: int | None = None) -> Any:
    rows = [{"lineId": line, "quantity": quantity, "decimalPlaces": places} for line, quantity in lines]
    return await ask(pos, "deliverOrderV2", orderDelivery={"orderId": order_id, "lineList": {"line": rows}})


async def _lines(pos: Sandbox, order_id: str) -> dict[str, str]:
    """lineId -> delivered quantity."""
    return {line["lineId"]: line["data"]["deliveredQuantity"] for line in (await look(pos, order_id))["lineList"]["line"]}


@pytest.mark.parametrize("key", [None, "k"])
async def test_a_deposit_is_booked_and_recognised(pos: Sandbox, key: str | None) -> None:
    """The order shows payments with ids and the caller's references; it is not invoiced."""
    order_id = await create(pos)
    two = [payment(100, "c-1"), {"method": "CASH", "amount": 50, "externalPaymentId": "e-1"}]
    told = await _pay(pos, order_id, *two, key=key)
    assert (told["result"], "invoiceId" in told) == ("OK", False)
    found = await look(pos, order_id)
    first, second = found["paymentList"]["payment"]
    assert (first["externalReference"], second["externalPaymentId"]) == ("c-1", "e-1")
    assert first["paymentId"] != second["paymentId"]
    assert (found["prepaidAmount"], found["changeCounter"]) == ("150", "1")
    assert [(row["amount"], row["externalReference"]) for row in pos.effects[1:]] == [(100, "c-1"), (50, None)]
    assert [row["document"] for row in pos.effects[1:]] == [first["paymentId"], second["paymentId"]]


async def test_pay_order_pays_twice_and_v2_once(pos: Sandbox) -> None:
    """V1 knows no keys; V2 answers the same key with the first response and books nothing."""
    first, second = await create(pos, "a-1"), await create(pos, "a-2")
    for _ in range(2):
        await _pay(pos, first, payment(100))
    told = [await _pay(pos, second, payment(100), key="k") for _ in range(2)]
    assert [each["idempotencyResult"].split("-")[2] for each in told] == ["ORIGINAL", "REPLAY"]
    assert [row["orderId"] for row in pos.effects if row["effect"] == "paid"] == [first, first, second]


async def test_the_rest_must_cover_the_order(pos: Sandbox) -> None:
    """prepay=false: insufficient is refused without effect, enough makes packing slip and invoice, then it is invoiced."""
    order_id = await create(pos)
    await _pay(pos, order_id, payment(30))
    assert (await _pay(pos, order_id, payment(TOTAL - 31), prepay=False))["result"] == "PAYMENT-INSUFFICIENT"
    told = await _pay(pos, order_id, payment(TOTAL - 30), prepay=False)
    found = await look(pos, order_id)
    assert told["invoiceId"] == found["invoiceIds"]["id"]
    assert (found["deliveryState"], found["completeState"]) == ("ORDER-DELIVERY-STATE-COMPLETE", "ORDER-COMPLETE-STATE-COMPLETE")
    assert found["prepaidAmount"] == str(TOTAL)
    assert effects(pos) == ["created", "paid", "paid", "delivered", "invoiced"]
    for prepay in (True, False):
        assert (await _pay(pos, order_id, payment(1), prepay=prepay))["result"] == "ORDER-ALREADY-INVOICED"
    assert (await ask(pos, "deliverOrder", orderId=order_id))["result"] == "ALREADY-DELIVERED"


async def test_a_payment_must_be_one(pos: Sandbox) -> None:
    """FAILED: no payment at all, or a method that the shop does not know."""
    order_id = await create(pos)
    assert (await _pay(pos, order_id))["result"] == "FAILED"
    assert (await _pay(pos, order_id, payment(1), payment(1, method="SHELLS")))["result"] == "FAILED"
    assert effects(pos) == ["created"]


async def test_an_order_is_delivered_whole_once(pos: Sandbox) -> None:
    """deliverOrder makes one packing slip with all lines; again it is ALREADY-DELIVERED."""
    order_id = await create(pos)
    told = await ask(pos, "deliverOrder", orderId=order_id)
    found = await look(pos, order_id)
    assert found["packingSlipIds"]["id"] == told["packingSlipId"]
    assert found["deliveryState"] == "ORDER-DELIVERY-STATE-COMPLETE"
    slip = (await ask(pos, "getPackingSlipsByOrder", orderId=order_id))["packingSlipList"]["packingSlip"]
    assert (slip["packingSlipId"], slip["state"]) == (told["packingSlipId"], "PACKING-SLIP-STATE-OPEN")
    assert [line["data"]["quantity"] for line in slip["lineList"]["line"]] == ["2", "4"]
    assert slip["totalInclAmount"] == str(TOTAL)
    assert (await ask(pos, "deliverOrder", orderId=order_id))["result"] == "ALREADY-DELIVERED"
    assert effects(pos) == ["created", "delivered"]


async def test_a_part_is_delivered_each_time_it_is_asked(pos: Sandbox) -> None:
    """deliverOrderV2 is not idempotent; each call makes a slip that names the order's lines, until nothing is open."""
    order_id = await create(pos)
    bread, bun = await _lines(pos, order_id)
    for _ in range(2):
        assert (await _deliver(pos, order_id, (bun, 1)))["result"] == "OK"
    assert await _lines(pos, order_id) == {bread: "0", bun: "2"}
    assert (await look(pos, order_id))["deliveryState"] == "ORDER-DELIVERY-STATE-PARTIAL"
    assert (await _deliver(pos, order_id, (bun, 1), (bread, 2), (bun, 1)))["result"] == "OK"
    slips = (await ask(pos, "getPackingSlipsByOrder", orderId=order_id))["packingSlipList"]["packingSlip"]
    assert [slip["totalInclAmount"] for slip in slips] == ["195", "195", "1240"]
    assert [line["salesOrderLineId"] for line in slips[2]["lineList"]["line"]] == [bread, bun]
    assert (await look(pos, order_id))["deliveryState"] == "ORDER-DELIVERY-STATE-COMPLETE"
    assert (await _deliver(pos, order_id, (bun, 1)))["result"] == "ALREADY-DELIVERED"
    assert pos.effects[1]["lines"] == [{"lineId": bun, "quantity": 1, "decimalPlaces": 0}]


async def test_no_more_is_delivered_than_is_open(pos: Sandbox) -> None:
    """FAILED without effect: too much, also in two rows, nothing, less than nothing, a line of another order, no lines."""
    order_id = await create(pos)
    bread, _ = await _lines(pos, order_id)
    for rows in ([(bread, 3)], [(bread, 1), (bread, 2)], [(bread, 0)], [(bread, -1)], [("x", 1)], []):
        assert (await _deliver(pos, order_id, *rows))["result"] == "FAILED"
    assert effects(pos) == ["created"]


async def test_weights_are_delivered_with_decimals(pos: Sandbox) -> None:
    """A quantity with decimal places is compared and added as what it is worth."""
    weighed = {"articleNumber": 100, "data": {"quantity": 1500, "decimalPlaces": 3}}
    sent = {**order("w"), "lineList": {"line": [weighed]}}
    order_id = (await ask(pos, "createOrder", order=sent))["info"]["orderId"]
    (line,) = [(await look(pos, order_id))["lineList"]["line"]]
    assert (await _deliver(pos, order_id, (line["lineId"], 1)))["result"] == "OK"
    assert (await _deliver(pos, order_id, (line["lineId"], 6), places=1))["result"] == "FAILED"
    assert (await _deliver(pos, order_id, (line["lineId"], 5), places=1))["result"] == "OK"
    found = await look(pos, order_id)
    data = found["lineList"]["line"]["data"]
    assert (data["deliveredQuantity"], data["deliveredDecimalPlaces"]) == ("15", "1")
    assert found["deliveryState"] == "ORDER-DELIVERY-STATE-COMPLETE"


async def test_delivering_on_an_invoice_makes_one(pos: Sandbox) -> None:
    """With the turnover type of an invoice the whole delivery is invoiced, outstanding as far as nothing was paid."""
    order_id = await create(pos)
    told = await ask(pos, "deliverOrder", orderId=order_id, turnoverType="DELIVER-ORDER-TURNOVER-TYPE-INVOICE")
    assert told["invoiceId"] == (await look(pos, order_id))["invoiceIds"]["id"]
    assert (await _pay(pos, order_id, payment(TOTAL)))["result"] == "ORDER-ALREADY-INVOICED"
    assert effects(pos) == ["created", "delivered", "invoiced"]


async def _since(pos: Sandbox, heads: dict[str, int], entity: str) -> list[Any]:
    """What the source operation shows after these heads."""
    way = {"order": "getOrders", "invoice": "getInvoices", "packingSlip": "getPackingSlips", "stock": "getStockHistoryV2"}
    told = plain(await answer(pos, way[entity], page_request(entity, heads[entity] + 1)))
    inside = told["articleStockHistory"] if entity == "stock" else told[f"{entity}List"][entity]
    return inside if isinstance(inside, list) else [inside]


async def test_what_was_done_comes_back_through_the_source_operations(pos: Sandbox) -> None:
    """Order, packing slip, invoice, stock and points move their markers, and hold what the commands did."""
    before = pos.shop.heads()
    order_id = await create(pos)
    told = await _pay(pos, order_id, payment(TOTAL), prepay=False)
    (shown,) = await _since(pos, before, "order")
    assert shown == await look(pos, order_id)
    assert int(shown["syncMarker"]) == pos.shop.heads()["order"] == before["order"] + 2
    (slip,) = await _since(pos, before, "packingSlip")
    assert (slip["orderId"], slip["extOrderId"], slip["state"]) == (order_id, "a-1", "PACKING-SLIP-STATE-INVOICED")
    assert slip["invoiceId"] == told["invoiceId"]
    (invoice,) = await _since(pos, before, "invoice")
    assert (invoice["invoiceId"], invoice["orderIds"]["id"], invoice["state"]) == (
        told["invoiceId"],
        order_id,
        "INVOICE-STATE-PAID",
    )
    assert (invoice["paidAmount"], invoice["relationNumber"]) == (str(TOTAL), "3")
    moved = sorted(await _since(pos, before, "stock"), key=lambda row: int(row["stockId"]))
    assert [(row["articleNumber"], row["amountChanged"], row["orderId"]) for row in moved] == [
        ("20", "-2", order_id),
        ("10", "-4", order_id),
    ]
    assert await page(pos, "relationPoints", before["relationPoints"] + 1) == [("3", before["relationPoints"] + 1)]
    truth = pos.truth()
    assert (order_id in truth["order"], told["invoiceId"] in truth["invoice"]) == (True, True)


async def test_every_effect_moves_the_orders_marker_and_counters(pos: Sandbox) -> None:
    """With each change marker, changeCounter and versionNumber are higher than before."""
    order_id = await create(pos)
    bread, _ = await _lines(pos, order_id)
    seen = [await look(pos, order_id)]
    acts = (
        partial(pos.shop.cashier_changes, order_id),
        partial(pos.shop.cashier_pays, order_id, 1),
        partial(pos.shop.cashier_delivers, order_id, {bread: 1}),
        partial(pos.shop.cashier_cancels, order_id),
    )
    for act in acts:
        act()
        seen.append(await look(pos, order_id))
    for name in ("syncMarker", "changeCounter", "versionNumber"):
        numbers = [int(each[name]) for each in seen]
        assert numbers == sorted(set(numbers)), name


async def test_the_shops_own_life_leaves_these_orders_alone() -> None:
    """Activity changes and cancels the seeded shop's orders only, so that the ledger tells all that happened to the others."""
    async with Sandbox(SandboxOptions(items=5)) as pos:
        order_id = await create(pos)
        marker = (await look(pos, order_id))["syncMarker"]
        for _ in range(300):
            pos.activity.step()
        assert (await look(pos, order_id))["syncMarker"] == marker
