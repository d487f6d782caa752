"""Faults of the order operations: before and after the effect, told results, operations that are not there."""

import asyncio

import httpx
import pytest

from connector.sandbox import Faults, Sandbox
from connector.sandbox.faults.result_codes import CODES
from tests.support.pos.sandbox_calls import call, control, fault
from tests.support.pos.sandbox_orders import TOTAL, Value, ask, create, effects, inner, look, order, payment, payments

CUT = (httpx.RemoteProtocolError, httpx.ReadError)


def _deposit(order_id: str, key: str = "k") -> str:
    fields = {"idempotencyKey": key, "orderId": order_id, "prepay": True, "paymentList": payments(payment(100, "c-1"))}
    return inner("payOrderV2", fields)


@pytest.mark.parametrize(("kind", "booked"), [("drop_before", False), ("drop_after", True)])
async def test_a_cut_connection_leaves_the_effect_or_not(pos: Sandbox, kind: str, booked: bool) -> None:
    """drop_before did nothing, drop_after did it: only looking tells, and V2's key replays it."""
    order_id = await create(pos)
    pos.faults.switch(kind, count=1, operations=["payOrderV2"])
    with pytest.raises(CUT):
        await call(pos, "payOrderV2", _deposit(order_id))
    assert ("paid" in effects(pos)) == booked
    again = await call(pos, "payOrderV2", _deposit(order_id))
    assert ("REPLAY" in again.text) == booked
    assert effects(pos) == ["created", "paid"]


@pytest.mark.parametrize(("kind", "booked"), [("server_fault", False), ("server_fault_after", True)])
async def test_a_server_fault_leaves_the_effect_or_not(pos: Sandbox, kind: str, booked: bool) -> None:
    """Both answer a Server fault; only server_fault_after has done what was asked."""
    order_id = await create(pos)
    pos.faults.switch(kind, count=1)
    assert fault(await call(pos, "deliverOrder", inner("deliverOrder", {"orderId": order_id})))[0] == "SOAP-ENV:Server"
    assert ("delivered" in effects(pos)) == booked


@pytest.mark.parametrize(("kind", "booked"), [("delay_seconds", False), ("delay_after_seconds", True)])
async def test_a_delay_holds_back_the_effect_or_the_answer(pos: Sandbox, kind: str, booked: bool) -> None:
    """While the call hangs the effect is still to come or already there; a caller that gave up does not stop it."""
    order_id = await create(pos)
    pos.faults.switch(kind, count=1, seconds=1, operations=["payOrderV2"])
    impatient = asyncio.create_task(call(pos, "payOrderV2", _deposit(order_id)))
    async with asyncio.timeout(20):
        while not pos.requests.counts["payOrderV2"]:
            await control(pos, "heads")
        impatient.cancel()
        assert ("paid" in effects(pos)) == booked
        while effects(pos) != ["created", "paid"]:
            await control(pos, "heads")


async def test_results_are_told_for_so_many_calls(pos: Sandbox) -> None:
    """The next calls answer what was told, without effect; then the truth again."""
    order_id = await create(pos)
    told = {"deliverOrder": ["DELIVER-ORDER-RESULT-FAILED"] * 2, "cancelOrder": ["CANCEL-ORDER-RESULT-PENDING"]}
    assert (await control(pos, "faults", {"results": told})).json()["results"] == told
    results = [(await ask(pos, "deliverOrder", orderId=order_id))["result"] for _ in range(3)]
    assert results == ["FAILED", "FAILED", "OK"]
    assert (await ask(pos, "cancelOrder", orderId=order_id))["result"] == "PENDING"
    assert effects(pos) == ["created", "delivered"]
    assert "results" not in (await control(pos, "faults")).json()


async def test_results_are_told_with_the_effect(pos: Sandbox) -> None:
    """With `effect` the command is carried out and answers otherwise; what is truly refused keeps its own result."""
    order_id = await create(pos)
    lie = {"result": "PAY-ORDER-RESULT-FAILED", "effect": True}
    await control(
        pos, "faults", {"results": {"payOrderV2": [lie], "cancelOrder": [{**lie, "result": "CANCEL-ORDER-RESULT-FAILED"}]}}
    )
    assert "PAY-ORDER-RESULT-FAILED" in (await call(pos, "payOrderV2", _deposit(order_id))).text
    assert (await look(pos, order_id))["prepaidAmount"] == "100"
    assert (await ask(pos, "cancelOrder", orderId="x"))["result"] == "NOT-FOUND"


async def test_a_told_result_is_replayed_by_its_key(pos: Sandbox) -> None:
    """The answer stored under a key is the one that was given; another key is carried out."""
    order_id = await create(pos)
    pos.faults.results.tell("payOrderV2", ["PAY-ORDER-RESULT-ORDER-HAS-CHANGED"])
    for _ in range(2):
        assert "ORDER-HAS-CHANGED" in (await call(pos, "payOrderV2", _deposit(order_id))).text
    assert "RESULT-OK" in (await call(pos, "payOrderV2", _deposit(order_id, "l"))).text


@pytest.mark.parametrize("operation", CODES)
async def test_every_result_code_can_be_told(pos: Sandbox, operation: str) -> None:
    """Each code of each operation is answered when told, and no other is accepted."""
    prefix, codes = CODES[operation]
    pos.faults.results.tell(operation, [prefix + code for code in codes])
    tills = {"workplace": {"branchNumber": 1, "workplaceNumber": 1}, "employee": {"employeeNumber": 1}}
    rows: dict[str, dict[str, Value]] = {
        "createOrder": {"order": order("a")},
        "createOrderV3": {"order": order("a")},
        "updateOrder": {"order": {"orderId": "x"}},
        "updateOrderV2": {"order": {"orderId": "x"}},
        "cancelOrderV2": {**tills, "orderId": "x"},
        "payOrder": {"orderId": "x", "prepay": True, "paymentList": {}},
        "payOrderV2": {"orderId": "x", "prepay": True, "paymentList": {}},
        "deliverOrderV2": {"orderDelivery": {"orderId": "x", "lineList": {}}},
    }
    row = rows.get(operation, {"orderId": "x"})
    keyed = operation in ("createOrderV3", "payOrderV2")
    found = [(await ask(pos, operation, **({"idempotencyKey": code} if keyed else {}), **row))["result"] for code in codes]
    assert found == list(codes)
    with pytest.raises(ValueError, match="never answers"):
        pos.faults.results.tell(operation, [f"{prefix}MAYBE"])


@pytest.mark.parametrize(
    "wrong",
    [
        {"payOrder": "PAY-ORDER-RESULT-FAILED"},
        {"payOrder": ["FAILED"]},
        {"payOrder": [1]},
        {"payOrder": [{"result": "PAY-ORDER-RESULT-FAILED", "effect": 1}]},
        {"payOrder": [{"result": "PAY-ORDER-RESULT-FAILED", "chance": 1}]},
        {"getOrders": ["PAY-ORDER-RESULT-FAILED"]},
        [],
    ],
)
async def test_results_that_make_no_sense_are_refused(pos: Sandbox, wrong: object) -> None:
    """HTTP 400, and nothing was switched."""
    response = await control(pos, "faults", {"garbage": 1, "results": wrong})
    assert response.status_code == 400
    assert (await control(pos, "faults")).json() == {"missing_operations": []}


async def test_operations_can_be_missing_or_unlicensed(pos: Sandbox) -> None:
    """An old administration does not know V3 and V2; one without the agreement says that it has no licence to pay."""
    await control(pos, "faults", {"missing_operations": ["createOrderV3"], "unlicensed_operations": ["payOrder"]})
    fields: dict[str, Value] = {"idempotencyKey": "k", "order": order("a")}
    assert "not implemented" in fault(await call(pos, "createOrderV3", inner("createOrderV3", fields)))[1]
    assert fault(await call(pos, "payOrder", "<request/>")) == ("SOAP-ENV:Client", "No licence for 'payOrder'")
    pos.faults.clear()
    order_id = await create(pos)
    some = payments(payment(TOTAL))
    assert (await ask(pos, "payOrder", orderId=order_id, prepay=True, paymentList=some))["result"] == "OK"


def test_clearing_brings_everything_back() -> None:
    """clear switches off kinds, told results, missing and unlicensed operations."""
    faults = Faults()
    faults.load(
        {"queue_order": {"count": 1}, "unlicensed_operations": ["payOrder"], "results": {"payOrder": ["PAY-ORDER-RESULT-OK"]}}
    )
    faults.clear()
    assert faults.as_json() == {"missing_operations": []}
