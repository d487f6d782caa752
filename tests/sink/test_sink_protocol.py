"""The rules of the sink's protocol on a real broker: what stands in the topics, and what the POS was asked."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from aiokafka import TopicPartition
from aiokafka.admin import RecordsToDelete

from connector.errors import Fenced
from connector.events.commands import CommandsLost
from connector.sandbox import Sandbox, SandboxOptions
from connector.sink.context import Deadlines
from connector.sink.execution import Execution
from tests.sink.lanes import UNSEEN, Lanes, laning, unknown
from tests.support.kafka.topics import admin, end_offsets
from tests.support.sink.commanding import cancel, commanding, create, outcomes, pay, update
from tests.support.sink.lone_executor import Time
from tests.support.source.polling import eventually

OK = ("succeeded", "CREATE-ORDER-RESULT-OK")


@pytest.fixture
async def pos() -> AsyncIterator[Sandbox]:
    """A small shop."""
    async with Sandbox(SandboxOptions(items=3)) as sandbox:
        yield sandbox


@pytest.fixture
async def lanes(bootstrap: str, prefix: str, pos: Sandbox) -> AsyncIterator[Lanes]:
    """Its administration."""
    async with laning(bootstrap, prefix, pos) as found:
        yield found


async def entries(lanes: Lanes) -> list[tuple[str, str]]:
    """Type and commandId of what the ledger says, in order; without the lane's own records."""
    return [(row["type"], row["key"]) for row in await lanes.ledger() if "type" in row]


async def test_an_intent_is_committed_before_the_call(lanes: Lanes) -> None:
    """When the call is about to leave, a reader of committed records sees its INTENT, and no result."""
    async with lanes.worker() as (pos, calls), lanes.owning(calls):
        gate = pos.hold("web-1")
        await lanes.send(create("c-1", "web-1"))
        await asyncio.wait_for(gate.reached.wait(), 10)
        assert [("INTENT", "c-1")] == await entries(lanes)
        assert [] == await lanes.published()
        gate.opened.set()
        assert [OK] == outcomes(await lanes.results(1))
        assert [("INTENT", "c-1"), ("DONE", "c-1")] == await entries(lanes)


async def test_an_intent_that_was_lost_is_followed_by_no_call(lanes: Lanes) -> None:
    """Its transaction fails: the next session writes another, and only then is the POS called."""
    lanes.losing = b"INTENT"
    async with lanes.worker() as (pos, calls), lanes.owning(calls):
        await lanes.send(create("c-1", "web-1"))
        assert [OK] == outcomes(await lanes.results(1))
    assert ["createOrderV3"] == pos.changes
    assert [("INTENT", "c-1"), ("DONE", "c-1")] == await entries(lanes)


async def test_a_result_that_was_lost_is_found_again(lanes: Lanes) -> None:
    """Its transaction fails after the call: the next session learns what was done, and publishes it once."""
    lanes.losing = b"DONE"
    async with lanes.worker() as (_, calls), lanes.owning(calls):
        await lanes.send(create("c-1", "web-1"), update("c-2", "web-1", reference="red"))
        results = await lanes.results(2)
        await lanes.idle(2)
    assert ["succeeded", "succeeded"] == [row["outcome"] for row in results]
    assert ["created", "updated"] == lanes.effects_on("web-1")
    assert 2 == len(await lanes.published())


async def test_a_result_is_one_transaction_with_its_done(lanes: Lanes) -> None:
    """And with where the lane's work stands then."""
    async with lanes.worker() as (_, calls), lanes.owning(calls):
        await lanes.send(create("c-1", "web-1"))
        await lanes.results(1)
    _, intent, result = lanes.transactions
    ledger, results = f"{lanes.prefix}.command-ledger", f"{lanes.prefix}.order-command-results"
    assert [(ledger, b"c-1"), (ledger, b"lane:0")] == [(row.topic, row.key) for row in intent]
    assert {"offset": 0, "finished": []} == orjson.loads(intent[-1].value or b"")
    assert [(ledger, b"c-1"), (results, b"web-1"), (ledger, b"lane:0")] == [(row.topic, row.key) for row in result]
    assert "DONE" == orjson.loads(result[0].value or b"")["type"]
    assert {"offset": 1, "finished": []} == orjson.loads(result[-1].value or b"")
    assert {0} == {row.partition for row in (*intent, *result) if row.topic == ledger}


async def test_a_command_that_is_read_again_publishes_nothing(lanes: Lanes) -> None:
    """The same record at the same offset: it is finished once more, without a result and without a call."""
    async with lanes.worker() as (pos, calls):
        async with lanes.owning(calls):
            await lanes.send(create("c-1", "web-1"))
            await lanes.results(1)
        await lanes.rewind(0)
        async with lanes.owning(calls):
            await lanes.idle(1)
    assert ["createOrderV3"] == pos.changes
    assert 1 == len(await lanes.published())
    assert [("INTENT", "c-1"), ("DONE", "c-1")] == await entries(lanes)


async def test_a_repeated_command_has_the_same_result_and_no_call(lanes: Lanes) -> None:
    """At another offset, however its JSON is spelled; also after a restart."""
    command = create("c-1", "web-1")
    spelled = (b"web-1", orjson.dumps(dict(reversed(command.items())), option=orjson.OPT_INDENT_2))
    async with lanes.worker() as (pos, calls):
        async with lanes.owning(calls):
            await lanes.send(command, spelled)
            await lanes.results(2)
        async with lanes.owning(calls):
            await lanes.send(command)
            first, *others = await lanes.results(3)
            await lanes.idle(3)
    assert ["createOrderV3"] == pos.changes
    assert [False, True, True] == [row["duplicate"] for row in (first, *others)]
    for other in others:
        assert {**first, "duplicate": True, "at": other["at"]} == other
    assert [] == await lanes.letters()


async def test_the_same_id_with_other_content_is_rejected(lanes: Lanes) -> None:
    """It is a valid message: no dead letter; the first one's result stays what it was."""
    async with lanes.worker() as (pos, calls), lanes.owning(calls):
        await lanes.send(create("c-1", "web-1"), cancel("c-1", "web-1"), create("c-1", "web-1"))
        results = await lanes.results(3)
        await lanes.idle(3)
    assert [OK, ("rejected", "INVALID-COMMAND"), OK] == outcomes(results)
    assert ["createOrder", "cancelOrder", "createOrder"] == [row["command"] for row in results]
    assert [False, False, True] == [row["duplicate"] for row in results]
    assert ["createOrderV3"] == pos.changes
    assert [] == await lanes.letters()


async def test_a_slow_order_holds_up_only_itself(lanes: Lanes) -> None:
    """Its commands wait for each other in their order; those of other orders go on, and the offset stays before the slow one."""
    async with lanes.worker() as (pos, calls), lanes.owning(calls):
        gate = pos.hold("web-1")
        await lanes.send(create("a-1", "web-1"), pay("a-2", "web-1", 5), create("b-1", "web-2"), pay("b-2", "web-2", 5))
        assert ["b-1", "b-2"] == [row["commandId"] for row in await lanes.results(2)]
        await lanes.send(cancel("a-3", "web-1"), cancel("b-3", "web-2"))
        assert ["b-1", "b-2", "b-3"] == [row["commandId"] for row in await lanes.results(3)]
        assert [] == lanes.effects_on("web-1")
        assert 0 == lanes.member.offset
        gate.opened.set()
        await lanes.results(6)
        await lanes.idle(6)
    assert ["created", "paid", "cancelled"] == lanes.effects_on("web-1")
    assert ["created", "paid", "cancelled"] == lanes.effects_on("web-2")


async def test_the_lane_never_passes_what_is_not_committed(lanes: Lanes) -> None:
    """Sixty commands of twenty orders, among them messages that are none: after each transaction the lane stands right."""
    async with lanes.worker() as (_, calls), lanes.owning(calls, in_flight=8):
        sent: list[Any] = []
        for number in range(20):
            name = f"web-{number}"
            sent += [create(f"a-{number}", name), (name.encode(), b"no JSON"), cancel(f"b-{number}", name)]
        await lanes.send(*sent)
        await lanes.results(40)
        await lanes.idle(60)
    ended: set[int] = set()
    for records in lanes.transactions:
        told = [orjson.loads(record.value or b"") for record in records if record.topic.endswith("-ledger")]
        ended |= {row["entry"]["offset"] for row in told if row.get("type") == "DONE"}
        ended |= {
            int(dict(record.headers)["__connect.errors.offset"] or b"") for record in records if record.topic.endswith("-letters")
        }
        stands = told[-1]
        beyond = [offset for first, last in stands["finished"] for offset in range(first, last + 1)]
        assert ended == {*range(stands["offset"]), *beyond}
    assert set(range(60)) == ended


async def test_equal_ids_of_different_orders_are_served_one_after_the_other(lanes: Lanes) -> None:
    """While the first is at work the second makes no call; then it is rejected, for the id is used."""
    async with lanes.worker() as (pos, calls), lanes.owning(calls):
        gate = pos.hold("web-1")
        await lanes.send(create("c-1", "web-1"), create("c-1", "web-2"), create("c-2", "web-3"))
        await asyncio.wait_for(gate.reached.wait(), 10)
        assert ["c-2"] == [row["commandId"] for row in await lanes.results(1)]
        gate.opened.set()
        results = await lanes.results(3)
    assert [("web-3", "succeeded"), ("web-1", "succeeded"), ("web-2", "rejected")] == [
        (row["extOrderId"], row["outcome"]) for row in results
    ]
    assert [] == lanes.effects_on("web-2")


async def test_what_is_finished_beyond_is_not_done_again(lanes: Lanes) -> None:
    """A worker ends while a slow command is under way: its successor takes up that one, and not the later ones."""
    async with lanes.worker() as (gone, theirs):
        gate = gone.hold("web-1")
        async with lanes.owning(theirs):
            bad = (b"web-4", b"not JSON")
            await lanes.send(create("c-1", "web-1"), create("c-2", "web-2"), bad, cancel("c-2", "web-2"))
            await lanes.results(2)
            await lanes.letters_of(1)
            await asyncio.wait_for(gate.reached.wait(), 10)
        async with lanes.worker() as (pos, calls), lanes.owning(calls):
            results = await lanes.results(3)
            await lanes.idle(4)
    assert ["createOrderV3"] == pos.changes
    assert ["c-2", "c-2", "c-1"] == [row["commandId"] for row in results]
    assert 3 == len(await lanes.published())
    assert 1 == len(await lanes.letters())
    assert ["created"] == lanes.effects_on("web-1")


@pytest.mark.parametrize("done", [False, True])
async def test_a_partition_that_comes_back_finds_the_answer(lanes: Lanes, *, done: bool) -> None:
    """The call goes on while the partition is away; its answer is the new session's, without a look or a second call."""
    async with lanes.worker() as (pos, calls):
        gate = pos.hold("web-1", answer=done)
        async with lanes.owning(calls):
            await lanes.send(create("c-1", "web-1"))
            await asyncio.wait_for(gate.reached.wait(), 10)
        async with lanes.owning(calls):
            assert [] == await lanes.published()
            gate.opened.set()
            (result,) = await lanes.results(1)
    assert ("succeeded", "CREATE-ORDER-RESULT-OK", 1, False) == tuple(
        result[name] for name in ("outcome", "reason", "attempts", "reconciled")
    )
    assert ["createOrderV3"] == pos.changes
    assert [("INTENT", "c-1"), ("DONE", "c-1")] == await entries(lanes)


@pytest.mark.parametrize("lingers", [0.0, 10.0])
async def test_a_partition_that_is_left(lanes: Lanes, lingers: float) -> None:
    """Calls under way may end within the moment that they are given; nothing new begins; what does not end is left open."""
    async with lanes.worker() as (pos, calls):
        gate = pos.hold("web-1")
        async with lanes.owning(calls, linger=lingers) as session:
            await lanes.send(create("c-1", "web-1"), pay("c-2", "web-1", 5))
            await asyncio.wait_for(gate.reached.wait(), 10)
            session.cancel()
            gate.opened.set() if lingers else None
            await asyncio.wait([session])
    assert ["createOrderV3"] == pos.changes
    assert (["c-1"] if lingers else []) == [row["commandId"] for row in await lanes.published()]


@pytest.mark.parametrize("done", [False, True])
async def test_another_worker_looks_for_what_a_call_has_done(lanes: Lanes, *, done: bool) -> None:
    """The worker that sent it is gone: what was done is recognised, what was not is done once."""
    async with lanes.worker() as (gone, theirs):
        gate = gone.hold("reference", answer=done)
        async with lanes.owning(theirs):
            await lanes.send(create("c-1", "web-1"), update("c-2", "web-1", reference="red paper"))
            await asyncio.wait_for(gate.reached.wait(), 10)
        async with lanes.worker() as (pos, calls), lanes.owning(calls):
            _, result = await lanes.results(2)
    assert ("succeeded", 1 if done else 2, done) == (result["outcome"], result["attempts"], result["reconciled"])
    assert ([] if done else ["updateOrderV2"]) == pos.changes
    assert ["created", "updated"] == lanes.effects_on("web-1")


async def test_a_worker_that_was_fenced_commits_nothing(lanes: Lanes) -> None:
    """Its successor starts while it still works: its answer is not published a second time."""
    async with lanes.worker() as (gone, theirs), lanes.worker() as (_, calls):
        gate = gone.hold("web-1", answer=True)
        async with lanes.owning(theirs, proof=60.0) as zombie:
            await lanes.send(create("c-1", "web-1"))
            await asyncio.wait_for(gate.reached.wait(), 10)
            async with lanes.owning(calls):
                (result,) = await lanes.results(1)
                gate.opened.set()
                await asyncio.wait([zombie], timeout=10)
                assert isinstance(zombie.exception(), Fenced)
                assert [result] == await lanes.published()
    assert 1 == len([entry for entry in await entries(lanes) if entry == ("DONE", "c-1")])
    assert ["created"] == lanes.effects_on("web-1")


async def test_a_worker_that_lost_its_membership_makes_no_call(lanes: Lanes) -> None:
    """Membership is proven between the INTENT and the call, unless that was done just now."""
    async with lanes.worker() as (pos, calls):
        async with lanes.owning(calls, proof=60.0):
            lanes.member.proofs = 0
            await lanes.send(create("c-1", "web-1"))
            await lanes.results(1)
        async with lanes.owning(calls, proof=0.0) as session:
            gate = pos.hold("web-3")
            await lanes.send(create("c-3", "web-3"))
            await asyncio.wait_for(gate.reached.wait(), 10)
            lanes.member.lost = True
            await lanes.send(create("c-2", "web-2"))
            await asyncio.wait([session], timeout=10)
            assert isinstance(session.exception(), Fenced)
    assert ["createOrderV3", "createOrderV3"] == pos.changes
    assert [] == lanes.effects_on("web-2")


async def test_an_older_way_has_an_intent_of_its_own(lanes: Lanes) -> None:
    """The operation that was really sent stands in it; the one that does not exist counts as no call."""
    lanes.pos.faults.missing_operations = frozenset({"createOrderV3", "payOrderV2"})
    async with lanes.worker() as (_, calls), lanes.owning(calls):
        await lanes.send(create("c-1", "web-1"), pay("c-2", "web-1", 5))
        await lanes.results(2)
        await lanes.send(create("c-3", "web-3"))
        results = await lanes.results(3)
    assert [1, 1, 1] == [row["attempts"] for row in results]
    intents = [row["entry"] for row in await lanes.ledger() if row.get("type") == "INTENT"]
    assert [
        ("c-1", "createOrderV3", 1, "web-1/c-1"),
        ("c-1", "createOrder", 1, ""),
        ("c-2", "payOrderV2", 1, "web-1/c-2"),
        ("c-2", "payOrder", 1, ""),
        ("c-3", "createOrder", 1, ""),
    ] == [(row["command_id"], row["operation"], row["attempt"], row["idempotency_key"]) for row in intents]


@pytest.fixture
async def timed(bootstrap: str, prefix: str, pos: Sandbox) -> AsyncIterator[tuple[Lanes, Time]]:
    """An administration whose workers wait in no time."""
    time = Time()
    async with laning(bootstrap, prefix, pos, time.clock) as found:
        found.settings["deadlines"] = Deadlines()
        yield found, time


async def test_an_unknown_outcome_is_a_result_and_a_dead_letter(timed: tuple[Lanes, Time]) -> None:
    """The letter has the original bytes and says where they came from; the next command goes on."""
    lanes, _ = timed
    async with lanes.worker() as (pos, calls), lanes.owning(calls):
        original, result = await unknown(lanes, pos, "drop_after")
        await lanes.send(cancel("c-3", "web-1"))
        assert "succeeded" == (await lanes.results(3))[-1]["outcome"]
    assert ("unknown", "OUTCOME-UNKNOWN", 1) == (result["outcome"], result["reason"], result["attempts"])
    (letter,) = await lanes.letters()
    told = {
        "topic": f"{lanes.prefix}.order-commands",
        "partition": "0",
        "offset": "1",
        "stage": "outcome",
        "exception.class.name": "OUTCOME-UNKNOWN",
        "exception.message": result["message"],
    }
    value, headers = letter
    intent = orjson.loads(headers.pop("mplus_intent"))["entry"]
    assert (original, {f"__connect.errors.{name}": text for name, text in told.items()}) == (value, headers)
    assert ("c-2", "payOrderV2", 1) == (intent["command_id"], intent["operation"], intent["attempt"])


async def test_a_redriven_command_that_was_done_is_not_done_again(timed: tuple[Lanes, Time]) -> None:
    """It is looked for, by what its INTENT says."""
    lanes, _ = timed
    async with lanes.worker() as (pos, calls), lanes.owning(calls):
        original, _ = await unknown(lanes, pos, "drop_after")
        await lanes.send((b"web-1", original), mplus_redrive=b"0:0")
        *_, result = await lanes.results(3)
    assert ("succeeded", "PAY-ORDER-RESULT-OK", 1, True, False) == tuple(
        result[name] for name in ("outcome", "reason", "attempts", "reconciled", "duplicate")
    )
    assert ["createOrderV3", "payOrderV2"] == pos.changes
    assert ["created", "paid"] == lanes.effects_on("web-1")


@pytest.mark.parametrize("later", [0, 3000])
async def test_a_redriven_command_that_was_not_done_is_new_to_the_pos(timed: tuple[Lanes, Time], later: int) -> None:
    """With another idempotency key. The first call must have ended before anybody was told that its outcome is unknown."""
    lanes, time = timed
    async with lanes.worker() as (pos, calls), lanes.owning(calls):
        begun = time.passed
        original, _ = await unknown(lanes, pos, "drop_before")
        sent = time.passed
        time.now += later
        await lanes.send(create("c-9", "web-9"))
        await lanes.results(3)
        await lanes.send((b"web-1", original), mplus_redrive=b"0:0")
        *_, result = await lanes.results(4)
        passed = time.passed - sent - later
    assert ("succeeded", 2, False, False) == tuple(result[name] for name in ("outcome", "attempts", "reconciled", "duplicate"))
    assert "web-1/c-2/1" == lanes.pos.effects[-1]["idempotencyKey"]
    assert ["created", "paid"] == lanes.effects_on("web-1")
    assert sent - begun >= 600
    assert passed < (16 if later else 32)


async def test_a_redriven_command_survives_its_worker(timed: tuple[Lanes, Time]) -> None:
    """The call of a redrive is under way when its worker is lost: the next one goes on with that redrive's key."""
    lanes, _ = timed
    async with lanes.worker() as (gone, theirs):
        async with lanes.owning(theirs):
            original, _ = await unknown(lanes, gone, "drop_before")
            gate = gone.hold("prepay")
            await lanes.send((b"web-1", original), mplus_redrive=b"0:0")
            await asyncio.wait_for(gate.reached.wait(), 10)
        async with lanes.worker() as (_, calls), lanes.owning(calls):
            *_, result = await lanes.results(3)
            await lanes.send((b"web-1", original), mplus_redrive=b"0:0")
            *_, again = await lanes.results(4)
    assert ("succeeded", 3, False) == (result["outcome"], result["attempts"], result["duplicate"])
    assert ["web-1/c-2/1"] == [row["idempotencyKey"] for row in lanes.pos.effects if row["effect"] == "paid"]
    assert {**result, "duplicate": True, "at": again["at"]} == again


async def test_a_dead_letter_is_redriven_once(timed: tuple[Lanes, Time]) -> None:
    """Sent again by mistake it is a duplicate; the letter that its own unknown outcome made is another one."""
    lanes, _ = timed
    async with lanes.worker() as (pos, calls), lanes.owning(calls):
        original, _ = await unknown(lanes, pos, "drop_after")
        lanes.pos.faults.unlicensed_operations = UNSEEN
        await lanes.send((b"web-1", original), mplus_redrive=b"0:0")
        await lanes.results(3)
        lanes.pos.faults.unlicensed_operations = frozenset()
        await lanes.send((b"web-1", original), mplus_redrive=b"0:0")
        await lanes.results(4)
        await lanes.send((b"web-1", original), mplus_redrive=b"0:1")
        results = (await lanes.results(5))[2:]
    assert [("unknown", False), ("unknown", True), ("succeeded", False)] == [
        (row["outcome"], row["duplicate"]) for row in results
    ]
    assert 2 == len(await lanes.letters())
    assert ["created", "paid"] == lanes.effects_on("web-1")


async def test_what_is_redriven_without_need_is_a_duplicate(lanes: Lanes) -> None:
    """Its outcome is known."""
    async with lanes.worker() as (pos, calls), lanes.owning(calls):
        await lanes.send(create("c-1", "web-1"), cancel("c-2", "web-7"))
        await lanes.results(2)
        await lanes.send(create("c-1", "web-1"), cancel("c-2", "web-7"), mplus_redrive=b"0:0")
        results = await lanes.results(4)
    assert {("c-1", False), ("c-2", False), ("c-1", True), ("c-2", True)} == {
        (row["commandId"], row["duplicate"]) for row in results
    }
    assert ["createOrderV3"] == pos.changes


async def test_what_was_invalid_is_tried_as_new(lanes: Lanes) -> None:
    """Whether it was refused when it was read, or when its order was seen."""
    async with lanes.worker() as (pos, calls), lanes.owning(calls):
        command = create("c-1", "web-1")
        await lanes.send((b"web-2", orjson.dumps(command)))
        await lanes.results(1)
        written = b"%d" % (lanes.clock.wall().timestamp() * 1000)
        letter = {"__connect.errors.stage": b"validate", "mplus_letter_written": written}
        await lanes.send(command, mplus_redrive=b"0:0", **letter)
        await lanes.results(2)
        by_id = {"commandId": "c-2", "command": "cancelOrder", "orderId": lanes.order("web-1")["orderId"]}
        await lanes.send(by_id)
        await lanes.results(3)
        looks = lanes.pos.requests.counts["getOrder"]
        await lanes.send(by_id, mplus_redrive=b"0:1")
        results = await lanes.results(4)
    refused = ("rejected", "INVALID-COMMAND")
    assert [refused, OK, refused, refused] == outcomes(results)
    assert {False} == {row["duplicate"] for row in results}
    assert looks + 1 == lanes.pos.requests.counts["getOrder"]
    assert ["validate"] * 3 == [headers["__connect.errors.stage"] for _, headers in await lanes.letters()]
    assert ["createOrderV3"] == pos.changes


async def test_lost_commands_are_reported(lanes: Lanes, bootstrap: str) -> None:
    """Kafka deleted what this lane had not read: the event says from where to where, and the rest is carried out."""
    async with lanes.worker() as (_, calls):
        async with lanes.owning(calls):
            await lanes.send(create("c-1", "web-1"))
            await lanes.results(1)
        await lanes.send(create("c-2", "web-2"), create("c-3", "web-3"), create("c-4", "web-4"))
        async with admin(bootstrap) as client:
            await client.delete_records({TopicPartition(*lanes.place): RecordsToDelete(before_offset=3)})
        async with lanes.owning(calls):
            results = await lanes.results(2)
            await lanes.idle(4)
    assert ["c-1", "c-4"] == [row["commandId"] for row in results]
    assert [CommandsLost(lanes.prefix, 0, 1, 3)] == [event for event in lanes.told if isinstance(event, CommandsLost)]


async def test_nothing_is_lost_by_a_lane_that_begins(lanes: Lanes) -> None:
    """The first commands of a topic are carried out, also where nobody has committed anything; none is reported lost."""
    await lanes.send(create("c-1", "web-1"))
    async with lanes.worker() as (_, calls), lanes.owning(calls):
        assert [OK] == outcomes(await lanes.results(1))
    assert [] == [event for event in lanes.told if isinstance(event, CommandsLost)]


async def test_the_higher_of_ledger_and_group_counts(lanes: Lanes) -> None:
    """The group's offset of an idle group expires: the ledger's stands."""
    async with lanes.worker() as (pos, calls):
        async with lanes.owning(calls):
            await lanes.send(create("c-1", "web-1"), (b"web-2", b"not JSON"))
            await lanes.results(1)
            await lanes.letters_of(1)
        lanes.member.offset = 0
        async with lanes.owning(calls):
            await lanes.idle(2)
        await lanes.rewind(0)
        lanes.member.offset = 2
        async with lanes.owning(calls):
            await lanes.send(create("c-3", "web-3"))
            await lanes.results(2)
    assert ["createOrderV3", "createOrderV3"] == pos.changes
    assert 1 == len(await lanes.letters())


async def test_an_entry_is_forgotten_with_the_ledgers_retention(timed: tuple[Lanes, Time]) -> None:
    """Until then a repeated command is a duplicate, also right after a restart; after it, it is new and the POS refuses it."""
    lanes, time = timed
    time.now = 100 * 24 * 3600.0  # a machine that has been up for long
    async with lanes.worker() as (pos, calls):
        async with lanes.owning(calls, retention=3600.0):
            await lanes.send(create("c-1", "web-1"))
            await lanes.results(1)
        async with lanes.owning(calls, retention=3600.0):
            time.now += 3000
            await lanes.send(create("c-2", "web-2"))
            await lanes.results(2)
            await lanes.send(create("c-1", "web-1"))
            await lanes.results(3)
            time.now += 2000
            await lanes.send(create("c-3", "web-3"))
            await lanes.results(4)
            await lanes.send(cancel("c-1", "web-1"))
            results = await lanes.results(5)
    assert [("c-1", True), ("c-3", False), ("c-1", False)] == [(row["commandId"], row["duplicate"]) for row in results[2:]]
    assert "cancelOrder" == pos.changes[-1]


async def test_a_pos_that_is_down_delays_commands(lanes: Lanes) -> None:
    """It answers nobody for a while: then each command is carried out, in its order."""
    lanes.pos.faults.switch("unavailable", count=6, seconds=0)
    async with lanes.worker() as (_, calls), lanes.owning(calls):
        await lanes.send(create("c-1", "web-1"), pay("c-2", "web-1", 5), create("c-3", "web-2"))
        results = await lanes.results(3)
    assert {"succeeded"} == {row["outcome"] for row in results}
    assert ["created", "paid"] == lanes.effects_on("web-1")
    assert ["created"] == lanes.effects_on("web-2")


async def test_what_alone_fails_gives_way(timed: tuple[Lanes, Time]) -> None:
    """Others are answered all the while: it ends as unknown, in the dead letters, and its key goes on."""
    lanes, _ = timed
    async with lanes.worker() as (_, calls), lanes.owning(calls, in_flight=2):
        await lanes.send(create("c-1", "web-1"))
        await lanes.results(1)
        lanes.pos.faults.switch("server_fault", probability=1.0, operations=["cancelOrder"])
        await lanes.send(cancel("c-2", "web-1"))
        for number in range(10):
            await lanes.send(create(f"o-{number}", f"other-{number}"))
        await lanes.send(pay("c-3", "web-1", 5))
        results = await lanes.results(13)
    told = {row["commandId"]: (row["outcome"], row["reason"]) for row in results}
    assert ("unknown", "OUTCOME-UNKNOWN") == told["c-2"]
    assert ("succeeded", "PAY-ORDER-RESULT-OK") == told["c-3"]
    assert ["outcome"] == [headers["__connect.errors.stage"] for _, headers in await lanes.letters()]


async def test_a_mistake_of_ours_stops_no_lane(lanes: Lanes, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is an unknown outcome that says so; the command after it is carried out."""

    def broken(*_: object) -> None:
        raise RuntimeError("boom")

    async with lanes.worker() as (_, calls), lanes.owning(calls):
        with monkeypatch.context() as patch:
            patch.setattr(Execution, "plan", broken)
            await lanes.send(create("c-1", "web-1"))
            await lanes.results(1)
        await lanes.send(create("c-2", "web-1"))
        results = await lanes.results(2)
    assert [("unknown", "OUTCOME-UNKNOWN"), OK] == outcomes(results)
    assert "the connector failed on this command: RuntimeError: boom" == results[0]["message"]
    assert 1 == len(await lanes.letters())


async def test_two_workers_share_the_work(bootstrap: str, prefix: str, pos: Sandbox) -> None:
    """A second worker joins while calls are under way in both partitions: each is answered or looked up, and done once."""
    config = {"session_timeout": 2}
    async with commanding(bootstrap, prefix, pos, **config) as one:
        await one.run(create("a-1", "web-1"), create("b-1", "web-2"))
        pos.faults.switch("delay_after_seconds", count=2, seconds=4.0)
        await one.send(update("a-2", "web-1", reference="red"), update("b-2", "web-2", reference="red"))
        await eventually(lambda: 2 == pos.requests.counts["updateOrderV2"])
        async with commanding(bootstrap, prefix, pos, **config) as two:
            results = await two.results(4)
            await two.run(cancel("a-3", "web-1"), cancel("b-3", "web-2"))
    assert {"succeeded"} == {row["outcome"] for row in results}
    assert ["created", "updated", "cancelled"] == [row["effect"] for row in pos.effects if row["extOrderId"] == "web-1"]
    assert ["created", "updated", "cancelled"] == [row["effect"] for row in pos.effects if row["extOrderId"] == "web-2"]
    assert {0: 3, 1: 3} == await end_offsets(bootstrap, f"{prefix}.order-commands")
    assert 6 == len(await one.published())
