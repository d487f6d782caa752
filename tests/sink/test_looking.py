"""What looking at an order tells: whose it is, what cannot be seen, and when nothing more can be done."""

from functools import partial
from typing import Any

import pytest

from connector.errors import NotSent, Retry
from connector.events.commands import CommandWaits
from connector.mplus.request import Fields
from connector.mplus.responses.answers import OrderAnswer
from connector.sandbox import Sandbox, SandboxOptions
from connector.sink.pos.calls import Pos
from tests.support.sink.commanding import cancel, create, deliver, pay, update
from tests.support.sink.foreign_orders import ONLY_V1, TAKEN, Foreign
from tests.support.sink.lone_executor import LoneExecutor, lone_executor
from tests.support.sink.lost_answers import TOTAL, first_line, told


async def invoiced(bench: LoneExecutor) -> dict[str, Any]:
    """A paid order, and the command that makes nothing but its invoice."""
    await bench.run(create("c-0", "web-1"))
    await bench.run(pay("c-1", "web-1", TOTAL))
    bench.pos.effects.clear()
    return {**pay("c-2", "web-1", 0, prepay=False), "paymentList": []}


async def test_an_invoice_alone_is_told_by_the_key() -> None:
    """payOrderV2 without payments, its answer lost: the replay tells that it was this command."""
    async with lone_executor(forget_keys=None) as bench:
        asked = await invoiced(bench)
        bench.pos.faults.switch("drop_after", count=1, operations=["payOrderV2"])
        result = await bench.run(asked)
        assert ("succeeded", "PAY-ORDER-RESULT-OK", 2, False) == told(result)
        assert bench.order("web-1")["invoiceIds"]["id"] == [result["invoiceId"]]
        assert ["delivered", "invoiced"] == bench.effects("web-1")


@pytest.mark.parametrize("missing", [frozenset(), ONLY_V1])
async def test_whose_an_invoice_is_may_be_unknown(missing: frozenset[str]) -> None:
    """Where no key is remembered, or none exists, a new invoice may be a cashier's: unknown, never rejected."""
    async with lone_executor() as bench:
        asked = await invoiced(bench)
        bench.pos.faults.missing_operations = missing
        bench.pos.faults.switch("drop_after", count=1, operations=["payOrder", "payOrderV2"])
        result = await bench.run(asked)
        assert ("unknown", "OUTCOME-UNKNOWN", True) == (result["outcome"], result["reason"], result["reconciled"])
        assert ["delivered", "invoiced"] == bench.effects("web-1")


async def test_an_invoice_made_after_a_deposit_is_not_the_deposits() -> None:
    """A cashier settles the order while the deposit's answer is lost: the result names no document."""
    async with lone_executor() as bench:
        await bench.run(create("c-0", "web-1"))
        order_id = bench.order("web-1")["orderId"]
        bench.pos.faults.switch("drop_after", count=1, operations=["payOrderV2"])
        settle = lambda: bench.pos.shop.cashier_pays(order_id, TOTAL, prepay=False)  # noqa: E731
        bench.wire.before(lambda _, operation: settle if bench.wire.asked[-2:] == ["payOrderV2", "getOrder"] else None)
        result = await bench.run(pay("c-1", "web-1", 100))
        assert ["created", "paid", "paid", "delivered", "invoiced"] == bench.effects("web-1")
        assert ("succeeded", "PAY-ORDER-RESULT-OK", 1, True) == told(result)
        assert (None, None) == (result["invoiceId"], result["packingSlipId"])


@pytest.mark.parametrize("missing", [frozenset(), ONLY_V1])
@pytest.mark.parametrize("lost", [False, True])
async def test_an_order_of_another_command_is_not_ours(*, lost: bool, missing: frozenset[str]) -> None:
    """The ledger knows who created it: the second creation is rejected, also after a lost answer, however alike they are."""
    async with lone_executor() as bench:
        await bench.run(create("c-1", "web-1"))
        bench.pos.faults.missing_operations = missing
        bench.pos.faults.switch("drop_before", count=int(lost), operations=["createOrder", "createOrderV3"])
        result = await bench.run(create("c-2", "web-1"))
        assert ("rejected", TAKEN) == (result["outcome"], result["reason"])
        assert bench.order("web-1")["orderId"] == result["orderId"]
        assert ["created"] == bench.effects("web-1")


@pytest.mark.parametrize("articles", [(10, 20), (10,)])
@pytest.mark.parametrize("lost", [False, True])
async def test_an_order_from_elsewhere_is_not_ours(articles: tuple[int, ...], *, lost: bool) -> None:
    """Without a lost answer the POS's word counts; after one, an order unlike ours leaves the outcome unknown."""
    async with Sandbox(SandboxOptions(items=3)) as pos:
        async with lone_executor(pos) as other:
            await other.run(create("x-1", "web-1", *articles))
        async with lone_executor(pos) as bench:
            pos.faults.switch("drop_before", count=int(lost), operations=["createOrderV3"])
            result = await bench.run(create("c-1", "web-1", 20))
    expected = ("unknown", "OUTCOME-UNKNOWN") if lost else ("rejected", TAKEN)
    assert expected == (result["outcome"], result["reason"])
    assert ["created"] == bench.effects("web-1")


async def test_a_name_that_is_taken_between_looking_and_creating_is_not_ours() -> None:
    """createOrder V1: the order was absent when it was looked for, and the POS refuses the first call: somebody was quicker."""
    async with Sandbox(SandboxOptions(items=3)) as pos, lone_executor(pos) as other, lone_executor(pos) as bench:
        pos.faults.missing_operations = ONLY_V1
        bench.wire.before(
            lambda _, operation: (lambda: other.run(create("x-1", "web-1"))) if operation == "createOrder" else None
        )
        result = await bench.run(create("c-1", "web-1"))
    assert ("rejected", TAKEN, 1, True) == told(result)


async def test_a_queued_order_whose_answer_was_lost_is_not_rejected() -> None:
    """The POS says that the name is taken and shows no such order: what it has accepted it will book."""
    async with lone_executor() as bench:
        bench.pos.faults.switch("queue_order", count=1, seconds=0)
        bench.pos.faults.switch("drop_after", count=1, operations=["createOrderV3"])
        result = await bench.run(create("c-1", "web-1"))
        assert ("unknown", "OUTCOME-UNKNOWN") == (result["outcome"], result["reason"])

        intent = bench.endings[-1].intent
        assert 1 == bench.pos.shop.book_queued()
        again = await bench.run(create("c-1", "web-1"), intent=intent, redriven=True)
        assert ("succeeded", True) == (again["outcome"], again["reconciled"])
        assert ["created"] == bench.effects("web-1")


async def test_a_payment_waits_until_its_order_is_booked() -> None:
    """The POS queued the order: there is no marker yet, and what follows waits."""
    async with lone_executor() as bench:
        bench.pos.faults.switch("queue_order", count=1, seconds=0)
        created = await bench.run(create("c-1", "web-1"))
        assert ("succeeded", None) == (created["outcome"], created["syncMarker"])

        bench.time.at(100, bench.pos.shop.book_queued)
        paid = await bench.run(pay("c-2", "web-1", 100))
        assert ("succeeded", "PAY-ORDER-RESULT-OK", 1, False) == told(paid)
        assert {"the POS has accepted the order and not booked it yet"} == set(bench.waits)
        assert 100 <= bench.time.passed < 100 + 16


async def test_a_queued_order_that_is_never_booked_is_not_found() -> None:
    """As long as an unknown outcome would be waited for; and a command that expires meanwhile has expired."""
    async with lone_executor() as bench:
        bench.pos.faults.switch("queue_order", count=1, seconds=0)
        await bench.run(create("c-1", "web-1"))
        paid = await bench.run(pay("c-2", "web-1", 100))
        assert ("rejected", "GET-ORDER-RESULT-NOT-FOUND", 0, False) == told(paid)
        assert 900 <= bench.time.passed < 900 + 16

        soon = bench.context.clock.wall().replace(microsecond=0).isoformat()
        assert ("rejected", "EXPIRED", 0, False) == told(await bench.run(pay("c-3", "web-1", 100, expiresAt=soon)))


async def test_an_unsent_command_expires_while_its_order_is_awaited() -> None:
    """Waiting for the booking does not outlast expiresAt."""
    async with lone_executor() as bench:
        bench.pos.faults.switch("queue_order", count=1, seconds=0)
        await bench.run(create("c-1", "web-1"))
        paid = await bench.run(pay("c-2", "web-1", 100, expiresAt="2026-07-01T12:01:00Z"))
        assert ("rejected", "EXPIRED", 0, False) == told(paid)
        assert 60 <= bench.time.passed < 60 + 16


@pytest.mark.parametrize("name", ["pay", "cancel", "deliver", "update"])
async def test_what_needs_an_order_is_rejected_without(name: str) -> None:
    """There is no such order: nothing is sent."""
    make = {"pay": pay("c-1", "web-9", 1), "cancel": cancel("c-1", "web-9"), "deliver": deliver("c-1", "web-9")}
    async with lone_executor() as bench:
        result = await bench.run(make.get(name) or update("c-1", "web-9", reference="red"))
        assert ("rejected", "GET-ORDER-RESULT-NOT-FOUND", 0, False) == told(result)
        assert [] == bench.wire.changes


async def test_a_command_under_another_key_than_its_orders_is_rejected() -> None:
    """An order that is named by its orderId alone, and has an extOrderId: its commands have that key."""
    async with lone_executor() as bench:
        await bench.run(create("c-0", "web-1"))
        order_id = bench.order("web-1")["orderId"]
        by_id = {"commandId": "c-1", "command": "cancelOrder", "orderId": order_id}
        result = await bench.run(by_id)
        assert ("rejected", "INVALID-COMMAND", 0, False) == told(result)
        assert f"this is the order '{order_id}', whose commands have the key 'web-1'" == result["message"]

        both = await bench.run({**by_id, "commandId": "c-2", "extOrderId": "web-1"})
        assert ("succeeded", "CANCEL-ORDER-RESULT-OK", 1, False) == told(both)


async def test_an_order_without_a_name_of_its_own_has_its_order_id_for_a_key() -> None:
    """An order of the till."""
    async with lone_executor() as bench:
        pos = bench.pos
        order_id = next(item.identity for item in pos.shop.sequences["order"] if not pos.shop.document(item)["extOrderId"])
        payments = [{"method": "CASH", "amount": 5}]
        body = {"commandId": "c-1", "command": "payOrder", "orderId": order_id, "prepay": True, "paymentList": payments}
        result = await bench.run(body)
    assert (order_id, None) == (result["orderId"], result["extOrderId"])
    assert "succeeded" == result["outcome"]


@pytest.mark.parametrize("looks", ["findOrder", "getOrder"])
async def test_where_looking_is_refused(looks: str) -> None:
    """Before anything is sent the command is rejected; after a lost answer the outcome is unknown."""
    async with lone_executor() as bench:
        await bench.run(create("c-0", "web-1"))
        if looks == "getOrder":
            bench.pos.faults.switch("drop_after", count=1, operations=["cancelOrder"])
        bench.pos.faults.unlicensed_operations = frozenset({looks})
        result = await bench.run(cancel("c-1", "web-1"))
    expected = {"findOrder": ("rejected", "CLIENT-FAULT", 0), "getOrder": ("unknown", "OUTCOME-UNKNOWN", 1)}
    assert expected[looks] == told(result)[:3]


async def test_a_refused_payment_says_what_it_needs() -> None:
    """payOrder may be used only under an agreement: the message says so."""
    async with lone_executor() as bench:
        await bench.run(create("c-0", "web-1"))
        bench.pos.faults.unlicensed_operations = frozenset({"payOrderV2"})
        result = await bench.run(pay("c-1", "web-1", 100))
        assert ("rejected", "CLIENT-FAULT", 1, True) == told(result)
        assert result["message"].endswith("(payOrder needs an agreement with the vendor)")


@pytest.mark.parametrize(("delivered", "expected"), [(1, "succeeded"), (2, "unknown")])
async def test_where_packing_slips_do_not_show_the_lines_tell(delivered: int, expected: str) -> None:
    """Exactly what was asked is delivered, by one slip: done. Anything else may be a cashier's."""
    async with lone_executor() as bench:
        await bench.run(create("c-0", "web-1"))
        bench.pos.faults.unlicensed_operations = frozenset({"getPackingSlipsByOrder"})
        bench.pos.faults.switch("drop_after", count=1, operations=["deliverOrderV2"])
        line, order_id = first_line(bench), bench.order("web-1")["orderId"]
        if delivered == 2:
            more = lambda: bench.pos.shop.cashier_delivers(order_id, {line: 1})  # noqa: E731
            bench.wire.before(lambda _, it: more if it == "getOrder" and bench.wire.asked[-2] == "deliverOrderV2" else None)
        result = await bench.run(deliver("c-1", "web-1", {"lineId": line, "quantity": 1}))
        assert (expected, 1, True) == (result["outcome"], result["attempts"], result["reconciled"])
        assert ["created"] + ["delivered"] * delivered == bench.effects("web-1")


async def test_who_is_always_quicker_wins_in_the_end() -> None:
    """ORDER-HAS-CHANGED again and again: after ten calls it is rejected, and not tried for ever."""
    async with lone_executor() as bench:
        await bench.run(create("c-0", "web-1"))
        bench.pos.faults.results.tell("updateOrderV2", ["UPDATE-ORDER-RESULT-ORDER-HAS-CHANGED"] * 20)
        result = await bench.run(update("c-1", "web-1", reference="red"))
        assert ("rejected", "UPDATE-ORDER-RESULT-ORDER-HAS-CHANGED", 10, True) == told(result)


@pytest.mark.parametrize("code", ["CREATE-ORDER-RESULT-OK", "CREATE-ORDER-RESULT-PAYMENT-FAILED"])
async def test_a_replay_that_names_another_order_is_no_success(code: str) -> None:
    """It is the answer to something else: the outcome is unknown, so that a redrive takes another key."""
    other = {"orderId": "o-7", "extOrderId": "web-7", "syncMarker": 7}
    answer = OrderAnswer(code, other, "o-7", replayed=True)
    async with lone_executor(through=lambda pos, _: Foreign(pos, answer)) as bench:
        result = await bench.run(create("c-1", "web-1"))
        assert ("unknown", "OUTCOME-UNKNOWN", 1, True) == told(result)
        assert None is not bench.endings[-1].intent


class Failing:
    """A Pos on which one order's operations always fail."""

    def __init__(self, pos: Pos, operation: str, error: Exception) -> None:
        self._pos, self._operation, self._error = pos, operation, error
        self.failing = True
        self.page, self.turn = pos.page, pos.turn

    async def order(self, operation: str, fields: Fields) -> OrderAnswer:
        self._fail(operation, fields)
        return await self._pos.order(operation, fields)

    async def change(self, operation: str, fields: Fields) -> OrderAnswer:
        self._fail(operation, fields)
        return await self._pos.change(operation, fields)

    def _fail(self, operation: str, fields: Fields) -> None:
        if self.failing and operation == self._operation and "web-bad" in str(fields):
            raise self._error


@pytest.mark.parametrize(("operation", "attempts"), [("findOrder", 0), ("createOrderV3", None)])
async def test_what_alone_always_fails_is_given_up(operation: str, attempts: int | None) -> None:
    """Looking as well as doing: unknown, once the POS has carried out others all the while for as long as that is waited for."""
    error = Retry("the POS failed: internal error")
    async with lone_executor(through=lambda pos, _: Failing(pos, operation, error)) as bench:
        for number in range(120):
            bench.time.at(500 + 10 * number, partial(bench.run, create(f"x-{number}", f"other-{number}")))
        bad = cancel("c-1", "web-bad") if operation == "findOrder" else create("c-1", "web-bad")
        result = await bench.run(bad)
        assert ("unknown", "OUTCOME-UNKNOWN") == (result["outcome"], result["reason"])
        assert "it alone fails again and again: the POS failed: internal error" == result["message"]
        assert attempts in (None, result["attempts"])
        assert 1380 <= bench.time.passed < 1380 + 60  # from the last failure before the first of the others


async def test_where_the_pos_answers_nobody_everything_waits() -> None:
    """However long: the command is carried out when the POS is back, and no earlier trouble counts against it."""
    bad: list[Failing] = []

    def through(pos: Pos, _: object) -> Pos:
        bad.append(Failing(pos, "createOrderV3", Retry("the POS failed: internal error")))
        return bad[0]

    async with lone_executor(through=through) as bench:
        bench.time.at(5000, lambda: setattr(bad[0], "failing", False))
        result = await bench.run(create("c-1", "web-bad"))
        assert "succeeded" == result["outcome"]
        assert 5000 <= bench.time.passed < 5000 + 16


async def test_a_pos_that_cannot_be_reached_delays_and_does_not_count() -> None:
    """Nothing was sent: one call when it is back. What follows an outage at once is not taken for a command's own failure."""
    bad: list[Failing] = []

    def through(pos: Pos, _: object) -> Pos:
        bad.append(Failing(pos, "createOrderV3", NotSent("the POS cannot be reached")))
        return bad[0]

    async with lone_executor(through=through) as bench:
        bench.time.at(4990, lambda: bench.run(create("c-0", "web-1")))
        bench.time.at(4991, lambda: setattr(bad[0], "failing", False))
        bench.time.at(4991, lambda: bench.pos.faults.switch("server_fault", count=2, operations=["createOrderV3"]))
        result = await bench.run(create("c-1", "web-bad"))
        assert ("succeeded", "CREATE-ORDER-RESULT-OK", 3, False) == told(result)
        assert {"the POS cannot be reached"} < set(bench.waits)
        assert 4990 <= bench.time.passed < 5060
        assert {"createOrder"} == {event.command for event in bench.told if isinstance(event, CommandWaits)}


async def test_trouble_with_looking_does_not_count_against_a_call() -> None:
    """The POS showed nobody anything for an hour: a call that then fails once, while another's succeeds, is repeated."""
    bad: list[Failing] = []

    def through(pos: Pos, _: object) -> Pos:
        bad.append(Failing(pos, "findOrder", Retry("the POS failed: internal error")))
        return bad[0]

    async with lone_executor(through=through) as bench:
        await bench.run(create("c-1", "web-bad"))
        bench.time.at(3600, lambda: setattr(bad[0], "failing", False))
        bench.pos.faults.switch("server_fault", count=1, operations=["cancelOrder"])
        bench.wire.before(
            lambda _, operation: (
                (lambda: bench.run(create(f"c-{len(bench.wire.asked)}", f"web-{len(bench.wire.asked)}")))
                if operation == "cancelOrder"
                else None
            )
        )
        result = await bench.run(cancel("c-2", "web-bad"))
        assert ("succeeded", "CANCEL-ORDER-RESULT-OK", 2, False) == told(result)
        assert 3600 <= bench.time.passed < 3600 + 32


async def test_a_command_expires_only_unsent() -> None:
    """Before the first call it is rejected as EXPIRED; once sent it is seen through."""
    async with lone_executor() as bench:
        late = await bench.run(create("c-1", "web-1", expiresAt="2026-07-01T12:00:00Z"))
        assert ("rejected", "EXPIRED", 0, False) == told(late)
        assert [] == bench.wire.asked

        bench.pos.faults.switch("server_fault", count=3, operations=["createOrderV3"])
        sent = await bench.run(create("c-2", "web-2", expiresAt="2026-07-01T12:00:01Z"))
        assert ("succeeded", "CREATE-ORDER-RESULT-OK", 4, False) == told(sent)
        assert 1 < bench.time.passed


async def test_a_command_expires_while_the_pos_cannot_be_reached() -> None:
    """What was intended and never sent has not been sent."""
    async with lone_executor(through=lambda pos, _: Failing(pos, "createOrderV3", NotSent("not there"))) as bench:
        result = await bench.run(create("c-1", "web-bad", expiresAt="2026-07-01T12:01:00Z"))
        assert ("rejected", "EXPIRED", 0, False) == told(result)
        assert 60 <= bench.time.passed < 60 + 16
        assert {1} == {intent.attempt for intent in bench.intents}


async def test_the_marker_is_the_orders_after_the_command() -> None:
    """Of every command, also those whose answer does not tell the order."""
    async with lone_executor() as bench:
        commands = [
            create("c-1", "web-1"),
            update("c-2", "web-1", reference="red"),
            pay("c-3", "web-1", 100),
            deliver("c-4", "web-1"),
            pay("c-5", "web-1", TOTAL - 100, prepay=False),
        ]
        for command in commands:
            result = await bench.run(command)
            assert bench.order("web-1")["syncMarker"] == result["syncMarker"], command
            assert "web-1" == result["extOrderId"]
