"""Answers that never came: every command, every way of losing one, and cashiers who act meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from itertools import product
from typing import Any

import pytest

from connector.mplus.request import Fields
from connector.mplus.responses.answers import OrderAnswer
from connector.sandbox import Sandbox, SandboxOptions
from connector.sink.ledger.ledger import Intent, decode, encode
from connector.sink.pos.calls import Pos
from tests.support.sink.commanding import create
from tests.support.sink.lone_executor import Act, LoneExecutor, Time, lone_executor
from tests.support.sink.lost_answers import (
    COMMANDS,
    NOTHING_ROWS,
    OLD,
    Late,
    first_line,
    other_line,
    readied,
    told,
)

SLOW = 0.08
"""Seconds after which the client gives up, where the POS shall be slower."""


UNDONE = ["drop_before", "server_fault", "garbage", "unavailable"]
DONE = ["drop_after", "server_fault_after", "truncate", "truncate_framed", "delay_after_seconds"]
SILENT = ["drop_before", "drop_after", "truncate", "delay_after_seconds", "garbage", "unavailable", "truncate_framed"]
"""Faults after which nobody knows whether the POS is still at it: only a SOAP envelope is an answer of the POS."""

ALREADY_THERE = "CREATE-ORDER-RESULT-EXT-ORDER-ID-ALREADY-EXISTS"


def strike(bench: LoneExecutor, kind: str, operation: str, count: int = 1) -> None:
    """The next calls of this operation lose their answers."""
    seconds = 3 * SLOW if kind == "delay_after_seconds" else 0.0
    bench.pos.faults.switch(kind, count=count, operations=[operation], seconds=seconds)


def timeout_for(kind: str) -> float:
    """The client's patience: shorter than what the POS takes, where that is the fault."""
    return SLOW if kind == "delay_after_seconds" else 20.0


@pytest.mark.parametrize(("name", "kind", "count"), [*product(COMMANDS, UNDONE, [1]), *product(COMMANDS, ["drop_before"], [2])])
async def test_what_was_not_done_is_done_once(name: str, kind: str, count: int) -> None:
    """A call that did nothing and whose answer was lost is repeated until one is answered."""
    _, operation, effects, good = COMMANDS[name]
    async with lone_executor() as bench:
        asked = await readied(bench, name)
        strike(bench, kind, operation, count)

        result = await bench.run(asked)

        assert ("succeeded", good, count + 1, False) == told(result)
        assert effects == bench.effects("web-1")


@pytest.mark.parametrize(("name", "kind"), list(product(COMMANDS, DONE)))
async def test_what_was_done_is_not_done_again(name: str, kind: str) -> None:
    """A call that was carried out and whose answer was lost is recognised by looking; the POS has forgotten its key."""
    _, operation, effects, good = COMMANDS[name]
    async with lone_executor(timeout=timeout_for(kind)) as bench:
        asked = await readied(bench, name)
        strike(bench, kind, operation)

        result = await bench.run(asked)

        if name == "create":  # whose the order is that is there now, only a second call tells
            assert ("succeeded", ALREADY_THERE, 2, True) == told(result)
        else:
            assert ("succeeded", good, 1, True) == told(result)
        assert effects == bench.effects("web-1")
        assert bench.order("web-1")["orderId"] == result["orderId"]
        assert ("invoiced" in effects) == bool(result["invoiceId"])
        assert ("delivered" in effects) == bool(result["packingSlipId"])


@pytest.mark.parametrize("kind", ["drop_after", "server_fault_after", "truncate"])
async def test_a_key_that_the_pos_remembers_is_answered_again(kind: str) -> None:
    """createOrderV3 once more with the same idempotency key: the first answer, and one order."""
    async with lone_executor(forget_keys=None) as bench:
        strike(bench, kind, "createOrderV3")
        result = await bench.run(create("c-1", "web-1"))
        assert ("succeeded", "CREATE-ORDER-RESULT-OK", 2, False) == told(result)
        assert ["created"] == bench.effects("web-1")
        assert bench.order("web-1")["orderId"] == result["orderId"]


@pytest.mark.parametrize(("name", "kind", "number"), list(product(COMMANDS, ["drop_before", "drop_after"], [1, 2, 3])))
async def test_whichever_call_loses_its_answer(name: str, kind: str, number: int) -> None:
    """Looking as well as doing: the n-th call of the command's course is struck, and all is done once."""
    _, _, effects, _ = COMMANDS[name]
    async with lone_executor() as bench:
        asked = await readied(bench, name)
        before = len(bench.wire.asked)
        bench.wire.before(lambda at, _: (lambda: bench.pos.faults.switch(kind, count=1)) if at == before + number else None)

        result = await bench.run(asked)

        assert "succeeded" == result["outcome"]
        assert effects == bench.effects("web-1")


@pytest.mark.parametrize(("name", "kind"), list(product(NOTHING_ROWS, UNDONE)))
async def test_when_a_call_that_nothing_protects_is_repeated(name: str, kind: str) -> None:
    """After a fault of the POS at once, for that is an answer; after all else not before the POS must have ended it."""
    _, operation, _, _ = COMMANDS[name]
    async with lone_executor() as bench:
        asked = await readied(bench, name)
        strike(bench, kind, operation)
        begun = bench.time.passed
        await bench.run(asked)

        first, second = (at for at, done in bench.wire.changes if done == operation)
        assert begun == first
        assert (second - first >= 600) == (kind in SILENT)
        assert second - first < 600 + 2 * 15


@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in NOTHING_ROWS])
async def test_a_call_that_is_safe_to_repeat_is_repeated_soon(name: str) -> None:
    """It does not wait until the POS must have ended the first one."""
    _, operation, _, _ = COMMANDS[name]
    async with lone_executor() as bench:
        asked = await readied(bench, name)
        strike(bench, "drop_before", operation)
        begun = bench.time.passed
        await bench.run(asked)
        first, second = (at - begun for at, done in bench.wire.changes if done == operation)
        assert first == 0
        assert 0 < second < 2


@asynccontextmanager
async def arriving_late(name: str, after: float, slow: float = 0.0) -> AsyncIterator[tuple[LoneExecutor, dict[str, Any]]]:
    """A bench, and a command whose first call the POS carries out so many seconds later."""
    late: list[Late] = []

    def through(pos: Pos, time: Time) -> Pos:
        late.append(Late(pos, time, COMMANDS[name][1], slow))
        return late[0]

    async with lone_executor(through=through) as bench:
        asked = await readied(bench, name)
        bench.time.at(bench.time.passed + after, late[0].arrive)
        yield bench, asked


@pytest.mark.parametrize(
    ("after", "slow"), [(0.1, 0), (100.0, 0), (599.9, 0), *((600.0 - early, 40) for early in (0.1, 5, 10, 15, 20))]
)
@pytest.mark.parametrize("name", NOTHING_ROWS)
async def test_a_call_that_arrives_late_is_not_made_twice(name: str, after: float, slow: float) -> None:
    """Whenever the POS comes to it within the time that it may take: what it shows after that time counts."""
    async with arriving_late(name, after, slow) as (bench, asked):
        result = await bench.run(asked)
        assert ("succeeded", COMMANDS[name][3], 1, True) == told(result)
        assert COMMANDS[name][2] == bench.effects("web-1")


@pytest.mark.parametrize("name", ["update", "update V1", "update, locked", "deliver", "cancel", "create V1"])
async def test_a_late_call_finds_nothing_left_to_do(name: str) -> None:
    """What is safe by state, by lock or by a unique name is repeated before the late call arrives, and done once."""
    async with arriving_late(name, 300.0) as (bench, asked):
        result = await bench.run(asked)
        assert ("succeeded", COMMANDS[name][3], 2, False) == told(result)
        await bench.time.sleep(300)
        assert COMMANDS[name][2] == bench.effects("web-1")


@pytest.mark.parametrize("name", ["create", "create V1", "create, paid"])
async def test_an_order_that_appears_while_looking_is_ours(name: str) -> None:
    """The first call arrives between the look that found nothing and the second call."""
    async with arriving_late(name, 0.1) as (bench, asked):
        assert "succeeded" == (await bench.run(asked))["outcome"]
        assert COMMANDS[name][2] == bench.effects("web-1")


class Hanging:
    """A Pos whose change is under way for ever; carried out or not."""

    def __init__(self, pos: Pos, *, done: bool) -> None:
        self._pos = pos
        self._done = done
        self.sent: str | None = None
        self.reached = asyncio.Event()
        self.order, self.page, self.turn = pos.order, pos.page, pos.turn

    async def change(self, operation: str, fields: Fields) -> OrderAnswer:
        if operation != self.sent:
            return await self._pos.change(operation, fields)
        if self._done:
            await self._pos.change(operation, fields)
        self.reached.set()
        return await asyncio.Future()


async def left_behind(pos: Sandbox, name: str, *, done: bool) -> tuple[dict[str, Any], Intent]:
    """A command whose worker was lost while its call was under way, and the INTENT that it left."""
    hanging: list[Hanging] = []

    def through(client: Pos, _: Time) -> Pos:
        hanging.append(Hanging(client, done=done))
        return hanging[0]

    async with lone_executor(pos, through=through) as gone:
        asked = await readied(gone, name)
        hanging[0].sent = COMMANDS[name][1]
        working = asyncio.create_task(gone.run({**asked, "expiresAt": "2026-07-01T12:00:01Z"}))
        await asyncio.wait_for(hanging[0].reached.wait(), 10)
        working.cancel()
        await asyncio.wait([working])
        await gone.context.calls.end(0.0)
        return {**asked, "expiresAt": "2026-07-01T12:00:01Z"}, gone.intents[-1]


@pytest.mark.parametrize("done", [False, True])
@pytest.mark.parametrize("name", COMMANDS)
async def test_a_command_is_taken_up_by_a_successor(name: str, *, done: bool) -> None:
    """From its INTENT alone: done it is recognised, else done once, and by then it cannot expire any more.

    Where nothing makes repeating safe, the call may have left ten seconds after its INTENT.
    """
    _, operation, effects, good = COMMANDS[name]
    async with Sandbox(SandboxOptions(items=3, forget_keys=0)) as pos:
        asked, intent = await left_behind(pos, name, done=done)
        async with lone_executor(pos) as bench:
            for older in OLD - {operation}:
                bench.context.missing.add(older, bench.time.now)
            bench.time.now += 5
            result = await bench.run(asked, intent=decode_intent(encode(intent)))
            if name == "create" and done:
                assert ("succeeded", ALREADY_THERE, 2, True) == told(result)
            else:
                assert ("succeeded", good, 1 if done else 2, done) == told(result)
            assert effects == bench.effects("web-1")
            assert (bench.time.passed >= 5 + 10 + 600) == (name in NOTHING_ROWS and not done)


def decode_intent(value: bytes) -> Intent:
    """As the successor reads it back."""
    entry = decode(value)
    assert isinstance(entry, Intent)
    return entry


def meanwhile(bench: LoneExecutor, kind: str, act: Act) -> None:
    """The command's call is lost, and a cashier acts before anybody looks."""
    begun = len(bench.wire.asked)
    changing = {operation for _, operation, _, _ in COMMANDS.values()}

    def before(number: int, operation: str) -> Act | None:
        lost = any(done in changing and done not in bench.pos.faults.missing_operations for done in bench.wire.asked[begun:-1])
        if not lost or operation in changing:
            return None
        bench.wire.before(lambda *_: None)
        return act

    bench.wire.before(before)


def shop(pos: Sandbox) -> Any:
    """The shop with its cashiers."""
    return pos.shop


# command · cashier · whether the lost call was done · outcome · effects
PAYS = "pays"
DELIVERS_SAME, DELIVERS_OTHER, DELIVERS_MORE = "delivers the same", "delivers another line", "delivers more of it"
CHANGES, CHANGES_SAME, CANCELS, DELIVERS_ALL = "changes something", "writes the same", "cancels", "delivers all"
CASHIERS: Mapping[str, Callable[[LoneExecutor, str], object]] = {
    PAYS: lambda bench, order: shop(bench.pos).cashier_pays(order, 100),
    DELIVERS_SAME: lambda bench, order: shop(bench.pos).cashier_delivers(order, {first_line(bench): 1}),
    DELIVERS_OTHER: lambda bench, order: shop(bench.pos).cashier_delivers(order, {other_line(bench): 1}),
    DELIVERS_MORE: lambda bench, order: shop(bench.pos).cashier_delivers(order, {first_line(bench): 1, other_line(bench): 2}),
    DELIVERS_ALL: lambda bench, order: shop(bench.pos).cashier_delivers(order),
    CHANGES: lambda bench, order: shop(bench.pos).cashier_changes(order, "call first"),
    CHANGES_SAME: lambda bench, order: shop(bench.pos).cashier_changes(order, "red paper"),
    CANCELS: lambda bench, order: shop(bench.pos).cashier_cancels(order),
}


MEANWHILE = [
    # a payment without a reference, of the same amount, may be ours with its reference lost: nothing is paid twice
    ("deposit", PAYS, True, ("succeeded", "PAY-ORDER-RESULT-OK", 1, True), ["paid", "paid"]),
    ("deposit", PAYS, False, ("unknown", "OUTCOME-UNKNOWN", 1, True), ["paid"]),
    ("deposit V1", PAYS, True, ("succeeded", "PAY-ORDER-RESULT-OK", 1, True), ["paid", "paid"]),
    ("deposit V1", PAYS, False, ("unknown", "OUTCOME-UNKNOWN", 1, True), ["paid"]),
    ("deposit V1", CANCELS, False, ("rejected", "PAY-ORDER-RESULT-FAILED", 2, True), ["cancelled"]),
    # packing slips tell who delivered what
    ("deliver a part", DELIVERS_OTHER, True, ("succeeded", "DELIVER-ORDER-V2-RESULT-OK", 1, True), ["delivered", "delivered"]),
    ("deliver a part", DELIVERS_OTHER, False, ("succeeded", "DELIVER-ORDER-V2-RESULT-OK", 2, False), ["delivered", "delivered"]),
    ("deliver a part", DELIVERS_MORE, True, ("succeeded", "DELIVER-ORDER-V2-RESULT-OK", 1, True), ["delivered", "delivered"]),
    ("deliver a part", DELIVERS_MORE, False, ("succeeded", "DELIVER-ORDER-V2-RESULT-OK", 2, False), ["delivered", "delivered"]),
    ("deliver a part", DELIVERS_SAME, True, ("succeeded", "DELIVER-ORDER-V2-RESULT-OK", 1, True), ["delivered", "delivered"]),
    # a cashier's slip over the very same quantities cannot be told from ours: nothing is delivered twice
    ("deliver a part", DELIVERS_SAME, False, ("succeeded", "DELIVER-ORDER-V2-RESULT-OK", 1, True), ["delivered"]),
    # whoever delivered or cancelled it: it is as was asked
    ("deliver", DELIVERS_OTHER, False, ("succeeded", "DELIVER-ORDER-RESULT-OK", 2, False), ["delivered", "delivered"]),
    ("deliver", DELIVERS_ALL, False, ("succeeded", "DELIVER-ORDER-RESULT-OK", 1, True), ["delivered"]),
    ("deliver", CANCELS, False, ("rejected", "DELIVER-ORDER-RESULT-FAILED", 2, True), ["cancelled"]),
    ("cancel", CANCELS, False, ("succeeded", "CANCEL-ORDER-RESULT-OK", 1, True), ["cancelled"]),
    ("cancel", DELIVERS_ALL, False, ("rejected", "CANCEL-ORDER-RESULT-FAILED", 2, True), ["delivered"]),
    # another change moves the counter; the fields tell
    ("update", PAYS, True, ("succeeded", "UPDATE-ORDER-RESULT-OK", 1, True), ["updated", "paid"]),
    # the second call still carries the first one's counter and is refused, the third takes the counter of then
    ("update", PAYS, False, ("succeeded", "UPDATE-ORDER-RESULT-OK", 3, False), ["paid", "updated"]),
    ("update V1", PAYS, False, ("succeeded", "UPDATE-ORDER-RESULT-OK", 3, False), ["paid", "updated"]),
    ("update", CHANGES_SAME, False, ("succeeded", "UPDATE-ORDER-RESULT-OK", 1, True), ["updated"]),
    ("update", CHANGES, True, ("unknown", "OUTCOME-UNKNOWN", 1, True), ["updated", "updated"]),
    ("update", CHANGES, False, ("unknown", "OUTCOME-UNKNOWN", 1, True), ["updated"]),
    ("update, locked", PAYS, False, ("rejected", "UPDATE-ORDER-RESULT-ORDER-HAS-CHANGED", 2, True), ["paid"]),
]


@pytest.mark.parametrize(("name", "cashier", "done", "expected", "effects"), MEANWHILE)
async def test_a_cashier_acts_before_anybody_looks(
    name: str, cashier: str, *, done: bool, expected: tuple[Any, ...], effects: list[str]
) -> None:
    """What he did is told from what the command did, or the outcome is unknown; and nothing is done twice."""
    async with lone_executor() as bench:
        asked = await readied(bench, name)
        order_id = bench.order("web-1")["orderId"]
        strike(bench, "drop_after" if done else "drop_before", COMMANDS[name][1])
        meanwhile(bench, name, lambda: CASHIERS[cashier](bench, order_id))

        result = await bench.run(asked)

        assert expected == told(result)
        assert effects == bench.effects("web-1")
