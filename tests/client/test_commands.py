"""OrderCommands against a real broker; the test plays the worker."""

import asyncio
import uuid
from typing import Any

import pytest

from connector.client import OrderCommands, Result
from connector.errors import Fatal, Reject, Unanswered
from connector.kafka.records import partition_of
from tests.support.kafka.order_topics import answering, commands_of, make_topics, producing, publish, result, results_of, sent
from tests.support.kafka.topics import create_topic

PAY = {"command": "payOrder", "extOrderId": "web-1", "prepay": False, "paymentList": [{"method": "CASH", "amount": 1995}]}


def cancel(order: str, **more: Any) -> dict[str, Any]:
    return {"command": "cancelOrder", "extOrderId": order, **more}


async def test_a_command_is_sent_and_its_result_comes_back(bootstrap: str, prefix: str) -> None:
    """With every field of the contract; the record has the order's key, Java's partition for it, and the JSON as given."""
    await make_topics(bootstrap, prefix)
    async with answering(bootstrap, prefix), OrderCommands(bootstrap, prefix) as commands:
        found = await commands.send({**PAY, "commandId": "c-1"}, timeout=30)
    (record,) = await sent(bootstrap, prefix)

    assert found == Result(
        "c-1", "payOrder", "succeeded", order_id="o-1", sync_marker=17, attempts=1, at="2026-07-31T10:00:00+02:00"
    )
    assert found.succeeded
    assert found.published == result({**PAY, "commandId": "c-1"})
    assert (b"web-1", partition_of(b"web-1", 3)) == (record.key, record.partition)
    assert record.value == (
        b'{"commandId":"c-1","command":"payOrder","extOrderId":"web-1","prepay":false,"paymentList":[{"method":"CASH","amount":1995}]}'
    )


async def test_a_commandid_is_made_where_there_is_none(bootstrap: str, prefix: str) -> None:
    """A new uuid4 each time; the mapping that was handed in stays as it was."""
    await make_topics(bootstrap, prefix)
    command = cancel("a")
    async with OrderCommands({"bootstrap_servers": bootstrap}, prefix) as commands:
        ids = [await commands.submit(command) for _ in range(2)]

    assert {4} == {uuid.UUID(each).version for each in ids}
    assert 2 == len(set(ids))
    assert command == cancel("a")


@pytest.mark.parametrize(
    ("command", "key"),
    [
        ({"command": "createOrder", "order": {"extOrderId": "e", "orderId": ""}}, b"e"),
        ({"command": "updateOrder", "order": {"extOrderId": "", "orderId": "o"}}, b"o"),
        ({"command": "cancelOrder", "orderId": "o"}, b"o"),
        ({"command": "cancelOrder", "orderId": "o", "extOrderId": "é"}, "é".encode()),
    ],
)
async def test_the_key_is_the_orders_own(bootstrap: str, prefix: str, command: dict[str, Any], key: bytes) -> None:
    """extOrderId, else orderId."""
    await make_topics(bootstrap, prefix)
    async with OrderCommands(bootstrap, prefix) as commands:
        await commands.submit(command)
    (record,) = await sent(bootstrap, prefix)

    assert key == record.key


@pytest.mark.parametrize(
    "command",
    [
        {"command": "cancelOrder"},
        {"command": "cancelOrder", "extOrderId": ""},
        {"command": "cancelOrder", "extOrderId": 7},
        {"command": "createOrder", "order": {}},
        cancel("a", commandId=""),
        cancel("a", commandId=7),
        cancel("a", branchNumber=1 << 70),
        cancel("a", branchNumber=object()),
    ],
)
async def test_what_cannot_be_a_command_is_not_sent(bootstrap: str, prefix: str, command: dict[str, Any]) -> None:
    """The caller hears of it at once."""
    await make_topics(bootstrap, prefix)
    async with OrderCommands(bootstrap, prefix) as commands:
        with pytest.raises(Reject) as error:
            await commands.send(command)

    assert "INVALID-COMMAND" == error.value.code
    assert [] == await sent(bootstrap, prefix)


async def test_a_result_that_comes_before_anybody_waits_is_found(bootstrap: str, prefix: str) -> None:
    """Submitted here: it was kept. Submitted elsewhere, long ago: it is looked up."""
    await make_topics(bootstrap, prefix)
    async with answering(bootstrap, prefix) as seen, OrderCommands(bootstrap, prefix) as commands:
        mine = await commands.submit(cancel("a"))
        await commands.send(cancel("b"), timeout=30)
        assert 2 == len(seen)
        assert mine == (await commands.result(mine, timeout=30)).command_id
        assert mine == (await commands.result(mine, timeout=30)).command_id
    async with OrderCommands(bootstrap, prefix) as others:
        assert mine == (await others.result(mine, timeout=30)).command_id


async def test_results_are_awaited_before_the_command_came(bootstrap: str, prefix: str) -> None:
    """Also of one that somebody else has yet to send."""
    await make_topics(bootstrap, prefix)
    async with answering(bootstrap, prefix), OrderCommands(bootstrap, prefix) as one, OrderCommands(bootstrap, prefix) as two:
        waiting = asyncio.create_task(one.result("c-9", timeout=30))
        await asyncio.sleep(0.5)
        await two.submit(cancel("a", commandId="c-9"))
        assert "c-9" == (await waiting).command_id


async def test_the_first_of_several_results_counts(bootstrap: str, prefix: str) -> None:
    """A duplicate says nothing new; garbage between them holds up nobody."""
    await make_topics(bootstrap, prefix)

    def twice(command: dict[str, Any]) -> list[dict[str, Any]]:
        return [{"no": "id"}, result(command), result(command, duplicate=True, outcome="rejected")]

    async with answering(bootstrap, prefix, twice), OrderCommands(bootstrap, prefix) as commands:
        await publish(bootstrap, results_of(prefix), [b"", b"\xff{", b"[]", b'{"commandId":7}'])
        found = [await commands.send(cancel("a", commandId="c-1"), timeout=30) for _ in range(2)]
        again = await commands.result("c-1", timeout=30)

    assert [False] == sorted({found[0].duplicate, again.duplicate})
    assert {"c-1"} == {row.command_id for row in found}


async def test_many_sends_share_one_consumer_and_each_gets_its_own(bootstrap: str, prefix: str) -> None:
    """Out of order, from two clients; same id at once included."""
    await make_topics(bootstrap, prefix)
    held: list[dict[str, Any]] = []

    def late(command: dict[str, Any]) -> list[dict[str, Any]]:
        held.append(result(command, orderId=command["extOrderId"]))
        return list(reversed(held)) if len(held) == 41 else []

    async with (
        answering(bootstrap, prefix, late),
        OrderCommands(bootstrap, prefix) as one,
        OrderCommands(bootstrap, prefix) as two,
    ):
        sends = [(one, two)[n % 2].send(cancel(f"web-{n}"), timeout=40) for n in range(39)]
        same = [client.send(cancel("same", commandId="same"), timeout=40) for client in (one, two)]
        found = await asyncio.gather(*sends, *same)

    assert [f"web-{n}" for n in range(39)] + ["same"] * 2 == [row.order_id for row in found]


async def test_no_result_in_time_is_said_and_the_command_stands(bootstrap: str, prefix: str) -> None:
    """One line with the id and what to do; the result can be asked for later."""
    await make_topics(bootstrap, prefix)
    async with OrderCommands(bootstrap, prefix) as commands:
        with pytest.raises(Unanswered, match="command c-1 has no result yet: it stands") as error:
            await commands.send(cancel("a", commandId="c-1"), timeout=1)
        with pytest.raises(Unanswered):
            await commands.result("c-2", timeout=0.5)
        async with answering(bootstrap, prefix):
            assert "c-1" == (await commands.result("c-1", timeout=30)).command_id

    assert "\n" not in str(error.value)
    assert "; " not in str(error.value)
    assert 1 == len(await sent(bootstrap, prefix))


async def test_a_topic_that_is_missing_is_one_line(bootstrap: str, prefix: str) -> None:
    """It is not made by asking for it."""
    await create_topic(bootstrap, commands_of(prefix))
    with pytest.raises(Fatal, match="`run --roles commands` creates it") as error:
        async with OrderCommands(bootstrap, prefix):
            pass

    assert str(error.value).startswith(f"topic {results_of(prefix)} does not exist")


async def test_a_kafka_that_is_not_there_is_one_line(prefix: str) -> None:
    """In our words."""
    with pytest.raises(Fatal, match=r"Kafka cannot be reached at 127\.0\.0\.1:9"):
        async with OrderCommands("127.0.0.1:9", prefix):
            pass


async def test_the_environment_does_not_decide_which_kafka(bootstrap: str, prefix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller does; also in what errors say."""
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "elsewhere:1")
    monkeypatch.setenv("KAFKA_SECURITY_PROTOCOL", "nonsense")
    with pytest.raises(Fatal, match=r"reached at 127\.0\.0\.1:9"):
        async with OrderCommands("127.0.0.1:9", prefix):
            pass


async def test_it_must_be_entered(bootstrap: str, prefix: str) -> None:
    """And says so."""
    with pytest.raises(Fatal, match="async with"):
        await OrderCommands(bootstrap, prefix).submit(cancel("a"))


async def test_a_command_too_large_for_the_topic_is_refused_and_others_go_on(bootstrap: str, prefix: str) -> None:
    """It gets its own error; what is sent beside and after it arrives."""
    await create_topic(bootstrap, commands_of(prefix), 1, max_message_bytes="20000")
    await create_topic(bootstrap, results_of(prefix), 1)
    async with answering(bootstrap, prefix), OrderCommands(bootstrap, prefix) as commands:
        large = asyncio.create_task(commands.send(cancel("a", note="x" * 40000), timeout=30))
        beside = [asyncio.create_task(commands.send(cancel(f"b-{n}"), timeout=30)) for n in range(5)]
        with pytest.raises(Reject, match="larger than the topic takes"):
            await large
        assert {True} == {row.succeeded for row in await asyncio.gather(*beside)}
        assert (await commands.send(cancel("c"), timeout=30)).succeeded


async def test_results_of_a_transaction_that_was_aborted_are_none(bootstrap: str, prefix: str) -> None:
    """Only what was committed counts, also when an open transaction lies before it."""
    await make_topics(bootstrap, prefix, 1)
    async with producing(bootstrap, transactional_id=f"{prefix}-a") as worker:
        await worker.begin_transaction()
        await worker.send_and_wait(results_of(prefix), b'{"commandId":"c-1","outcome":"rejected"}', b"a")
        async with OrderCommands(bootstrap, prefix) as commands:
            sending = asyncio.create_task(commands.send(cancel("a", commandId="c-1"), timeout=30))
            await asyncio.sleep(0.5)
            await worker.abort_transaction()
            await publish(bootstrap, results_of(prefix), [result({"commandId": "c-1"})])
            assert (await sending).succeeded


async def test_leaving_ends_what_still_waits(bootstrap: str, prefix: str) -> None:
    """With an error in our words, not with silence."""
    await make_topics(bootstrap, prefix)
    async with OrderCommands(bootstrap, prefix) as commands:
        waiting = asyncio.create_task(commands.send(cancel("a")))
        await asyncio.sleep(1)
    with pytest.raises(Fatal, match="closed"):
        await waiting
