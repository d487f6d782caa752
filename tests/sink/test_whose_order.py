"""Whose order an answer, a look or a dead letter is about; and what is remembered of calls from one session to the next."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import orjson
import pytest

from connector.errors import NotSent, Refused
from connector.messages.command import Command, read
from connector.mplus.request import Fields
from connector.mplus.responses.answers import OrderAnswer
from connector.sink.command_end import CommandEnd
from connector.sink.execution import Execution
from connector.sink.executor import Executor
from connector.sink.ledger.ledger import Intent
from connector.sink.pos.calls import Pos
from tests.support.sink.commanding import create, deliver, key_of, pay, update
from tests.support.sink.evidence import UNKNOWN, Showing, references
from tests.support.sink.foreign_orders import ONLY_V1, TAKEN, Foreign
from tests.support.sink.lone_executor import LoneExecutor, Time, lone_executor
from tests.support.sink.lost_answers import TOTAL, told

INVOICE = "DELIVER-ORDER-TURNOVER-TYPE-INVOICE"


async def test_a_name_that_is_taken_in_other_letters() -> None:
    """To this POS `web-1` and `Web-1` are one: the only call was refused, so it is rejected, and names no stranger's order."""

    class Alike(Showing):
        def __init__(self, pos: Pos) -> None:
            super().__init__(pos)
            del self.change

        async def order(self, operation: str, fields: Fields) -> OrderAnswer:
            return await super().order(operation, [(name, str(value).lower()) for name, value in fields])

        async def change(self, operation: str, fields: Fields) -> OrderAnswer:
            return OrderAnswer(TAKEN) if "Web-1" in str(fields) else await self._pos.change(operation, fields)

    async with lone_executor(through=lambda pos, _: Alike(pos)) as bench:
        await bench.run(create("c-0", "web-1"))
        result = await bench.run(create("c-1", "Web-1"))
        assert ("rejected", TAKEN, 1, True) == told(result)
        assert (None, "Web-1") == (result["orderId"], result["extOrderId"])


async def test_an_order_of_the_till_under_the_name_of_another() -> None:
    """It has no extOrderId, so its key is its orderId: under any other its commands would run beside each other."""
    async with lone_executor() as bench:
        pos = bench.pos
        till = next(item for item in pos.shop.sequences["order"] if not pos.shop.document(item)["extOrderId"])
        await bench.run(create("c-0", "web-1"))
        result = await bench.run({**pay("c-1", "web-1", 5), "orderId": till.identity})
        assert ("rejected", "INVALID-COMMAND", 0) == told(result)[:3]
        assert ["created"] == [row["effect"] for row in pos.effects]


async def test_an_answer_about_another_order_id_is_no_success() -> None:
    """Also where the command names its order by orderId alone."""
    other = {"orderId": "o-7", "syncMarker": 7}
    answer = OrderAnswer("UPDATE-ORDER-RESULT-OK", other)
    async with lone_executor(through=lambda pos, _: Foreign(pos, answer)) as bench:
        pos = bench.pos
        till = next(item for item in pos.shop.sequences["order"] if not pos.shop.document(item)["extOrderId"])
        body = {"commandId": "c-1", "command": "updateOrder", "order": {"orderId": till.identity, "reference": "red"}}
        result = await bench.run(body)
        assert UNKNOWN == told(result)[:2]
        assert till.identity == result["orderId"]


@pytest.mark.parametrize("code", ["CREATE-ORDER-RESULT-OK", "CREATE-ORDER-RESULT-FAILED"])
async def test_a_result_names_nothing_of_anothers_order(code: str) -> None:
    """The POS answers for another order: neither its orderId nor its documents are this command's."""
    answer = OrderAnswer(code, {"orderId": "o-7", "extOrderId": "web-7", "syncMarker": 7}, "o-7", "i-7", "p-7")
    async with lone_executor(through=lambda pos, _: Foreign(pos, answer)) as bench:
        result = await bench.run(create("c-1", "web-1"))
        assert [None] * 4 == [result[name] for name in ("orderId", "invoiceId", "packingSlipId", "syncMarker")]


async def test_a_redriven_creation_of_a_name_that_is_taken() -> None:
    """createOrder V1: another command made that order meanwhile, and its orderId is not sent in the place of none."""
    asked: list[str] = []

    class Reading(Showing):
        def __init__(self, pos: Pos) -> None:
            super().__init__(pos)
            del self.change

        async def change(self, operation: str, fields: Fields) -> OrderAnswer:
            named = [row[1] for name, order in fields if name == "order" for row in order if row[0] == "orderId"]  # type: ignore[union-attr]
            asked.append(f"{operation} {named[0]!r}" if named else operation)
            return await self._pos.change(operation, fields)

    async with lone_executor(through=lambda pos, _: Reading(pos)) as bench:
        bench.pos.faults.missing_operations = ONLY_V1
        bench.pos.faults.switch("drop_before", count=1, operations=["createOrder"])
        bench.wire.before(
            lambda *_: setattr(bench.pos.faults, "unlicensed_operations", frozenset({"findOrder"} if len(asked) > 1 else ()))
        )
        assert UNKNOWN == told(await bench.run(create("c-1", "web-1")))[:2]
        intent = bench.endings[-1].intent
        bench.wire.before(lambda *_: None)
        bench.pos.faults.unlicensed_operations = frozenset()
        await bench.run(create("c-2", "web-1", 10))
        result = await bench.run(create("c-1", "web-1"), intent=intent, redriven=True)
        assert ("rejected", TAKEN) == told(result)[:2]
        assert {"''"} == {row.split(" ")[1] for row in asked if row.startswith("createOrder ")}


async def judged(bench: LoneExecutor, command: Mapping[str, Any], intent: Intent | None) -> CommandEnd:
    """A redriven command that the ledger has forgotten."""
    taken = read(key_of(command).encode(), orjson.dumps(command))
    assert isinstance(taken, Command)
    return await Executor(bench.context).judge(Execution(taken, 99, "0:1", intent, redriven=intent is not None))


async def sent_and_forgotten(bench: LoneExecutor, command: dict[str, Any], operation: str) -> Intent:
    """A command that was not done, of which only the INTENT in its letter is left."""
    bench.pos.faults.switch("drop_before", count=1, operations=[operation])
    bench.wire.before(
        lambda *_: setattr(
            bench.pos.faults, "unlicensed_operations", frozenset({"findOrder", "getOrder"} if bench.intents else ())
        )
    )
    bench.intents.clear()
    await bench.run(command)
    bench.wire.before(lambda *_: None)
    bench.pos.faults.unlicensed_operations = frozenset()
    intent = bench.endings[-1].intent
    assert intent is not None
    bench.forget()
    return intent


@pytest.mark.parametrize("lettered", [True, False])
async def test_a_forgotten_creation_is_not_anothers(*, lettered: bool) -> None:
    """The producer sent it again under another id, which made the order: it is not told as made by the first one."""
    async with lone_executor() as bench:
        intent = await sent_and_forgotten(bench, create("c-1", "web-1"), "createOrderV3")
        await bench.run(create("c-2", "web-1"))
        end = await judged(bench, create("c-1", "web-1"), intent if lettered else None)
        assert "unknown" == end.outcome
        assert ["created"] == bench.effects("web-1")


async def test_a_forgotten_delivery_is_judged_by_its_intent() -> None:
    """It was to make an invoice; there was one before, and a cashier delivers: the order alone would look as asked."""
    async with lone_executor() as bench:
        await bench.run(create("c-0", "web-1"))
        order_id, asked = bench.order("web-1")["orderId"], {**deliver("c-1", "web-1"), "turnoverType": INVOICE}
        intent = await sent_and_forgotten(bench, asked, "deliverOrder")
        bench.pos.shop.cashier_pays(order_id, TOTAL, prepay=False)
        (invoice,) = bench.order("web-1")["invoiceIds"]["id"]
        before = replace(intent, before={**intent.before, "invoiceIds": [invoice]})
        assert "unknown" == (await judged(bench, asked, before)).outcome


async def test_a_forgotten_command_that_has_expired_is_still_looked_for() -> None:
    """It cannot expire, for it will not be sent: looking that fails once is tried again."""
    async with lone_executor() as bench:
        await bench.run(create("c-0", "web-1"))
        asked = pay("c-1", "web-1", 100)
        await bench.run(asked)
        bench.forget()
        bench.pos.faults.switch("server_fault", count=5, operations=["findOrder"])
        end = await judged(bench, {**asked, "expiresAt": "2026-07-01T11:00:00Z"}, None)
        assert "succeeded" == end.outcome


async def test_a_forgotten_command_tells_each_time_what_was_sent() -> None:
    """Its attempts are those of its INTENT."""
    async with lone_executor() as bench:
        await bench.run(create("c-0", "web-1"))
        intent = await sent_and_forgotten(bench, pay("c-1", "web-1", 100), "payOrderV2")
        assert 1 == (await judged(bench, pay("c-1", "web-1", 100), intent)).attempts


class LeftBehind:
    """A Pos whose next changes wait; each ends as the test says."""

    def __init__(self, pos: Pos) -> None:
        self._pos = pos
        self.calls: list[asyncio.Future[Exception]] = []
        self.holding, self.reached = False, asyncio.Event()
        self.order, self.page, self.turn = pos.order, pos.page, pos.turn

    async def change(self, operation: str, fields: Fields) -> OrderAnswer:
        if not self.holding:
            return await self._pos.change(operation, fields)
        self.calls.append(asyncio.get_running_loop().create_future())
        self.reached.set()
        raise await self.calls[-1]


async def left(bench: LoneExecutor, pos: LeftBehind, command: dict[str, Any], intent: Intent | None = None) -> Intent:
    """The worker's session ends while its call is under way; the INTENT that it left."""
    pos.holding = True
    pos.reached.clear()
    working = asyncio.create_task(bench.run(command, intent=intent))
    await asyncio.wait_for(pos.reached.wait(), 10)
    working.cancel()
    await asyncio.wait([working])
    pos.holding = False
    return bench.intents[-1]


async def test_what_never_left_expires_also_when_the_partition_comes_back() -> None:
    """The call ended as not sent while the partition was away: the command was never sent, and its time is over."""
    held: list[LeftBehind] = []

    def through(pos: Pos, _: Time) -> Pos:
        held.append(LeftBehind(pos))
        return held[0]

    async with lone_executor(through=through) as bench:
        asked = create("c-1", "web-1", expiresAt="2026-07-01T12:00:01Z")
        intent = await left(bench, held[0], asked)
        held[0].calls[0].set_result(NotSent("the POS cannot be reached"))
        bench.time.now += 60
        assert ("rejected", "EXPIRED", 0, False) == told(await bench.run(asked, intent=intent))
        assert [] == bench.effects("web-1")


@pytest.mark.parametrize("skew_h", [-1, 0, 1])
async def test_another_workers_clock_ends_no_waiting(skew_h: int) -> None:
    """Its call may be at work; the next worker's own is refused while its partition is away: not rejected before the time."""
    held: list[LeftBehind] = []

    def through(pos: Pos, _: Time) -> Pos:
        held.append(LeftBehind(pos))
        return held[0]

    async with lone_executor(through=through) as bench:
        await bench.run(create("c-0", "web-1"))
        asked = update("c-1", "web-1", reference="red", changeCounter=bench.order("web-1")["changeCounter"])
        first = await left(bench, held[0], asked)
        lost = replace(first, id="another worker's", at=_shifted(first.at, skew_h))
        second = await left(bench, held[0], asked, lost)
        held[0].calls[1].set_result(Refused("the order is locked", "Client"))
        assert "rejected" == (await bench.run(asked, intent=second))["outcome"]
        assert 600 <= bench.time.passed < 600 + 60


def _shifted(at: str, hours: int) -> str:
    return (datetime.fromisoformat(at) + timedelta(hours=hours)).isoformat()


@pytest.mark.parametrize("code", ["PAY-ORDER-RESULT-OK", "PAY-ORDER-RESULT-PAYMENT-INSUFFICIENT"])
async def test_an_answer_outlives_the_tenure_that_got_it(code: str) -> None:
    """The partition is left between the answer and its result, and comes back: the answer counts, whatever the order shows."""
    async with lone_executor(through=lambda pos, _: Showing(pos, references(lambda text: ""))) as bench:
        await bench.run(create("c-0", "web-1"))
        bench.pos.faults.results.tell("payOrderV2", [code], effect=code.endswith("OK"))
        asked = pay("c-1", "web-1", 100)
        reached = asyncio.Event()

        async def looks() -> None:
            reached.set()
            await asyncio.Event().wait()

        bench.wire.before(lambda _, it: looks if it == "getOrder" else None)
        working = asyncio.create_task(bench.run(asked))
        if code.endswith("OK"):
            await asyncio.wait_for(reached.wait(), 10)
            working.cancel()
        await asyncio.wait([working])
        bench.wire.before(lambda *_: None)
        result = await bench.run(asked, intent=bench.intents[-1])
        assert code == result["reason"]
        assert (1, False) == (result["attempts"], result["reconciled"])
        assert 1 == bench.wire.changes.count((bench.wire.changes[-1][0], "payOrderV2"))


async def test_what_failed_before_it_was_sent_can_be_redriven() -> None:
    """Its INTENT was made, and by a mistake of ours not sent: it has no time, and is carried out."""
    async with lone_executor() as bench:
        await bench.run(create("c-0", "web-1"))
        intent = await sent_and_forgotten(bench, pay("c-1", "web-1", 100), "payOrderV2")
        unsent = replace(intent, id="", at="", attempt=0)
        assert ("succeeded", 1) == told(await bench.run(pay("c-1", "web-1", 100), intent=unsent, redriven=True))[::2]
