"""Something between the connector and the POS answers in its place: that is no answer, whatever its status and body.

The POS behind it goes on; what it does while it may be at work must be counted once, and told truly.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import product
from typing import Any

import pytest

from connector.errors import AccessDenied, Refused, Unanswered, UnknownOperation
from connector.mplus.request import Fields
from connector.mplus.responses.answers import OrderAnswer
from connector.sandbox import Sandbox, SandboxOptions
from connector.sink.pos.calls import Pos
from tests.support.sink.commanding import cancel, create, deliver, pay, update
from tests.support.sink.lone_executor import LoneExecutor, Time, lone_executor
from tests.support.sink.lost_answers import COMMANDS, NOTHING_ROWS, TOTAL, Late, readied, told
from tests.support.sink.middle_answers import ANSWERS
from tests.support.sink.middle_box import MiddleBox


@asynccontextmanager
async def behind_a_box(name: str, **options: Any) -> AsyncIterator[tuple[LoneExecutor, MiddleBox, dict[str, Any]]]:
    """A bench whose POS stands behind a middle box and forgets every idempotency key; and a command that can be sent."""
    options_of_pos = SandboxOptions(items=3, forget_keys=0)
    async with Sandbox(options_of_pos) as pos, MiddleBox(pos) as box, lone_executor(box.as_pos, **options) as bench:
        yield bench, box, await readied(bench, name)


SAFE_ROWS = [name for name in COMMANDS if name not in NOTHING_ROWS]
BOXED = [*product(NOTHING_ROWS, ANSWERS), *product(SAFE_ROWS, ["502", "403", "html", "cut", "another operation"])]


@pytest.mark.parametrize(("name", "answer"), BOXED)
async def test_what_a_box_answers_while_the_pos_works_on(name: str, answer: str) -> None:
    """The POS comes to the call 100 s later: it is done once, and told as done."""
    _, operation, effects, _ = COMMANDS[name]
    async with behind_a_box(name) as (bench, box, asked):
        box.answer(answer, operations=[operation], forward="later", seconds=None)
        bench.time.at(bench.time.passed + 100, box.release)

        result = await bench.run(asked)

        await bench.time.sleep(600)
        assert "succeeded" == result["outcome"], result
        assert effects == bench.effects("web-1")
        made = [at for at, done in bench.wire.changes if done == operation]
        assert len(made) == 1 if name in NOTHING_ROWS else len(made) <= 2


@pytest.mark.parametrize("answer", ["302", "403", "408", "502", "html", "empty body", "cut connection"])
@pytest.mark.parametrize("name", NOTHING_ROWS)
async def test_what_a_box_answers_for_a_call_that_never_came(name: str, answer: str) -> None:
    """It is made after all, but only when the first one cannot be at work any more."""
    _, operation, effects, good = COMMANDS[name]
    async with behind_a_box(name) as (bench, box, asked):
        box.answer(answer, operations=[operation], forward="never")
        result = await bench.run(asked)
        assert ("succeeded", good, 2, False) == told(result)
        assert effects == bench.effects("web-1")
        first, second = (at for at, done in bench.wire.changes if done == operation)
        assert second - first >= 600


class Twice(Late):
    """A Pos whose first call nobody answers, and whose second one is refused: the first holds the order."""

    def __init__(self, pos: Pos, time: Time, operation: str, error: Exception | None) -> None:
        super().__init__(pos, time, "", 0.0)
        self._struck, self._error, self._calls = operation, error, 0

    def begin(self) -> None:
        """From now on."""
        self._waiting = self._struck

    async def change(self, operation: str, fields: Fields) -> OrderAnswer:
        if operation == self._struck and self._late is not None and not self._calls:
            self._calls += 1
            if self._error is not None:
                raise self._error
        return await super().change(operation, fields)


REFUSALS: dict[str, tuple[dict[str, Any], str, str, Exception | None, list[str]]] = {
    "pay": (pay("c-1", "web-1", 100), "payOrderV2", "PAY-ORDER-RESULT-FAILED", None, ["paid"]),
    "settle": (
        pay("c-1", "web-1", TOTAL, prepay=False),
        "payOrderV2",
        "PAY-ORDER-RESULT-PAYMENT-INSUFFICIENT",
        None,
        ["paid", "delivered", "invoiced"],
    ),
    "create": (create("c-1", "web-1"), "createOrderV3", "CREATE-ORDER-RESULT-FAILED", None, ["created"]),
    "cancel": (cancel("c-1", "web-1"), "cancelOrder", "CANCEL-ORDER-RESULT-FAILED", None, ["cancelled"]),
    "deliver": (deliver("c-1", "web-1"), "deliverOrder", "DELIVER-ORDER-RESULT-FAILED", None, ["delivered"]),
    "update": (update("c-1", "web-1", reference="red"), "updateOrderV2", "UPDATE-ORDER-RESULT-FAILED", None, ["updated"]),
    "refused": (cancel("c-1", "web-1"), "cancelOrder", "", Refused("the order is locked", "Client"), ["cancelled"]),
    "denied": (cancel("c-1", "web-1"), "cancelOrder", "", AccessDenied("who are you?", "Client.Authentication"), ["cancelled"]),
    "missing": (cancel("c-1", "web-1"), "cancelOrder", "", UnknownOperation("not implemented", "Client"), ["cancelled"]),
}


@pytest.mark.parametrize("after", [1.0, 300.0, 599.0])
@pytest.mark.parametrize("name", REFUSALS)
async def test_a_no_while_an_earlier_call_is_at_work(name: str, after: float) -> None:
    """The first call is unanswered, the second is refused, then the first is carried out: the command was done, not rejected."""
    asked, operation, code, error, effects = REFUSALS[name]
    late: list[Twice] = []

    def through(pos: Pos, time: Time) -> Pos:
        late.append(Twice(pos, time, operation, error))
        return late[0]

    async with lone_executor(through=through) as bench:
        if name != "create":
            await bench.run(create("c-0", "web-1"))
            bench.pos.effects.clear()
        late[0].begin()
        if code:
            bench.pos.faults.results.tell(operation, [code])
        bench.time.at(bench.time.passed + after, lambda: _arrive(bench, late[0]))
        result = await bench.run(asked)
        await bench.time.sleep(600)
        assert "succeeded" == result["outcome"], result
        assert effects == bench.effects("web-1")


async def _arrive(bench: LoneExecutor, late: Twice) -> None:
    """The POS has refused the second call by then, or never got one."""
    bench.pos.faults.results.clear()
    await late.arrive()


async def test_the_older_operation_waits_for_the_newer_ones_call() -> None:
    """payOrderV2 is at work, its repetition is said to be unknown: V1 would pay once more."""
    late: list[Twice] = []

    def through(pos: Pos, time: Time) -> Pos:
        late.append(Twice(pos, time, "payOrderV2", UnknownOperation("payOrderV2 is not known", "Client")))
        return late[0]

    async with lone_executor(through=through) as bench:
        await bench.run(create("c-0", "web-1"))
        await bench.run(pay("c-9", "web-1", 1))  # makes the key safe: nothing of it is a payment of c-1
        late[0].begin()
        bench.time.at(bench.time.passed + 599, late[0].arrive)
        result = await bench.run(pay("c-1", "web-1", 100))
        assert ("succeeded", True) == (result["outcome"], result["reconciled"])
        assert ["created", "paid", "paid"] == bench.effects("web-1")


async def test_an_unanswered_call_is_remembered_by_the_ledger() -> None:
    """Its time stands in the INTENT of the next call, through any number of replies, until it cannot be at work any more."""
    async with Sandbox(SandboxOptions(items=3, forget_keys=0)) as pos, MiddleBox(pos) as box:
        async with lone_executor(box.as_pos) as bench:
            await bench.run(create("c-0", "web-1"))
            box.answer("502", operations=["cancelOrder"], forward="never")
            bench.pos.faults.switch("server_fault", count=2, operations=["cancelOrder"])
            result = await bench.run(cancel("c-1", "web-1"))
        assert ("succeeded", 4) == (result["outcome"], result["attempts"])
        first, *later = [intent for intent in bench.intents if intent.command_id == "c-1"]
        assert "" == first.unanswered
        assert [first.at] * 3 == [intent.unanswered for intent in later]


async def test_a_payment_is_repeated_after_a_fault_of_the_pos_at_once() -> None:
    """That is an answer: the call has ended."""
    async with behind_a_box("deposit") as (bench, _, asked):
        bench.pos.faults.switch("server_fault", count=1, operations=["payOrderV2"])
        result = await bench.run(asked)
        assert ("succeeded", 2) == (result["outcome"], result["attempts"])
        assert bench.time.passed < 10


@pytest.mark.parametrize(("text", "missing"), [("Payment method 'BITCOIN' not recognized", False), ("not implemented", False)])
async def test_what_a_command_holds_turns_no_operation_off(text: str, *, missing: bool) -> None:
    """A fault that repeats the command's words costs this command; the next payment goes by the newer operation."""

    class Faulty:
        def __init__(self, pos: Pos) -> None:
            self._pos = pos
            self.order, self.page, self.turn = pos.order, pos.page, pos.turn

        async def change(self, operation: str, fields: Fields) -> OrderAnswer:
            if "BITCOIN" in str(fields):
                raise Refused(f"{operation} is refused: {text}", "Client")
            return await self._pos.change(operation, fields)

    async with lone_executor(through=lambda pos, _: Faulty(pos)) as bench:
        await bench.run(create("c-0", "web-1"))
        bad = pay("c-1", "web-1", 100)
        bad["paymentList"][0]["method"] = "BITCOIN"
        assert ("rejected", "CLIENT-FAULT") == told(await bench.run(bad))[:2]
        assert "succeeded" == (await bench.run(pay("c-2", "web-1", 100)))["outcome"]
        assert "payOrderV2" == bench.wire.changes[-1][1]
        assert missing == bench.context.missing.has("payOrderV2", bench.time.now)


async def test_a_missing_operation_is_tried_again_in_time() -> None:
    """A POS is brought up to date: after an hour the newer operation is asked for again."""
    async with lone_executor() as bench:
        bench.pos.faults.missing_operations = frozenset({"payOrderV2"})
        await bench.run(create("c-0", "web-1"))
        for number, later in ((1, 0), (2, 3500), (3, 200)):
            bench.time.now += later
            await bench.run(pay(f"c-{number}", "web-1", 10))
        changes = [operation for _, operation in bench.wire.changes][1:]
        assert ["payOrderV2", "payOrder", "payOrder", "payOrderV2", "payOrder"] == changes


async def test_no_answer_whatever_a_library_throws() -> None:
    """An error that nobody expected is not taken for proof that nothing was sent."""

    class Broken(Late):
        async def change(self, operation: str, fields: Fields) -> OrderAnswer:
            try:
                return await super().change(operation, fields)
            except Unanswered:
                raise ZeroDivisionError from None

    late: list[Broken] = []

    def through(pos: Pos, time: Time) -> Pos:
        late.append(Broken(pos, time, "payOrderV2", 0.0))
        return late[0]

    async with lone_executor(through=through) as bench:
        await bench.run(create("c-0", "web-1"))
        bench.time.at(bench.time.passed + 500, late[0].arrive)
        result = await bench.run(pay("c-1", "web-1", 100))
        assert ("succeeded", "PAY-ORDER-RESULT-OK", 1, True) == told(result)
        assert ["created", "paid"] == bench.effects("web-1")
