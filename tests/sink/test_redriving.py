"""Dead letters that are sent again, however long after: an unknown outcome is looked up, and never carried out blindly."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import RecordsToDelete

from connector.admin.dead_letters import DeadLetters, in_order
from connector.kafka.cluster import Cluster
from connector.sandbox import Sandbox, SandboxOptions
from connector.sink.context import Deadlines
from connector.sink.redrive import NEVER_SENT, RedrivenLetter
from tests.sink.lanes import UNSEEN, Lanes, laning, unknown
from tests.support.kafka.topics import admin, end_offsets
from tests.support.sink.commanding import cancel, create, deliver, pay, update
from tests.support.sink.lone_executor import Time, lone_executor
from tests.support.sink.lost_answers import first_line, told

DAY_S = 86_400.0
RETENTION_S = 30 * DAY_S


@pytest.fixture
async def timed(bootstrap: str, prefix: str) -> AsyncIterator[tuple[Lanes, Time]]:
    """An administration whose POS forgets every idempotency key, and whose workers wait in no time."""
    time = Time()
    async with Sandbox(SandboxOptions(items=3, forget_keys=0)) as pos, laning(bootstrap, prefix, pos, time.clock) as found:
        found.settings |= {"deadlines": Deadlines(ledger=RETENTION_S), "retention": RETENTION_S}
        time.now = 100 * DAY_S
        yield found, time


async def redrive_all(lanes: Lanes) -> None:
    """As `dead-letters redrive --all` does."""
    letters = DeadLetters(Cluster(lanes.bootstrap), lanes.prefix)
    found = in_order([letter async for letter in letters.all() if letter.stage in ("outcome", "unexpected")])
    async for _ in letters.redrive(found):
        pass


async def aged(lanes: Lanes, time: Time, name: str, results: int) -> None:
    """A month later: the next command makes the lane forget."""
    time.now += 31 * DAY_S
    await lanes.send(create(name, name))
    await lanes.results(results)


@pytest.mark.parametrize("kind", ["drop_after", "drop_before"])
async def test_a_payment_that_the_ledger_has_forgotten(timed: tuple[Lanes, Time], kind: str) -> None:
    """Redriven after a month, and a month later again: done it is told as done, else it is unknown once more; never sent."""
    lanes, time = timed
    async with lanes.worker() as (pos, calls), lanes.owning(calls):
        await unknown(lanes, pos, kind)
        await aged(lanes, time, "web-8", 3)
        await redrive_all(lanes)
        *_, once = await lanes.results(4)
        await aged(lanes, time, "web-9", 5)
        await redrive_all(lanes)
        again = (await lanes.results(6 if kind == "drop_after" else 7))[5:]
    expected = "succeeded" if kind == "drop_after" else "unknown"
    assert {expected} == {row["outcome"] for row in (once, *again)}
    assert {False} == {row["duplicate"] for row in (once, *again)}
    assert (["created", "paid"] if kind == "drop_after" else ["created"]) == lanes.effects_on("web-1")
    assert 1 == pos.changes.count("payOrderV2")
    if expected == "unknown":
        assert "the ledger has forgotten this command" in once["message"]


@pytest.mark.parametrize("done", [True, False])
async def test_a_part_delivery_that_the_ledger_has_forgotten(timed: tuple[Lanes, Time], *, done: bool) -> None:
    """Nothing protects it: it is judged by the INTENT that its letter carries, and never made again."""
    lanes, time = timed
    async with lanes.worker() as (pos, calls), lanes.owning(calls):
        await lanes.send(create("c-1", "web-1"))
        await lanes.results(1)
        line = lanes.order("web-1")["lineList"]["line"][0]["lineId"]
        gate = pos.hold("orderDelivery")
        await lanes.send(deliver("c-2", "web-1", {"lineId": line, "quantity": 1}))
        await gate.reached.wait()
        lanes.pos.faults.switch("drop_after" if done else "drop_before", count=1, operations=["deliverOrderV2"])
        lanes.pos.faults.unlicensed_operations = UNSEEN
        gate.opened.set()
        await lanes.results(2)
        lanes.pos.faults.unlicensed_operations = frozenset()
        await aged(lanes, time, "web-8", 3)
        await redrive_all(lanes)
        *_, result = await lanes.results(4)
    assert ("succeeded" if done else "unknown") == result["outcome"]
    assert (["created", "delivered"] if done else ["created"]) == lanes.effects_on("web-1")
    assert 1 == pos.changes.count("deliverOrderV2")


async def test_a_payment_is_recognised_where_the_ledger_is_lost(timed: tuple[Lanes, Time]) -> None:
    """The command is read again, and its own reference, which is used once, stands in the order: it is done."""
    lanes, _ = timed
    async with lanes.worker() as (pos, calls):
        async with lanes.owning(calls):
            await lanes.send(create("c-1", "web-1"), pay("c-2", "web-1", 5))
            await lanes.results(2)
        ledger = f"{lanes.prefix}.command-ledger"
        end = (await end_offsets(lanes.bootstrap, ledger))[0]
        async with admin(lanes.bootstrap) as client:
            await client.delete_records({TopicPartition(ledger, 0): RecordsToDelete(before_offset=end)})
        lanes.member.offset = 0
        async with lanes.owning(calls):
            *_, result = await lanes.results(4)
    assert ("succeeded", 0, True) == (result["outcome"], result["attempts"], result["reconciled"])
    assert ["created", "paid"] == lanes.effects_on("web-1")
    assert 1 == pos.changes.count("payOrderV2")


async def redriven(command: dict[str, Any], operation: str, later: dict[str, Any] | None = None, days: float = 1.0) -> Any:
    """A command that is unknown and was not done, perhaps a later one of its key, and the first redriven after some days."""
    async with lone_executor() as bench:
        await bench.run(create("c-0", "web-1"))
        for row in command.get("lineList", ()), (later or {}).get("lineList", ()):
            for line in row:
                line["lineId"] = first_line(bench)
        bench.pos.faults.switch("drop_before", count=1, operations=[operation])
        bench.pos.faults.unlicensed_operations = frozenset({"getOrder"})
        assert "unknown" == (await bench.run(command))["outcome"]
        intent = bench.endings[-1].intent
        bench.pos.faults.unlicensed_operations = frozenset()
        if later is not None:
            assert "succeeded" == (await bench.run(later))["outcome"]
        bench.time.now += days * DAY_S
        return await bench.run(command, intent=intent, redriven=True), bench


async def test_a_later_commands_packing_slip_is_not_the_redriven_ones() -> None:
    """Both asked for the same: the later one's is known by the ledger, so the first is delivered now."""
    part = [{"lineId": "", "quantity": 1}]
    first, second = deliver("c-1", "web-1", *map(dict, part)), deliver("c-2", "web-1", *map(dict, part))
    result, bench = await redriven(first, "deliverOrderV2", second)
    slips = bench.order("web-1")["packingSlipIds"]["id"]
    assert ("succeeded", slips[1]) == (result["outcome"], result["packingSlipId"])
    assert ["created", "delivered", "delivered"] == bench.effects("web-1")


async def test_a_later_commands_payment_is_not_the_redriven_ones() -> None:
    """Of the same amount: its reference is another command's, so the first is paid now, and nobody is told otherwise."""
    result, bench = await redriven(pay("c-1", "web-1", 100), "payOrderV2", pay("c-2", "web-1", 100))
    assert "succeeded" == result["outcome"]
    assert ["c-2", "c-1"] == [row["externalReference"] for row in bench.order("web-1")["paymentList"]["payment"]]


@pytest.mark.parametrize("command", [pay("c-1", "web-1", 100), cancel("c-1", "web-1"), update("c-1", "web-1", reference="red")])
async def test_what_has_expired_meanwhile_is_not_made(command: dict[str, Any]) -> None:
    """Proven not done, and its time is over: rejected as EXPIRED."""
    operations = {"payOrder": "payOrderV2", "cancelOrder": "cancelOrder", "updateOrder": "updateOrderV2"}
    expiring = {**command, "expiresAt": "2026-07-01T12:10:00Z"}
    result, bench = await redriven(expiring, operations[command["command"]], days=20)
    assert ("rejected", "EXPIRED", 1) == told(result)[:3]
    assert ["created"] == bench.effects("web-1")


@pytest.mark.parametrize("age", [0.0, 0.5, 26.9, 27.1, 31.0, None])
@pytest.mark.parametrize("stage", ["parse", "validate", "outcome", "unexpected", ""])
def test_what_the_ledger_does_not_know_is_new_only_if_it_was_never_sent(stage: str, age: float | None) -> None:
    """Invalid, and so young that a redrive since then would still be remembered. Days."""
    now = 1e9
    letter = RedrivenLetter(stage, None if age is None else now - age * DAY_S, None)
    assert (stage in NEVER_SENT and age is not None and age < 27) == letter.is_new(now, RETENTION_S)
