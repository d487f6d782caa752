"""updateOrder with its lock, cancelOrder, and the toggle that cancelOrderV2 is."""

from typing import Any

import pytest

from connector.sandbox import Sandbox
from tests.support.pos.sandbox_calls import answer, control
from tests.support.pos.sandbox_orders import BREAD, BUN, ask, create, effects, inner, look, payment, payments

TILL = {"workplace": {"branchNumber": 1, "workplaceNumber": 1}, "employee": {"employeeNumber": 1}}


async def _update(pos: Sandbox, order_id: str, counter: int | None, operation: str = "updateOrder", **fields: Any) -> str:
    """The result of an update; `fields` stand before changeCounter."""
    rows = fields.pop("rows", None)
    lines = None if rows is None else {"line": rows}
    sent = {"orderId": order_id, **fields, "changeCounter": counter, "lineList": lines}
    return str((await ask(pos, operation, order=sent))["result"])


@pytest.mark.parametrize("operation", ["updateOrder", "updateOrderV2"])
async def test_an_update_needs_the_counter_of_what_was_read(pos: Sandbox, operation: str) -> None:
    """OK raises the counter; the old one, one too high, or (after a change) none at all is ORDER-HAS-CHANGED."""
    order_id = await create(pos)
    assert await _update(pos, order_id, 0, operation, reference="een") == "OK"
    for counter in (0, 2, None):
        assert await _update(pos, order_id, counter, operation, reference="twee") == "ORDER-HAS-CHANGED"
    found = await look(pos, order_id)
    assert (found["changeCounter"], found["versionNumber"], found["reference"]) == ("1", "2", "een")
    assert effects(pos) == ["created", "updated"]


async def test_the_version_number_locks_too(pos: Sandbox) -> None:
    """Where it is sent it must be the order's."""
    order_id = await create(pos)
    sent = {"orderId": order_id, "reference": "x", "changeCounter": 0, "versionNumber": 9}
    assert (await ask(pos, "updateOrder", order=sent))["result"] == "ORDER-HAS-CHANGED"
    assert (await ask(pos, "updateOrder", order={**sent, "versionNumber": 1}))["result"] == "OK"


async def test_an_update_that_changes_nothing_says_so(pos: Sandbox) -> None:
    """NO-CHANGES: no marker moves, also when the whole order is sent back as it was read."""
    order_id = await create(pos, reference="een")
    head = pos.shop.heads()["order"]
    assert await _update(pos, order_id, 0, reference="een") == "NO-CHANGES"
    found = (await answer(pos, "getOrder", inner("getOrder", {"orderId": order_id})))[1]
    sent = "".join(_as_sent(child) for child in found)
    told = await answer(pos, "updateOrder", f"<order>{sent}</order>")
    assert told[0].text == "UPDATE-ORDER-RESULT-NO-CHANGES"
    assert pos.shop.heads()["order"] == head


def _as_sent(element: Any) -> str:
    name = element.tag.rpartition("}")[2]
    text = (element.text or "").replace("&", "&amp;").replace("<", "&lt;")
    return f"<{name}>{''.join(map(_as_sent, element)) or text}</{name}>"


async def test_an_order_of_the_seeded_shop_can_be_sent_back_too(pos: Sandbox) -> None:
    """What the shop was opened with is an order like any other: read, changed, sent back."""
    item = next(item for item in pos.shop.sequences["order"] if not item.deleted and item.revision == 0)
    found = (await answer(pos, "getOrder", inner("getOrder", {"orderId": item.identity})))[1]
    sent = "".join(_as_sent(child) for child in found)
    told = await answer(pos, "updateOrder", f"<order>{sent}</order>")
    assert told[0].text == "UPDATE-ORDER-RESULT-NO-CHANGES", told[2].text
    assert await _update(pos, item.identity, 0, reference="nu anders") == "OK"
    assert (await look(pos, item.identity))["reference"] == "nu anders"


async def test_lines_are_changed_added_and_removed(pos: Sandbox) -> None:
    """The lines sent are the order's lines: known ones keep their id, others get one; totals follow."""
    order_id = await create(pos)
    bread = (await look(pos, order_id))["lineList"]["line"][0]["lineId"]
    rows = [{"lineId": bread, "articleNumber": BREAD, "data": {"quantity": 3}}, {"articleNumber": 30}]
    assert await _update(pos, order_id, 0, rows=rows) == "OK"
    found = await look(pos, order_id)
    first, second = found["lineList"]["line"]
    assert (first["lineId"], first["data"]["quantity"], first["data"]["price"]) == (bread, "3", "425")
    assert second["lineId"] not in ("", bread)
    assert int(found["totalInclAmount"]) == 3 * 425 + int(second["data"]["price"])


async def test_an_update_that_cannot_be_is_refused(pos: Sandbox) -> None:
    """FAILED: another extOrderId, unknown lines, articles or relations, less than is delivered, cancelled or invoiced orders."""
    order_id = await create(pos)
    bread, bun = [line["lineId"] for line in (await look(pos, order_id))["lineList"]["line"]]
    pos.shop.cashier_delivers(order_id, {bread: 2})
    wrong: list[dict[str, Any]] = [
        {"extOrderId": "a-2"},
        {"relationNumber": 999},
        {"rows": [{"lineId": "x", "articleNumber": BREAD}]},
        {"rows": [{"lineId": bread, "articleNumber": BUN}, {"lineId": bun, "articleNumber": BUN}]},
        {"rows": [{"lineId": bread, "articleNumber": BREAD, "data": {"quantity": 1}}]},
        {"rows": [{"lineId": bun, "articleNumber": BUN}]},
        {"rows": [{"lineId": bread, "articleNumber": BREAD}, {"articleNumber": 99}]},
    ]
    for fields in wrong:
        assert await _update(pos, order_id, 1, **fields) == "FAILED", fields
    pos.shop.cashier_cancels(order_id)
    assert await _update(pos, order_id, 2, reference="x") == "FAILED"
    paid = await create(pos, "a-2")
    pos.shop.cashier_pays(paid, 10_000, prepay=False)
    assert await _update(pos, paid, 1, reference="x") == "FAILED"
    assert "updated" not in effects(pos)


async def test_a_cancellation_is_once(pos: Sandbox) -> None:
    """cancelOrder cancels what is open, then says ALREADY-CANCELLED; nobody pays or delivers it any more."""
    order_id = await create(pos)
    assert (await ask(pos, "cancelOrder", orderId=order_id))["result"] == "OK"
    assert (await ask(pos, "cancelOrder", orderId=order_id, request={"branchNumber": 1}))["result"] == "ALREADY-CANCELLED"
    found = await look(pos, order_id)
    assert (found["cancelState"], found["changeCounter"]) == ("ORDER-CANCEL-STATE-COMPLETE", "1")
    assert [line["data"]["cancelledQuantity"] for line in found["lineList"]["line"]] == ["2", "4"]
    some = payments(payment(100))
    assert (await ask(pos, "payOrder", orderId=order_id, prepay=True, paymentList=some))["result"] == "FAILED"
    assert (await ask(pos, "deliverOrder", orderId=order_id))["result"] == "FAILED"
    assert effects(pos) == ["created", "cancelled"]


async def test_cancel_v2_is_a_toggle(pos: Sandbox) -> None:
    """Called again it undoes the cancellation, each time with an effect."""
    order_id = await create(pos)
    results = [(await ask(pos, "cancelOrderV2", **TILL, orderId=order_id))["result"] for _ in range(3)]
    assert results == ["OK", "UNDO-CANCEL-OK", "OK"]
    assert (await ask(pos, "cancelOrderV2", **TILL, orderId=order_id))["result"] == "UNDO-CANCEL-OK"
    found = await look(pos, order_id)
    assert found["cancelState"] == "ORDER-CANCEL-STATE-NOTHING"
    assert found["lineList"]["line"][0]["data"]["cancelledQuantity"] == "0"
    assert effects(pos) == ["created", *["cancelled", "uncancelled"] * 2]


async def test_a_delivered_order_is_not_cancelled(pos: Sandbox) -> None:
    """FAILED once everything is delivered."""
    order_id = await create(pos)
    await ask(pos, "deliverOrder", orderId=order_id)
    assert (await ask(pos, "cancelOrder", orderId=order_id))["result"] == "FAILED"


async def test_cashiers_act_over_http_too(pos: Sandbox) -> None:
    """Each act moves the order's marker and stands in the ledger as the cashier's; what is refused is HTTP 400."""
    order_id = await create(pos)
    bread = (await look(pos, order_id))["lineList"]["line"][0]["lineId"]
    acts: list[dict[str, Any]] = [
        {"does": "changes", "reference": "kassa"},
        {"does": "pays", "amount": 100},
        {"does": "delivers", "lines": {bread: 1}},
        {"does": "cancels"},
    ]
    for act in acts:
        told = (await control(pos, "cashier", {"order_id": order_id, **act})).json()
        assert told == {"syncMarker": pos.shop.heads()["order"]}
    served = (await control(pos, "effects")).json()
    assert served == pos.effects
    assert [row["effect"] for row in served] == ["created", "updated", "paid", "delivered", "cancelled"]
    assert {row["operation"] for row in served[1:]} == {"cashier"}
    for wrong in ({"does": "cancels"}, {"does": "steals"}, {"does": "pays"}, {"does": "pays", "amount": 1, "tip": 2}):
        assert (await control(pos, "cashier", {"order_id": order_id, **wrong})).status_code == 400
    assert (await control(pos, "cashier", {"does": "cancels", "order_id": "x"})).status_code == 400
