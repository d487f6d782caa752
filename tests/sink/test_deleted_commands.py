"""Commands that Kafka deletes while they wait are told as lost, exactly those; those that were begun get a result."""

import asyncio
from collections.abc import AsyncIterator

import orjson
import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import RecordsToDelete

from connector.events.commands import CommandEnded, CommandsLost, CommandsRemade, MessageRefused
from connector.kafka.records import Place
from connector.sandbox import Sandbox, SandboxOptions
from connector.sink.intake.feeding import Post, lost_between
from connector.sink.intake.offsets import Finished
from connector.sink.intake.vanished import Vanished, unknown
from connector.sink.ledger.ledger import Done, Intent, Ledger
from tests.sink.lanes import Lanes, laning
from tests.support.kafka.topics import admin, create_topic, end_offsets, topic_settings
from tests.support.sink.commanding import cancel, create, deliver, large, outcomes, pay, valid
from tests.support.source.polling import eventually

OK = ("succeeded", "CREATE-ORDER-RESULT-OK")
WINDOW = 20
"""Commands in hand at most: fewer than in earnest, so that tests are quick."""


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


@pytest.fixture(autouse=True)
def _small_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connector.sink.intake.in_hand.WINDOW", WINDOW)


async def delete(lanes: Lanes, before: int) -> None:
    """As retention would."""
    async with admin(lanes.bootstrap) as client:
        await client.delete_records({TopicPartition(*lanes.place): RecordsToDelete(before_offset=before)})


def lost(lanes: Lanes) -> list[tuple[int, int, int]]:
    """First offset, following one, and how many of them were commands that are lost, of each time it was told."""
    return [(event.first, event.following, event.count) for event in lanes.told if isinstance(event, CommandsLost)]


async def end(lanes: Lanes) -> int:
    """The offset of the next command."""
    return (await end_offsets(lanes.bootstrap, f"{lanes.prefix}.order-commands"))[0]


async def test_commands_deleted_while_the_lane_runs_are_told(lanes: Lanes) -> None:
    """Behind the window, while it waited for the POS: from the first that was not read to the first that there is."""
    async with lanes.worker() as (pos, calls), lanes.owning(calls):
        gate = pos.hold("web-1")
        await lanes.send(create("c-0", "web-1"), *[cancel(f"x-{number}", "web-1") for number in range(WINDOW - 1)])
        await asyncio.wait_for(gate.reached.wait(), 10)
        await lanes.send(*[large(f"b-{number}", f"web-b{number}", 200_000) for number in range(40)], create("last", "web-l"))
        await delete(lanes, await end(lanes) - 1)
        gate.opened.set()
        await lanes.result("last")
        carried = {row["commandId"] for row in await lanes.published() if row["commandId"].startswith("b-")}
    ((first, following, count),) = lost(lanes)
    assert 0 < count == following - first == 40 - len(carried)
    assert WINDOW + 40 == following


async def test_commands_deleted_to_the_last_are_told_without_another_coming(lanes: Lanes) -> None:
    """Nothing is left to be read: that they are gone is noticed all the same."""
    async with lanes.worker() as (pos, calls), lanes.owning(calls):
        gate = pos.hold("web-1")
        await lanes.send(create("c-0", "web-1"), *[cancel(f"x-{number}", "web-1") for number in range(WINDOW - 1)])
        await asyncio.wait_for(gate.reached.wait(), 10)
        await lanes.send(*[large(f"b-{number}", f"web-b{number}", 200_000) for number in range(20)])
        await delete(lanes, WINDOW + 20)
        gate.opened.set()
        await eventually(lambda: lost(lanes), 30)
        await lanes.idle(WINDOW + 20)
        async with lanes.owning(calls):
            await lanes.send(create("last", "web-l"))
            await lanes.result("last")
    carried = [row for row in await lanes.published() if row["commandId"].startswith("b-")]
    ((_, following, count),) = lost(lanes)
    assert (WINDOW + 20, 20) == (following, count + len(carried))


async def test_what_was_committed_by_transactions_is_not_lost(lanes: Lanes) -> None:
    """Their markers, and what was aborted, leave gaps where nothing was deleted."""
    producer = AIOKafkaProducer(bootstrap_servers=lanes.bootstrap, transactional_id=f"{lanes.prefix}.shop")
    await producer.start()
    try:
        async with lanes.worker() as (_, calls), lanes.owning(calls):
            for number, kept in enumerate([True, False, True, False, False, True]):
                await producer.begin_transaction()
                value = orjson.dumps(create(f"c-{number}", f"web-{number}"))
                await producer.send_and_wait(f"{lanes.prefix}.order-commands", value, b"web-%d" % number, 0)
                await (producer.commit_transaction() if kept else producer.abort_transaction())
            await lanes.results(3)
            await eventually(lambda: lanes.member.offset >= 11)
    finally:
        await producer.stop()
    assert [] == lost(lanes)


async def test_commands_deleted_before_the_first_one_ended_are_told(lanes: Lanes) -> None:
    """The POS was away from the beginning: where the work stood is known from the first moment on."""
    lanes.pos.faults.switch("unavailable", probability=1.0, seconds=0)
    async with lanes.worker() as (_, calls):
        async with lanes.owning(calls):
            pass
        await lanes.send(create("c-1", "web-1"), create("c-2", "web-2"), create("c-3", "web-3"))
        await delete(lanes, 2)
        lanes.pos.faults.clear()
        lanes.member.offset = 0
        async with lanes.owning(calls):
            assert [OK] == outcomes(await lanes.results(1))
    assert [(0, 2, 2)] == lost(lanes)


async def test_what_was_finished_behind_an_open_one_is_not_lost(lanes: Lanes) -> None:
    """One command stood open, and 20 behind it were done: of 21 offsets none is lost, and the open one gets its result."""
    async with lanes.worker() as (pos, calls):
        async with lanes.owning(calls):
            gate = pos.hold("web-1")
            await lanes.send(create("c-1", "web-1"))
            await asyncio.wait_for(gate.reached.wait(), 10)
            await lanes.send(*[create(f"d-{number}", f"web-d{number}") for number in range(20)])
            await lanes.results(20)
        await delete(lanes, 21)
        async with lanes.worker() as (_, others), lanes.owning(others):
            results = await lanes.results_of("c-1")
        gate.opened.set()
    assert [("unknown", "OUTCOME-UNKNOWN")] == outcomes(results)
    assert [] == lost(lanes)


async def test_an_open_intent_whose_command_is_gone_has_an_unknown_result(lanes: Lanes) -> None:
    """Once, with a dead letter that tells the INTENT; somebody must look, and is told so. What comes after it is carried out."""
    async with lanes.worker() as (pos, calls):
        async with lanes.owning(calls):
            gate = pos.hold("prepay", answer=True)
            await lanes.send(create("c-1", "web-1"), pay("c-2", "web-1", 5))
            await asyncio.wait_for(gate.reached.wait(), 10)
        await lanes.send(create("c-3", "web-3"), create("c-4", "web-4"))
        await delete(lanes, 3)
        async with lanes.worker() as (_, others):
            for _ in range(2):
                async with lanes.owning(others):
                    await lanes.result("c-4")
        gate.opened.set()
    (result,) = await lanes.results_of("c-2")
    assert ("unknown", "OUTCOME-UNKNOWN", "web-1", 1, False) == tuple(
        result[name] for name in ("outcome", "reason", "extOrderId", "attempts", "duplicate")
    )
    assert "payOrderV2" in result["message"]
    ((value, headers),) = await lanes.letters()
    assert not value
    assert ("outcome", "1") == (headers["__connect.errors.stage"], headers["__connect.errors.offset"])
    assert "c-2" == orjson.loads(headers["mplus_intent"])["entry"]["command_id"]
    assert [("DONE", "c-2")] == [(row["type"], row["key"]) for row in await lanes.ledger() if row["key"] == "c-2"][1:]
    assert [(1, 3, 1)] == lost(lanes)
    assert ["c-2"] == [event.command_id for event in lanes.told if isinstance(event, CommandEnded) and event.outcome == "unknown"]
    assert [1] == [event.offset for event in lanes.told if isinstance(event, MessageRefused)]


async def test_the_same_command_sent_again_is_told_that_result(lanes: Lanes) -> None:
    """Its id is known, and it is not carried out a second time."""
    async with lanes.worker() as (pos, calls):
        async with lanes.owning(calls):
            await lanes.send(create("c-1", "web-1"))
            await lanes.results(1)
            line = lanes.order("web-1")["lineList"]["line"][0]["lineId"]
            part = deliver("c-2", "web-1", {"lineId": line, "quantity": 1})
            gate = pos.hold("orderDelivery", answer=True)
            await lanes.send(part)
            await asyncio.wait_for(gate.reached.wait(), 10)
        await delete(lanes, 2)
        async with lanes.worker() as (_, others), lanes.owning(others):
            await lanes.results(2)
            await lanes.send(part)
            await lanes.results(3)
        gate.opened.set()
    assert [("unknown", False), ("unknown", True)] == [
        (row["outcome"], row["duplicate"]) for row in await lanes.results_of("c-2")
    ]
    assert ["created", "delivered"] == lanes.effects_on("web-1")


async def test_a_command_topic_that_was_made_anew_is_read_from_its_start(lanes: Lanes, bootstrap: str) -> None:
    """It ends before where the work stood: that is told, and nothing of it is passed over as if it were finished."""
    topic = f"{lanes.prefix}.order-commands"
    async with lanes.worker() as (pos, calls):
        async with lanes.owning(calls):
            await lanes.send(*[create(f"c-{number}", f"web-{number}") for number in range(4)])
            await lanes.results(4)
        settings = {name: (await topic_settings(bootstrap, topic))[name] for name in ("message.timestamp.type",)}
        async with admin(bootstrap) as client:
            await client.delete_topics([topic])
            while topic in await client.list_topics():  # noqa: ASYNC110 - brokers tell nobody
                await asyncio.sleep(0.05)
        await create_topic(bootstrap, topic, 1, **{name.replace(".", "_"): value for name, value in settings.items()})
        await lanes.send(create("d-1", "web-d1"), create("d-2", "web-d2"))
        async with lanes.owning(calls):
            results = await lanes.results(6)
            await eventually(lambda: lanes.member.offset == 2)
    assert [OK] * 6 == outcomes(results)
    assert [CommandsRemade(lanes.prefix, 0, 4)] == [event for event in lanes.told if isinstance(event, CommandsRemade)]
    assert 6 == len(pos.changes)


@pytest.mark.parametrize(
    ("finished", "answered", "count"), [([], 0, 10), ([(3, 4), (8, 20)], 0, 3), ([(0, 99)], 0, None), ([(3, 4)], 8, None)]
)
def test_only_what_nobody_answers_for_counts_as_lost(finished: list[tuple[int, int]], answered: int, count: int | None) -> None:
    """Of ten offsets from 3 on."""
    told = lost_between(Post("shop", 0, lambda _: None, lambda: 0.0), 3, 13, Finished(finished), answered)
    assert count == (told and told.count)


def test_only_intents_without_a_command_are_answered_for() -> None:
    """Those of commands before the reading begins; all of them where the topic was made anew. Their result is a valid one."""
    ledger = Ledger(Place("a.command-ledger", 0), {})
    for offset in (4, 5, 6):
        intent = Intent(f"c-{offset}", "payOrder", "web-1", offset, "d", "payOrderV2", "o-1", "web-1", "k", {}, 2, "i", "t")
        ledger.write(intent, f"0:{offset}")
        done = unknown(intent, "2026-07-01T12:00:00.000Z")
        assert valid(dict(done.result)) == done.result
    ledger.write(Done("c-5", 5, "d", done.result, intent))
    intents = list(ledger.open_intents())

    assert [4] == [intent.offset for intent in Vanished(intents, 6).intents]
    assert [4, 6] == [intent.offset for intent in Vanished(intents, 0, remade=True).intents]
    assert 1 == Vanished(intents, 9).within(5, 9)
