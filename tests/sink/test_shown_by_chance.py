"""A POS that shows at one look what it leaves out at another: what was not shown before a call proves nothing after it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.support.sink.commanding import create, deliver, pay, update
from tests.support.sink.evidence import Change, Showing, payments, without
from tests.support.sink.foreign_orders import ONLY_V1
from tests.support.sink.lone_executor import LoneExecutor, lone_executor
from tests.support.sink.lost_answers import TOTAL, first_line, told


@asynccontextmanager
async def hiding(hidden: Change) -> AsyncIterator[tuple[LoneExecutor, list[int]]]:
    """A POS that leaves something out at so many of the next looks as the list says that comes with it."""
    left: list[int] = []

    def shown(order: dict[str, Any]) -> None:
        if left and left[0]:
            left[0] -= 1
            hidden(order)

    async with lone_executor(through=lambda pos, _: Showing(pos, shown)) as bench:
        yield bench, left


def lines(change: Change) -> Change:
    """Each line of the order changed."""
    return lambda shown: [change(row) for row in shown["lineList"]]


def both(*changes: Change) -> Change:
    """One after the other."""
    return lambda shown: [change(shown) for change in changes]


HIDDEN_LINES = {
    "lines": without("lineList"),
    "delivered": lines(lambda row: row["data"].pop("deliveredQuantity")),
    "data": lines(lambda row: row.pop("data")),
    "names of lines": lines(lambda row: row.pop("lineId")),
    "packing slips": without("packingSlipIds"),
}
"""Beside the syncMarker, which would tell that nothing has changed."""


@pytest.mark.parametrize("hidden", HIDDEN_LINES)
async def test_what_was_delivered_before_is_not_taken_for_this_commands(hidden: str) -> None:
    """The same part was delivered by the command before, which the look before the call did not show; this call never came."""
    async with hiding(both(without("syncMarker"), HIDDEN_LINES[hidden])) as (bench, left):
        await bench.run(create("c-0", "web-1"))
        line = first_line(bench)
        assert "succeeded" == (await bench.run(deliver("c-1", "web-1", {"lineId": line, "quantity": 1})))["outcome"]
        left.append(1)
        bench.pos.faults.switch("drop_before", count=1, operations=["deliverOrderV2"])
        result = await bench.run(deliver("c-2", "web-1", {"lineId": line, "quantity": 1}))
        done = bench.effects("web-1").count("delivered") == 2
        assert ("succeeded" if done else "unknown") == result["outcome"]


HIDDEN_PAYMENTS = {
    "payments": without("paymentList"),
    "references": payments(lambda row: row.pop("externalReference")),
}


@pytest.mark.parametrize("missing", [frozenset(), ONLY_V1])
@pytest.mark.parametrize("hidden", HIDDEN_PAYMENTS)
async def test_what_was_paid_before_is_not_taken_for_this_commands(hidden: str, missing: frozenset[str]) -> None:
    """The same reference and amount was paid by the command before, which the look before the call did not show."""
    async with hiding(both(without("syncMarker"), HIDDEN_PAYMENTS[hidden])) as (bench, left):
        bench.pos.faults.missing_operations = missing
        await bench.run(create("c-0", "web-1"))
        for command_id in ("c-1", "c-2"):
            asked = pay(command_id, "web-1", 100)
            asked["paymentList"][0]["externalReference"] = "psp-77"
            result = await bench.run(asked)
            left.append(1)
            bench.pos.faults.switch("drop_before", count=1, operations=["payOrder", "payOrderV2"])
        done = bench.effects("web-1").count("paid") == 2
        assert ("succeeded" if done else "unknown") == result["outcome"]


async def test_an_unclear_order_is_looked_at_again() -> None:
    """The look after the deadline does not show the payments either; the next one shows the payment whose answer was lost."""
    async with hiding(without("paymentList", "prepaidAmount")) as (bench, left):
        await bench.run(create("c-0", "web-1"))
        left.append(99)
        bench.time.at(600.1, left.clear)
        bench.pos.faults.switch("drop_after", count=1, operations=["payOrderV2"])
        result = await bench.run(pay("c-1", "web-1", 100))
        assert ("succeeded", "PAY-ORDER-RESULT-OK", 1, True) == told(result)
        assert ["created", "paid"] == bench.effects("web-1")


async def test_what_never_shows_is_unknown_soon() -> None:
    """Looking again does not go on for ever."""
    async with hiding(without("paymentList", "prepaidAmount")) as (bench, left):
        await bench.run(create("c-0", "web-1"))
        left.append(99)
        bench.pos.faults.switch("drop_after", count=1, operations=["payOrderV2"])
        assert "unknown" == (await bench.run(pay("c-1", "web-1", 100)))["outcome"]
        assert bench.time.passed < 610


async def test_an_update_looks_again_for_its_lock() -> None:
    """The look before the call does not show the changeCounter: without it nothing would be locked."""
    async with hiding(without("changeCounter")) as (bench, left):
        await bench.run(create("c-0", "web-1"))
        await bench.run(update("c-1", "web-1", reference="one"))
        left.append(1)
        result = await bench.run(update("c-2", "web-1", reference="two"))
        assert ("succeeded", 1) == (result["outcome"], result["attempts"])
        assert {1} == {bench.intents[-1].before["lock"]["changeCounter"]}


REFUSED = {
    "paid": (
        pay("c-2", "web-1", 100),
        "PAY-ORDER-RESULT-ORDER-ALREADY-INVOICED",
        without("paymentList", "prepaidAmount", "syncMarker"),
    ),
    "updated": (
        update("c-2", "web-1", reference="two", changeCounter=7),
        "UPDATE-ORDER-RESULT-ORDER-HAS-CHANGED",
        without("changeCounter", "reference"),
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
async def test_the_only_call_that_was_refused_is_rejected(kind: str) -> None:
    """All answers came, and the POS said that it did nothing: what the order then leaves out changes nothing about that."""
    command, code, hidden = REFUSED[kind]
    async with hiding(hidden) as (bench, left):
        await bench.run(create("c-0", "web-1", paymentList=[{"method": "CASH", "amount": TOTAL}], prepay=False))
        left.append(99)
        assert ("rejected", code, 1, True) == told(await bench.run(command))


async def test_an_order_without_its_name_is_looked_at_again() -> None:
    """The POS refuses, and the next look leaves the extOrderId out: it is still the same order."""
    async with hiding(without("extOrderId")) as (bench, left):
        await bench.run(create("c-0", "web-1"))
        bench.wire.before(lambda _, it: (lambda: left.append(1)) if it == "deliverOrderV2" else None)
        result = await bench.run(deliver("c-1", "web-1", {"lineId": first_line(bench), "quantity": 9}))
        assert ("rejected", "DELIVER-ORDER-V2-RESULT-FAILED") == told(result)[:2]


async def test_a_reference_is_recognised_however_its_blanks_are_kept() -> None:
    """A POS trims and draws together the blanks of an own reference: the payment whose answer was lost is told as made."""

    def trimmed(row: dict[str, Any]) -> None:
        row["externalReference"] = " ".join(row.get("externalReference", "").split())

    async with lone_executor(through=lambda pos, _: Showing(pos, payments(trimmed))) as bench:
        await bench.run(create("c-0", "web-1"))
        bench.pos.faults.switch("drop_after", count=1, operations=["payOrderV2"])
        asked = pay("c-1", "web-1", 100)
        asked["paymentList"][0]["externalReference"] = " Order 12 /  3 "
        result = await bench.run(asked)
        assert ("succeeded", "PAY-ORDER-RESULT-OK", 1, True) == told(result)
