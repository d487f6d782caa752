"""Which result counts, and who is told of it: against a real broker, with results that the test publishes."""

import asyncio
import json
from collections.abc import Callable
from itertools import permutations
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions

from connector.client import OrderCommands, results
from connector.client import order_commands as commands_module
from connector.client.results import Told, newest
from connector.errors import Fatal, Reject, Unanswered
from connector.kafka.reading import topic_followers as following
from connector.kafka.records import partition_of
from connector.messages.result import decoded
from tests.support.kafka.order_topics import answering, commands_of, make_topics, publish, result, results_of, sent
from tests.support.kafka.topics import create_topic

QUICK = 200
"""Milliseconds after which these clients see that a topic has changed."""


def cancel(order: str, **more: Any) -> dict[str, Any]:
    return {"command": "cancelOrder", "extOrderId": order, **more}


def said(outcome: str, *, by: str = "c-1", **more: Any) -> dict[str, Any]:
    """A result of a command for the order web-1, that was sent unless it says otherwise."""
    return result({"commandId": by, "command": "cancelOrder"}, outcome=outcome, extOrderId="web-1", **more)


UNKNOWN = said("unknown", reason="OUTCOME-UNKNOWN")
DONE = said("succeeded", reason="CANCEL-ORDER-RESULT-OK", reconciled=True)
REFUSED = said("rejected", reason="INVALID-COMMAND", attempts=0, message="colour: unknown")
OTHER_CONTENT = {**REFUSED, "message": "this commandId was used before, for something else"}
EXPIRED = said("rejected", reason="EXPIRED", attempts=0)
NEVER_SENT = said("unknown", reason="OUTCOME-UNKNOWN", attempts=0)
NOT_OURS = said("rejected", reason="INVALID-COMMAND", attempts=1, message="this is the order 'o-7'")


def once_more(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "duplicate": True}


LAST_WORDS = {
    "redriven": ([UNKNOWN, DONE], DONE),
    "redriven, and still unknown": ([UNKNOWN, {**UNKNOWN, "message": "still"}], {**UNKNOWN, "message": "still"}),
    "redriven, then asked again": ([UNKNOWN, once_more(UNKNOWN), DONE, once_more(DONE)], DONE),
    "invalid, redriven by a newer version": ([REFUSED, DONE], DONE),
    "invalid twice": ([REFUSED, {**REFUSED, "message": "still"}], {**REFUSED, "message": "still"}),
    "never sent, redriven, invalid by now": ([NEVER_SENT, REFUSED], REFUSED),
    "redriven, and another order's": ([UNKNOWN, NOT_OURS], NOT_OURS),
    "a duplicate of what is gone": ([once_more(UNKNOWN), once_more(DONE)], once_more(DONE)),
    "a duplicate, then the redrive": ([once_more(UNKNOWN), DONE], DONE),
    "done, the id used for something else": ([DONE, OTHER_CONTENT], DONE),
    "unknown, the id used for something else": ([UNKNOWN, OTHER_CONTENT], UNKNOWN),
    "expired, the id used for something else": ([EXPIRED, OTHER_CONTENT], EXPIRED),
    "unknown, the id used for something else, redriven": ([UNKNOWN, OTHER_CONTENT, DONE], DONE),
}


@pytest.mark.parametrize("name", LAST_WORDS)
async def test_the_last_result_that_is_no_duplicate_counts(bootstrap: str, prefix: str, name: str) -> None:
    """Looked up afterwards; kept for a command that was submitted here; and both say the same."""
    rows, last = LAST_WORDS[name]
    await make_topics(bootstrap, prefix)
    async with OrderCommands(bootstrap, prefix) as mine, OrderCommands(bootstrap, prefix) as others:
        await mine.submit(cancel("web-1", commandId="c-1"), timeout=30)
        await publish(bootstrap, results_of(prefix), rows, b"web-1")
        await publish(bootstrap, results_of(prefix), [said("succeeded", by="end")], b"web-1")
        await mine.submit(cancel("web-1", commandId="end"), timeout=30)
        looked_up = await others.result("c-1", timeout=30)
        await publish(bootstrap, results_of(prefix), [said("succeeded", by="end")], b"web-1")
        await mine.result("end", timeout=30)
        kept = await mine.result("c-1", timeout=30)

    assert [last, last] == [looked_up.published, kept.published]


def told(rows: list[dict[str, Any]], places: Callable[[int], tuple[int, int, int]]) -> list[Told]:
    found = [decoded(json.dumps(row).encode()) for row in rows]
    return [Told(row, b"web-1", *places(index)) for index, row in enumerate(found) if row is not None]


@pytest.mark.parametrize("places", [lambda n: (0, n, 9 - n), lambda n: (n, 9 - n, n)], ids=["one partition", "each its own"])
@pytest.mark.parametrize("name", ["redriven", "redriven, then asked again", "done, the id used for something else"])
def test_it_does_not_matter_in_what_order_results_are_found(name: str, places: Callable[[int], tuple[int, int, int]]) -> None:
    """By offset within a partition, by time across: whoever looks up while others come finds the same."""
    rows, last = LAST_WORDS[name]
    for order in permutations(told(rows, places)):
        found: Told | None = None
        for each in order:
            found = newest(found, each)
        assert found is not None
        assert last == found.result.published


async def test_whoever_awaits_is_told_however_many_were_submitted_since(
    bootstrap: str, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also of the oldest command, which is no longer kept; and it can be asked for again."""
    monkeypatch.setattr(commands_module, "REMEMBERED", 3)
    await make_topics(bootstrap, prefix)
    async with OrderCommands(bootstrap, prefix) as commands:
        await commands.submit(cancel("web-1", commandId="c-1"), timeout=30)
        waiting = [asyncio.create_task(commands.result("c-1", timeout=30)) for _ in range(2)]
        await asyncio.sleep(0)
        for number in range(5):
            await commands.submit(cancel(f"web-{number}"), timeout=30)
        await publish(bootstrap, results_of(prefix), [DONE], b"web-1")
        assert [DONE, DONE] == [row.published for row in await asyncio.gather(*waiting)]
        assert DONE == (await commands.result("c-1", timeout=30)).published


async def test_several_may_await_one_command(bootstrap: str, prefix: str) -> None:
    """Those who give up take nothing from the others: submitted here, sent, or somebody else's."""
    await make_topics(bootstrap, prefix)
    async with OrderCommands(bootstrap, prefix) as commands:
        await commands.submit(cancel("web-1", commandId="c-1"), timeout=30)
        waiting = [asyncio.create_task(commands.result(name, timeout=30)) for name in ("c-1", "c-1", "c-2", "c-2")]
        sending = [asyncio.create_task(commands.send(cancel("web-1", commandId="c-2"), timeout=30)) for _ in range(2)]
        with pytest.raises(Unanswered):
            await commands.result("c-1", timeout=0.2)
        waiting[1].cancel()
        waiting[3].cancel()
        sending[1].cancel()
        await asyncio.wait([waiting[1], waiting[3], sending[1]])
        await publish(bootstrap, results_of(prefix), [DONE, {**DONE, "commandId": "c-2"}], b"web-1")
        found = await asyncio.gather(waiting[0], waiting[2], sending[0])

    assert ["c-1", "c-2", "c-2"] == [row.command_id for row in found]


async def test_a_result_of_another_order_is_another_commands(bootstrap: str, prefix: str) -> None:
    """Two orders were given the same commandId: each hears of its own, whichever comes first."""
    await make_topics(bootstrap, prefix)
    strangers = [
        {**said("rejected", reason="X"), "extOrderId": "web-2", "orderId": None},
        {**said("rejected", reason="X"), "extOrderId": None, "orderId": "web-2"},
        {**REFUSED, "extOrderId": None, "orderId": None},
    ]
    async with OrderCommands(bootstrap, prefix) as commands:
        await commands.submit(cancel("web-1", commandId="c-1"), timeout=30)
        sending = asyncio.create_task(commands.send(cancel("web-1", commandId="c-1"), timeout=30))
        while 2 > len(await sent(bootstrap, prefix)):  # noqa: ASYNC110 - a topic tells nobody
            await asyncio.sleep(0.05)
        await publish(bootstrap, results_of(prefix), strangers, b"web-2", partition=1)
        await publish(bootstrap, results_of(prefix), [DONE], b"web-1", partition=1)
        assert [DONE, DONE] == [(await sending).published, (await commands.result("c-1", timeout=30)).published]


ODD = [
    b"",
    b"null",
    b"\xff",
    b"[" * 100_000,
    b'{"commandId":"c-1"}',
    b'{"commandId":["c-1"],"outcome":"succeeded"}',
    *(
        json.dumps({**DONE, **odd}).encode()
        for odd in (
            {"outcome": "done"},
            {"outcome": ["succeeded"]},
            {"outcome": None},
            {"syncMarker": "17"},
            {"attempts": True},
            {"attempts": 1.5},
            {"duplicate": "no"},
            {"duplicate": 1},
            {"reason": {"a": 1}},
            {"at": 5},
        )
    ),
]


async def test_what_no_worker_writes_is_no_result(bootstrap: str, prefix: str) -> None:
    """Strangers' records under the right id and key are passed over, while following and while looking up."""
    await make_topics(bootstrap, prefix)
    async with OrderCommands(bootstrap, prefix) as commands, OrderCommands(bootstrap, prefix) as others:
        await commands.submit(cancel("web-1", commandId="c-1"), timeout=30)
        await publish(bootstrap, results_of(prefix), [UNKNOWN, *ODD, DONE, *ODD], b"web-1")
        found = [await each.result("c-1", timeout=30) for each in (others, commands)]

    assert [DONE, DONE] == [row.published for row in found]


async def test_topics_may_get_more_partitions_meanwhile(bootstrap: str, prefix: str) -> None:
    """Results in the new ones are seen, none twice and none missed; commands go where the key belongs by then."""
    await make_topics(bootstrap, prefix, 1)
    async with OrderCommands({"bootstrap_servers": bootstrap, "metadata_max_age_ms": QUICK}, prefix) as commands:
        await commands.submit(cancel("web-1", commandId="c-1"), timeout=30)
        waiting = asyncio.create_task(commands.result("c-1", timeout=30))
        old = asyncio.create_task(commands.result("c-2", timeout=30))
        await widen(bootstrap, results_of(prefix), commands_of(prefix), to=8)
        await publish(bootstrap, results_of(prefix), [DONE], b"web-1", partition=7)
        assert DONE == (await waiting).published
        await publish(bootstrap, results_of(prefix), [{**DONE, "commandId": "c-2"}], b"web-1", partition=0)
        assert "c-2" == (await old).command_id
        async with answering(bootstrap, prefix), asyncio.timeout(30):
            while not await placed_right(bootstrap, prefix, commands):
                pass


async def widen(bootstrap: str, *topics: str, to: int) -> None:
    """Give topics more partitions."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_partitions({topic: NewPartitions(to) for topic in topics})
    finally:
        await admin.close()


async def placed_right(bootstrap: str, prefix: str, commands: OrderCommands) -> bool:
    """Whether a further command lies where Java's partitioner would put it among eight."""
    await commands.submit(cancel("web-2"), timeout=30)
    places: list[int] = [record.partition for record in await sent(bootstrap, prefix) if record.key == b"web-2"]
    return partition_of(b"web-2", 8) in places


async def test_a_topic_that_is_gone_is_told_to_all_who_wait(bootstrap: str, prefix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to do; those who come later hear it before they send anything."""
    monkeypatch.setattr(following, "GONE_S", 0.5)
    await make_topics(bootstrap, prefix)
    async with OrderCommands({"bootstrap_servers": bootstrap, "metadata_max_age_ms": QUICK}, prefix) as commands:
        await commands.submit(cancel("web-1", commandId="c-1"), timeout=30)
        waiting = [asyncio.create_task(commands.result("c-1")), asyncio.create_task(commands.send(cancel("web-1")))]
        await delete(bootstrap, results_of(prefix))
        for each in waiting:
            with pytest.raises(Fatal, match=f"topic {results_of(prefix)} is gone"):
                await asyncio.wait_for(each, 30)
        before = len(await sent(bootstrap, prefix))
        with pytest.raises(Fatal, match="is gone"):
            await commands.send(cancel("web-1"))
        assert before == len(await sent(bootstrap, prefix))


async def delete(bootstrap: str, topic: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.delete_topics([topic])
    finally:
        await admin.close()


async def test_following_that_fails_for_any_reason_is_told(bootstrap: str, prefix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for what can no longer come; and the error is one of ours."""
    await make_topics(bootstrap, prefix)
    async with OrderCommands(bootstrap, prefix) as commands:
        await commands.submit(cancel("web-1", commandId="c-1"), timeout=30)
        waiting = asyncio.create_task(commands.result("c-1"))
        await asyncio.sleep(0)
        monkeypatch.setattr(results, "told", lambda record: 1 / 0)
        await publish(bootstrap, results_of(prefix), [DONE], b"web-1")
        with pytest.raises(Fatal, match=f"{results_of(prefix)} is no longer followed: ZeroDivisionError"):
            await asyncio.wait_for(waiting, 30)


async def test_a_command_that_was_refused_is_not_awaited(bootstrap: str, prefix: str) -> None:
    """Too large for its topic: nothing of it is kept, and what was submitted before under this id is looked up."""
    await create_topic(bootstrap, commands_of(prefix), 1, max_message_bytes="20000")
    await create_topic(bootstrap, results_of(prefix), 1)
    async with OrderCommands(bootstrap, prefix) as commands:
        await publish(bootstrap, results_of(prefix), [DONE], b"web-1")
        with pytest.raises(Reject, match="larger than the topic takes"):
            await commands.submit(cancel("web-1", commandId="c-1", note="x" * 40_000), timeout=30)
        assert DONE == (await commands.result("c-1", timeout=30)).published
