"""What the sandbox gets wrong about orders when it is told to, always within the schema, and never in its effects."""

import re
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from connector.sandbox import Sandbox
from connector.sandbox.faults.lapses import left_out
from connector.sandbox.faults.switches import KINDS
from tests.support.pos.sandbox_calls import call
from tests.support.pos.sandbox_orders import TOTAL, Value, ask, create, effects, inner, look, payment, payments

PAGE = Path(__file__).parents[2] / "docs" / "development.md"


def _deposit(order_id: str, reference: str = "psp-4711") -> dict[str, Value]:
    return {"idempotencyKey": "k", "orderId": order_id, "prepay": True, "paymentList": payments(payment(100, reference))}


async def test_a_forgotten_key_is_carried_out_once_more(pos: Sandbox) -> None:
    """forget_key takes a repeated call for a new one, that once."""
    order_id = await create(pos)
    first = await ask(pos, "payOrderV2", **_deposit(order_id))
    pos.faults.switch("forget_key", count=1)
    second, third = [await ask(pos, "payOrderV2", **_deposit(order_id)) for _ in range(2)]
    assert ["ORIGINAL", "ORIGINAL", "REPLAY"] == [row["idempotencyResult"].split("-")[2] for row in (first, second, third)]
    assert effects(pos) == ["created", "paid", "paid"]


@pytest.mark.parametrize(("kind", "kept"), [("cut_reference", "psp-"), ("drop_reference", "")])
async def test_a_reference_is_not_kept_as_it_was_sent(pos: Sandbox, kind: str, kept: str) -> None:
    """cut_reference keeps half of it, drop_reference nothing; the effects tell what was sent."""
    order_id = await create(pos)
    pos.faults.switch(kind, count=1)
    await ask(pos, "payOrderV2", **_deposit(order_id))
    assert (await look(pos, order_id))["paymentList"]["payment"]["externalReference"] == kept
    assert pos.effects[-1]["externalReference"] == "psp-4711"


async def test_a_slip_has_a_line_that_nobody_ordered(pos: Sandbox) -> None:
    """add_slip_line puts a line without salesOrderLineId on the slip; order and effects know nothing of it."""
    order_id = await create(pos)
    pos.faults.switch("add_slip_line", count=1)
    await ask(pos, "deliverOrder", orderId=order_id)
    (slip,) = (await ask(pos, "getPackingSlipsByOrder", orderId=order_id))["packingSlipList"].values()
    assert [True, True, False] == ["salesOrderLineId" in line for line in slip["lineList"]["line"]]
    assert 2 == len(pos.effects[-1]["lines"])
    assert (await look(pos, order_id))["totalInclAmount"] == str(TOTAL)


async def _shown(pos: Sandbox, schema: Any, operation: str, order_id: str) -> Any:
    response = await call(pos, operation, inner(operation, {"orderId": order_id}))
    told = etree.fromstring(etree.tostring(etree.fromstring(response.content)[0][0]))
    assert schema.validate(told), schema.error_log
    return told


def _names(element: Any) -> set[str]:
    return {each.tag.rpartition("}")[2] for each in element.iter()}


async def test_whatever_is_left_out_the_answer_is_valid(pos: Sandbox, schema: Any) -> None:
    """leave_out shows orders and slips without optional elements, others each time, as the XSD allows; that is all it does."""
    order_id = await create(pos)
    await ask(pos, "payOrderV2", **_deposit(order_id))
    pos.faults.switch("add_slip_line", count=1)
    await ask(pos, "deliverOrder", orderId=order_id)
    whole = {operation: await _shown(pos, schema, operation, order_id) for operation in ("getOrder", "getPackingSlipsByOrder")}
    pos.faults.switch("leave_out", probability=1)
    missing = set[str]()
    for operation, all_of_it in whole.items():
        for _ in range(60):
            told = await _shown(pos, schema, operation, order_id)
            missing |= _names(all_of_it) - _names(told)
    assert {"paymentList", "externalReference", "lineList", "salesOrderLineId", "deliveryState", "invoiceIds"} <= missing
    assert not {"orderId", "packingSlipId", "result", "order"} & missing
    pos.faults.clear()
    assert etree.tostring(whole["getOrder"]) == etree.tostring(await _shown(pos, schema, "getOrder", order_id))


def test_lists_are_whole_or_not_there() -> None:
    """A list never comes without its rows, nor an amount without its decimal places."""
    order = {"orderId": "o", "lineList": {"line": [{"articleNumber": 1, "data": {"quantity": 5, "decimalPlaces": 1}}]}}

    class Always:
        def random(self) -> float:
            return 0.0

    assert left_out(order, Always()) == {"orderId": "o"}  # type: ignore[arg-type]
    kept = left_out(order["lineList"], Always())  # type: ignore[arg-type]
    assert kept == {"line": [{"articleNumber": 1}]}


def test_every_fault_is_documented() -> None:
    """The table of the sandbox's faults names each that can be switched, and no other."""
    table = PAGE.read_text().partition("## The sandbox's faults")[2].partition("\n## ")[0]
    assert sorted(KINDS) == sorted(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE))
