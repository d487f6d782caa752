"""The order operations as the vendor's WSDL has them: valid requests and answers, and a whole life through zeep."""

import asyncio
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from connector.sandbox import Sandbox
from connector.sandbox.faults.result_codes import CODES
from connector.sandbox.operations import OPERATIONS
from tests.support.pos.sandbox_calls import PLUS, WAYS, call, page_request
from tests.support.pos.sandbox_orders import BREAD, BUN, ORDER_OPERATIONS, TOTAL, Value, inner, order, payment, payments
from tests.support.pos.zeep_client import service

TILL = {"workplace": {"branchNumber": 1, "workplaceNumber": 1}, "employee": {"employeeNumber": 1}}
Walk = list[tuple[str, dict[str, Value]]]


def _walk(order_id: str, line_id: str, counter: int) -> Walk:
    """Every operation, most of them with success and with a refusal; `order_id` is deposited on, changed and part delivered."""
    deposit = payments(payment(100, "c-1"))
    part = {"orderDelivery": {"orderId": order_id, "lineList": {"line": [{"lineId": line_id, "quantity": 1}]}}}
    change = {"orderId": order_id, "reference": "anders", "changeCounter": counter}
    again = {**change, "changeCounter": counter + 1}
    return [
        ("findOrder", {"extOrderId": "a-1"}),
        ("findOrder", {"extOrderId": "nobody's"}),
        ("updateOrder", {"order": change}),
        ("updateOrder", {"order": change}),
        ("updateOrderV2", {"order": again}),
        ("updateOrderV2", {"order": {**again, "reference": "weer"}}),
        ("payOrder", {"orderId": order_id, "prepay": True, "paymentList": deposit}),
        *[("payOrderV2", {"idempotencyKey": "k", "orderId": order_id, "prepay": True, "paymentList": deposit})] * 2,
        ("deliverOrderV2", part),
        ("deliverOrderV2", {"orderDelivery": {"orderId": order_id, "lineList": {}}}),
        *[("cancelOrderV2", {**TILL, "orderId": order_id})] * 2,
        ("getOrder", {"orderId": order_id}),
        ("getOrder", {"orderId": "x"}),
        *[("cancelOrder", {"orderId": order_id, "request": {"branchNumber": 1}})] * 2,
        ("cancelOrderV2", {**TILL, "orderId": order_id}),
        ("payOrder", {"orderId": order_id, "prepay": False, "paymentList": payments(payment(TOTAL))}),
        *[("deliverOrder", {"orderId": order_id})] * 2,
        *[("createOrderV3", {"idempotencyKey": "k", "order": order("a-2"), "prepay": True, "paymentList": deposit})] * 2,
        ("createOrderV3", {"idempotencyKey": "l", "order": order("a-3"), "paymentList": payments(payment(TOTAL))}),
        ("createOrderV3", {"idempotencyKey": "m", "order": order("a-4"), "paymentList": payments(payment(1))}),
        ("createOrderV3", {"idempotencyKey": "n", "order": order("a-4")}),
        ("getPackingSlipsByOrder", {"orderId": order_id}),
        ("getOrdersByExtOrderIds", {"extOrderIds": {"id": ["a-1", "a-2", "a-3"]}}),
    ]


async def test_every_request_and_answer_is_valid(pos: Sandbox, schema: Any) -> None:
    """Requests and answers of every order operation, refusals and replays among them, are what the XSD allows."""
    created = await _checked(pos, schema, "createOrder", {"order": order("a-1")})
    order_id = created.findtext(".//{*}orderId")
    whole = await _checked(pos, schema, "getOrder", {"orderId": order_id})
    walk = _walk(order_id, whole.findtext(".//{*}lineId"), 0)
    assert {operation for operation, _ in walk} | {"createOrder"} == ORDER_OPERATIONS
    for operation, fields in walk:
        await _checked(pos, schema, operation, fields)
    await _checked(pos, schema, "createOrder", {"order": order("a-1")})
    pos.faults.switch("queue_order", count=1, seconds=0)
    await _checked(pos, schema, "createOrderV3", {"idempotencyKey": "q", "order": order("q")})


async def _checked(pos: Sandbox, schema: Any, operation: str, fields: Mapping[str, Value]) -> Any:
    """The answer's element, after both were checked."""
    said = inner(operation, fields)
    asked = etree.fromstring(f'<{operation} xmlns="urn:mplusqapi">{said}</{operation}>')
    assert schema.validate(asked), (operation, schema.error_log)
    response = await call(pos, operation, said)
    assert response.status_code == 200, response.text
    told = etree.fromstring(etree.tostring(etree.fromstring(response.content)[0][0]))
    assert schema.validate(told), (operation, schema.error_log)
    return told


@pytest.mark.parametrize("entity", ["order", "invoice", "packingSlip", "stock"])
async def test_what_commands_made_is_valid_on_the_pages_too(pos: Sandbox, schema: Any, entity: str) -> None:
    """Documents that commands and cashiers made, also of the seeded shop's orders, are what the XSD allows."""
    for item in [item for item in pos.shop.sequences["order"] if not item.deleted][:12]:
        found = pos.shop.document(item)
        if not found["invoiceIds"]["id"]:
            pos.shop.cashier_delivers(item.identity, {found["lineList"]["line"][-1]["lineId"]: Decimal("0.1")})
            pos.shop.cashier_pays(item.identity, 100_000, prepay=False)
    assert "invoiced" in {row["effect"] for row in pos.effects}
    response = await call(pos, WAYS[entity].operation, page_request(entity))
    told = etree.fromstring(etree.tostring(etree.fromstring(response.content)[0][0]))
    assert schema.validate(told), schema.error_log


def test_the_result_codes_are_those_of_the_wsdl(wsdl: Path) -> None:
    """Prefix and codes of each command are the values of its answer's result."""
    xsd = "{http://www.w3.org/2001/XMLSchema}"
    root = etree.parse(wsdl)
    for operation, (prefix, codes) in CODES.items():
        name = OPERATIONS[operation].response
        found = root.find(f".//{xsd}complexType[@name='{name}']//{xsd}element[@name='result']").get("type").partition(":")[2]
        values = root.findall(f".//{xsd}simpleType[@name='{found}']//{xsd}enumeration")
        assert [prefix + code for code in codes] == [value.get("value") for value in values], operation


async def test_a_client_made_from_the_wsdl_walks_an_order_through_its_life(pos: Sandbox, wsdl: Path) -> None:
    """zeep creates, deposits, delivers a part, pays the rest and finds packing slips and invoice where they should be."""
    marker = pos.shop.heads()
    told = await asyncio.to_thread(_live, pos, wsdl)
    assert [result.rpartition("-")[2] for result in told["results"]] == ["OK"] * 4
    assert [row["effect"] for row in pos.effects] == ["created", "paid", "delivered", "paid", "delivered", "invoiced"]
    assert [row["amount"] for row in pos.effects if row["effect"] == "paid"] == [500, TOTAL - 500]
    assert told["order"].invoiceIds.id == [told["invoice"]]
    assert (told["order"].fullyPaid, told["order"].deliveryState) == (True, "ORDER-DELIVERY-STATE-COMPLETE")
    assert [slip.packingSlipId for slip in told["slips"]] == told["order"].packingSlipIds.id
    invoices = (await call(pos, "getInvoices", f"<request><syncMarker>{marker['invoice'] + 1}</syncMarker>{PLUS}</request>")).text
    assert told["invoice"] in invoices


def _live(pos: Sandbox, wsdl: Path) -> dict[str, Any]:
    api = service(str(wsdl), f"{pos.url}?ident={pos.ident}&secret={pos.secret}")
    lines = [{"articleNumber": BREAD, "data": {"quantity": 2}}, {"articleNumber": BUN, "data": {"quantity": 4}}]
    sent = {"orderId": "", "extOrderId": "z-1", "relationNumber": 2, "lineList": {"line": lines}}
    made = api.createOrderV3(request={"idempotencyKey": "z-1", "order": sent})
    name, first = made.order.orderId, made.order.lineList.line[0].lineId
    some = {"payment": [{"method": "IDEAL", "amount": 500}]}
    deposit = api.payOrderV2(request={"idempotencyKey": "z-2", "orderId": name, "prepay": True, "paymentList": some})
    part = {"orderId": name, "lineList": {"line": [{"lineId": first, "quantity": 1}]}}
    delivery = api.deliverOrderV2(request={"orderDelivery": part})
    rest = {"payment": [{"method": "PIN", "amount": TOTAL - 500}]}
    last = api.payOrderV2(request={"idempotencyKey": "z-3", "orderId": name, "prepay": False, "paymentList": rest})
    slips = api.getPackingSlipsByOrder(request={"orderId": name})
    return {
        "results": [made.result, deposit.result, last.result, delivery.result],
        "order": api.findOrder(extOrderId="z-1").order,
        "invoice": last.invoiceId,
        "slips": slips if isinstance(slips, list) else slips.packingSlip,
    }


async def test_a_client_made_from_the_wsdl_can_call_them_all(pos: Sandbox, wsdl: Path) -> None:
    """zeep writes each order operation's request and reads its answer."""
    order_id = pos.shop.enter("order", lambda draft: pos.shop.document(draft.item) | {"extOrderId": "a-1"}).identity
    called = await asyncio.to_thread(_call_all, pos, wsdl, order_id)
    assert called | {"createOrder"} == ORDER_OPERATIONS


def _call_all(pos: Sandbox, wsdl: Path, order_id: str) -> set[str]:
    api = service(str(wsdl), f"{pos.url}?ident={pos.ident}&secret={pos.secret}")
    assert api.createOrder(order=_for_zeep(order("b-1"))).info.orderId
    walk = _walk(order_id, "x", 0)
    for operation, fields in walk:
        sent = _for_zeep(fields)
        wrapped = operation not in ("findOrder", "getOrder", "createOrder", "updateOrder", "cancelOrder")
        assert api[operation](**({"request": sent} if wrapped else sent)) is not None, operation
    return {operation for operation, _ in walk}


def _for_zeep(value: Any) -> Any:
    """Without what is None, which zeep would take for a value."""
    if isinstance(value, dict):
        return {name: _for_zeep(each) for name, each in value.items() if each is not None}
    return [_for_zeep(each) for each in value] if isinstance(value, list) else value
