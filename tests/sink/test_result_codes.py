"""Every command against every result code of each of its operations: told truly and told wrongly."""

from collections.abc import Callable, Iterator, Mapping
from itertools import product
from typing import Any

import pytest

from connector.sandbox import Sandbox, SandboxOptions
from connector.sandbox.faults.result_codes import CODES
from tests.support.sink.commanding import cancel, commanding, create, deliver, outcomes, pay, update
from tests.support.sink.lone_executor import LoneExecutor, lone_executor

TOTAL = 2 * 195 + 2 * 425
"""Of an order over two of the articles 10 and 20, in cents."""

V1_ONLY = {"createOrderV3", "updateOrderV2", "payOrderV2"}

# result code · what the POS really did · outcome · whether looking decided it · the effects on the order
CREATE = """
OK                            nothing  succeeded  told    -
OK                            it       succeeded  told    created
EXT-ORDER-ID-ALREADY-EXISTS   nothing  rejected   looked  -
EXT-ORDER-ID-ALREADY-EXISTS   it       rejected   looked  created
FAILED                        nothing  rejected   looked  -
FAILED                        it       succeeded  looked  created
PAYMENT-FAILED                nothing  rejected   told    created
PAYMENT-FAILED                it       rejected   told    created
"""
CREATE_PAID = """
OK                            nothing  succeeded  told    -
OK                            it       succeeded  told    created paid
EXT-ORDER-ID-ALREADY-EXISTS   nothing  rejected   looked  -
EXT-ORDER-ID-ALREADY-EXISTS   it       succeeded  looked  created paid
FAILED                        nothing  rejected   looked  -
FAILED                        it       succeeded  looked  created paid
PAYMENT-FAILED                nothing  rejected   told    created
PAYMENT-FAILED                it       rejected   told    created paid
"""
UPDATE = """
OK                            nothing  succeeded  told    -
OK                            it       succeeded  told    updated
NO-CHANGES                    nothing  succeeded  told    -
NO-CHANGES                    it       succeeded  told    updated
NOT-FOUND                     nothing  rejected   told    -
NOT-FOUND                     it       rejected   told    updated
FAILED                        nothing  rejected   looked  -
FAILED                        it       succeeded  looked  updated
ORDER-HAS-CHANGED             it       succeeded  looked  updated
"""
LOCKED = "ORDER-HAS-CHANGED             nothing  rejected   looked  -"
DEPOSIT = """
OK                            nothing  succeeded  told    -
OK                            it       succeeded  told    paid
FAILED                        nothing  rejected   looked  -
FAILED                        it       succeeded  looked  paid
ORDER-HAS-CHANGED             nothing  rejected   looked  -
ORDER-HAS-CHANGED             it       succeeded  looked  paid
PAYMENT-INSUFFICIENT          nothing  rejected   told    -
PAYMENT-INSUFFICIENT          it       rejected   told    paid
ORDER-ALREADY-INVOICED        nothing  rejected   looked  -
ORDER-ALREADY-INVOICED        it       succeeded  looked  paid
"""
SETTLE = DEPOSIT.replace(" paid", " paid delivered invoiced")
DELIVER = """
OK                            nothing  succeeded  told    -
OK                            it       succeeded  told    delivered
ALREADY-DELIVERED             nothing  succeeded  told    -
ALREADY-DELIVERED             it       succeeded  told    delivered
FAILED                        nothing  rejected   looked  -
FAILED                        it       succeeded  looked  delivered
"""
CANCEL = """
OK                            nothing  succeeded  told    -
OK                            it       succeeded  told    cancelled
PENDING                       nothing  succeeded  told    -
PENDING                       it       succeeded  told    cancelled
ALREADY-CANCELLED             nothing  succeeded  told    -
ALREADY-CANCELLED             it       succeeded  told    cancelled
NOT-FOUND                     nothing  rejected   told    -
NOT-FOUND                     it       rejected   told    cancelled
FAILED                        nothing  rejected   looked  -
FAILED                        it       succeeded  looked  cancelled
UNDO-CANCEL-OK                nothing  rejected   looked  -
UNDO-CANCEL-OK                it       succeeded  looked  cancelled
"""
TABLES: Mapping[tuple[str, str], str] = {
    ("create", "createOrderV3"): CREATE,
    ("create", "createOrder"): CREATE,
    ("create, paid", "createOrderV3"): CREATE_PAID,
    ("update", "updateOrderV2"): UPDATE,
    ("update", "updateOrder"): UPDATE,
    ("update, locked", "updateOrderV2"): UPDATE + LOCKED,
    ("update, locked", "updateOrder"): UPDATE + LOCKED,
    ("deposit", "payOrderV2"): DEPOSIT,
    ("deposit", "payOrder"): DEPOSIT,
    ("settle", "payOrderV2"): SETTLE,
    ("settle", "payOrder"): SETTLE,
    ("deliver", "deliverOrder"): DELIVER,
    ("deliver a part", "deliverOrderV2"): DELIVER,
    ("cancel", "cancelOrder"): CANCEL,
}
PREFIXES = {"create": "CREATE-ORDER-RESULT-", "update": "UPDATE-ORDER-RESULT-", "payOrd": "PAY-ORDER-RESULT-"}
PREFIXES |= {"cancel": "CANCEL-ORDER-RESULT-", "deliverOrder": "DELIVER-ORDER-RESULT-"}
PREFIXES |= {"deliverOrderV2": "DELIVER-ORDER-V2-RESULT-"}
REMEMBERED = {"invoiceId": "invoiced", "packingSlipId": "delivered"}
"""The document of a result, and the effect that makes it."""


def line_of(bench: LoneExecutor, name: str) -> str:
    """The lineId of an order's first line."""
    return str(bench.order(name)["lineList"]["line"][0]["lineId"])


MAKERS: Mapping[str, Callable[[LoneExecutor, str], dict[str, Any]]] = {
    "create": lambda bench, name: create("c-1", name),
    "create, paid": lambda bench, name: create("c-1", name, prepay=True, paymentList=[{"method": "IDEAL", "amount": 100}]),
    "update": lambda bench, name: update("c-1", name, reference="red paper"),
    "update, locked": lambda bench, name: update(
        "c-1", name, reference="red paper", changeCounter=bench.order(name)["changeCounter"]
    ),
    "deposit": lambda bench, name: pay("c-1", name, 100),
    "settle": lambda bench, name: pay("c-1", name, TOTAL, prepay=False),
    "deliver": lambda bench, name: deliver("c-1", name),
    "deliver a part": lambda bench, name: deliver("c-1", name, {"lineId": line_of(bench, name), "quantity": 1}),
    "cancel": lambda bench, name: cancel("c-1", name),
}


def prefix_of(operation: str) -> str:
    """What all result codes of this operation begin with."""
    return next(PREFIXES[name] for name in (operation, operation[:6]) if name in PREFIXES)


def cases() -> Iterator[Any]:
    for (command, operation), table in TABLES.items():
        for row in table.strip().splitlines():
            code, really, outcome, how, *effects = row.split()
            done = [] if effects == ["-"] else effects
            case = (command, operation, code, really == "it", outcome, how == "looked", done)
            yield pytest.param(*case, id=f"{command}-{operation}-{code}-{really}")


async def readied(bench: LoneExecutor, command: str, name: str) -> dict[str, Any]:
    """The command, and before it an order for it where it needs one."""
    if not command.startswith("create"):
        assert ("succeeded", "CREATE-ORDER-RESULT-OK") == outcomes([await bench.run(create("c-0", name))])[0]
        bench.pos.effects.clear()
    return MAKERS[command](bench, name)


@pytest.mark.parametrize(("command", "operation", "code", "effect", "outcome", "reconciled", "effects"), list(cases()))
async def test_what_a_result_code_makes_of_a_command(
    command: str, operation: str, code: str, *, effect: bool, outcome: str, reconciled: bool, effects: list[str]
) -> None:
    """Whether the POS did what it says or not: the outcome is the truth as far as looking can tell, after one call."""
    async with lone_executor() as bench:
        asked = await readied(bench, command, "web-1")
        reason = prefix_of(operation) + code
        bench.pos.faults.missing_operations = frozenset(V1_ONLY - {operation})
        bench.pos.faults.results.tell(operation, [reason], effect=effect)

        result = await bench.run(asked)

        assert (outcome, reason, reconciled, 1) == tuple(result[it] for it in ("outcome", "reason", "reconciled", "attempts"))
        assert effects == bench.effects("web-1")
        assert operation == bench.wire.changes[-1][1]
        assert bool(result["orderId"]) == (command not in ("create", "create, paid") or effects != [])
        if reconciled and outcome == "succeeded":
            assert {name: effect in effects for name, effect in REMEMBERED.items()} == {
                name: result[name] is not None for name in REMEMBERED
            }


@pytest.mark.parametrize("operation", ["updateOrderV2", "updateOrder"])
async def test_the_last_writer_wins_without_a_change_counter(operation: str) -> None:
    """ORDER-HAS-CHANGED for an updateOrder that names no changeCounter: looked at and tried again with the new one."""
    async with lone_executor() as bench:
        asked = await readied(bench, "update", "web-1")
        bench.pos.faults.missing_operations = frozenset(V1_ONLY - {operation})
        bench.pos.faults.results.tell(operation, ["UPDATE-ORDER-RESULT-ORDER-HAS-CHANGED"] * 2)

        result = await bench.run(asked)

        assert ("succeeded", "UPDATE-ORDER-RESULT-OK", 3) == (result["outcome"], result["reason"], result["attempts"])
        assert ["updated"] == bench.effects("web-1")


def test_the_table_is_whole() -> None:
    """Every code that an operation has stands in the table twice, with effect and without."""
    covered = {(operation, code, done) for _, operation, code, done, *_ in (case.values for case in cases())}
    operations = {operation for _, operation in TABLES}
    expected = {(op, code, done) for op in operations for code, done in product(CODES[op][1], (True, False))}
    assert expected == covered


async def test_a_refused_payment_names_the_order_that_exists_nevertheless() -> None:
    """PAYMENT-FAILED is rejected, with the orderId; of V3 from its answer."""
    async with lone_executor() as bench:
        bench.pos.faults.results.tell("createOrderV3", ["CREATE-ORDER-RESULT-PAYMENT-FAILED"])
        result = await bench.run(create("c-1", "web-1", paymentList=[{"method": "CASH", "amount": TOTAL}]))
    assert ("rejected", "CREATE-ORDER-RESULT-PAYMENT-FAILED") == (result["outcome"], result["reason"])
    assert bench.order("web-1")["orderId"] == result["orderId"]


async def test_payments_never_fall_back_to_the_old_creation() -> None:
    """An administration without createOrderV3 cannot create and pay in one call: rejected, and nothing is done."""
    async with lone_executor() as bench:
        bench.pos.faults.missing_operations = frozenset({"createOrderV3"})
        result = await bench.run(create("c-1", "web-1", paymentList=[{"method": "CASH", "amount": TOTAL}]))
        assert ("rejected", "CLIENT-FAULT", 0) == (result["outcome"], result["reason"], result["attempts"])
        assert [] == bench.pos.effects
        assert ["createOrderV3"] == [operation for _, operation in bench.wire.changes]


async def test_through_kafka(bootstrap: str, prefix: str) -> None:
    """What a code means stands in the results, and what was sent in the ledger."""
    async with Sandbox(SandboxOptions(items=3)) as pos, commanding(bootstrap, prefix, pos) as commands:
        pos.faults.missing_operations = frozenset({"payOrderV2"})
        pos.faults.results.tell("createOrderV3", ["CREATE-ORDER-RESULT-FAILED"], effect=True)
        pos.faults.results.tell("payOrder", ["PAY-ORDER-RESULT-ORDER-ALREADY-INVOICED"])
        pos.faults.results.tell("cancelOrder", ["CANCEL-ORDER-RESULT-PENDING"])
        results = await commands.run(create("c-1", "web-1"), pay("c-2", "web-1", 100), cancel("c-3", "web-1"))

        assert [
            ("succeeded", "CREATE-ORDER-RESULT-FAILED"),
            ("rejected", "PAY-ORDER-RESULT-ORDER-ALREADY-INVOICED"),
            ("succeeded", "CANCEL-ORDER-RESULT-PENDING"),
        ] == outcomes(results)
        assert [True, True, False] == [row["reconciled"] for row in results]
        intents = [row["entry"] for row in await commands.ledger() if row.get("type") == "INTENT"]
        assert ["createOrderV3", "payOrderV2", "payOrder", "cancelOrder"] == [row["operation"] for row in intents]
        assert [1, 1, 1, 1] == [row["attempt"] for row in intents]
        assert [] == await commands.letters()
