"""The order verbs as processes, against a real broker; the test plays the worker."""

import asyncio
import json
import signal
import sys
from typing import Any

import pytest

from connector.sandbox import Sandbox, SandboxOptions
from tests.support.kafka.order_topics import answering, make_topics, result, sent
from tests.support.pos.sandbox_orders import create as create_at
from tests.support.program import Ended, at, ended, environment, killed, started

POS = "http://127.0.0.1:9"


def order(command: dict[str, Any]) -> dict[str, Any]:
    """Without the id, which is new each time."""
    assert command["commandId"]
    return {name: value for name, value in command.items() if name != "commandId"}


SENT = [
    (
        "create --ext-order-id web-1 --relation 7 --line 20:2 --line 10:0.530:425 --pay IDEAL:1995 --pay a:b:5 --prepay",
        {
            "command": "createOrder",
            "order": {
                "extOrderId": "web-1",
                "relationNumber": 7,
                "lineList": [
                    {"articleNumber": 20, "data": {"quantity": 2}},
                    {"articleNumber": 10, "data": {"quantity": 530, "decimalPlaces": 3, "price": 425}},
                ],
            },
            "paymentList": [{"method": "IDEAL", "amount": 1995}, {"method": "a:b", "amount": 5}],
            "prepay": True,
        },
    ),
    ("cancel --ext-order-id web-1", {"command": "cancelOrder", "extOrderId": "web-1"}),
    (
        "pay --order-id o-1 --pay CASH:5 --invoice --expires-at 2099-01-01T00:00:00+01:00",
        {
            "command": "payOrder",
            "orderId": "o-1",
            "paymentList": [{"method": "CASH", "amount": 5}],
            "prepay": False,
            "expiresAt": "2099-01-01T00:00:00+01:00",
        },
    ),
    (
        "create --ext-order-id web-2 --relation 7 --line 20:-1 --line 10:-0.5:425 --line 10:1:-425 --pay CASH:-100",
        {
            "command": "createOrder",
            "order": {
                "extOrderId": "web-2",
                "relationNumber": 7,
                "lineList": [
                    {"articleNumber": 20, "data": {"quantity": -1}},
                    {"articleNumber": 10, "data": {"quantity": -5, "decimalPlaces": 1, "price": 425}},
                    {"articleNumber": 10, "data": {"quantity": 1, "price": -425}},
                ],
            },
            "paymentList": [{"method": "CASH", "amount": -100}],
        },
    ),
    ("deliver --ext-order-id web-1", {"command": "deliverOrder", "extOrderId": "web-1"}),
    (
        "deliver --ext-order-id web-1 --line l:1:2 --line m:1.5",
        {
            "command": "deliverOrder",
            "extOrderId": "web-1",
            "lineList": [{"lineId": "l:1", "quantity": 2}, {"lineId": "m", "quantity": 15, "decimalPlaces": 1}],
        },
    ),
    (
        "deliver --ext-order-id web-1 --order-id o-1 --line l:-1 --line m:-0.05",
        {
            "command": "deliverOrder",
            "extOrderId": "web-1",
            "orderId": "o-1",
            "lineList": [{"lineId": "l", "quantity": -1}, {"lineId": "m", "quantity": -5, "decimalPlaces": 2}],
        },
    ),
]


async def test_flags_become_commands(bootstrap: str, prefix: str) -> None:
    """Each verb with its flags; the result is shown in words and ends with 0."""
    await make_topics(bootstrap, prefix)
    async with answering(bootstrap, prefix) as seen:
        outcomes = [await ended("order", *line.split(), env=at(POS, bootstrap, prefix)) for line, _ in SENT]

    assert [command for _, command in SENT] == [order(command) for command in seen]
    for outcome, command in zip(outcomes, seen, strict=True):
        assert 0 == outcome.code, outcome.err
        assert outcome.out.splitlines()[0] == f"{command['command']} succeeded"
        assert f"  commandId      {command['commandId']}" in outcome.out.splitlines()
        assert "  syncMarker     17" in outcome.out.splitlines()
        assert "None" not in outcome.out
        assert outcome.errors == [f"sent {command['command']} {command['commandId']}, waiting for its result"]


async def test_whole_commands_and_orders_come_from_a_file(bootstrap: str, prefix: str, tmp_path: Any) -> None:
    """Or from standard input; flags add to them."""
    await make_topics(bootstrap, prefix)
    env, path = at(POS, bootstrap, prefix), tmp_path / "order.json"
    body = {"extOrderId": "web-1", "relationNumber": 7, "lineList": []}
    whole = {"commandId": "c-2", "command": "updateOrder", "order": {"orderId": "o-1", "reference": "é"}}
    async with answering(bootstrap, prefix) as seen:
        path.write_text(json.dumps(body))
        first = await ended("order", "create", "--file", str(path), "--command-id", "c-1", "--pay", "CASH:5", env=env)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "connector", "order", "update", "--file", "-", "--json"),
            env=env, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, _ = await process.communicate(json.dumps(whole).encode())
        path.write_text(json.dumps(third := {"commandId": "c-3", "command": "cancelOrder", "extOrderId": "web-1"}))
        last = await ended("order", "send", "--file", str(path), "--expires-at", "2099-01-01T00:00:00Z", env=env)

    assert (0, 0, 0) == (first.code, process.returncode, last.code)
    expected = {"commandId": "c-1", "command": "createOrder", "order": body, "paymentList": [{"method": "CASH", "amount": 5}]}
    assert [expected, whole, third | {"expiresAt": "2099-01-01T00:00:00Z"}] == seen
    assert result(whole) == json.loads(out)


async def test_rejected_and_unknown_end_with_1(bootstrap: str, prefix: str) -> None:
    """The result is on stdout all the same; one that is unknown says what comes next."""
    await make_topics(bootstrap, prefix)
    env = at(POS, bootstrap, prefix)

    def answer(command: dict[str, Any]) -> list[dict[str, Any]]:
        no = {"outcome": "rejected", "reason": "PAY-ORDER-RESULT-PAYMENT-INSUFFICIENT", "message": "[/b]\nnot enough"}
        unknown = {"outcome": "unknown", "reason": "OUTCOME-UNKNOWN", "reconciled": True}
        return [result(command, **(unknown if command["command"] == "cancelOrder" else no))]

    async with answering(bootstrap, prefix, answer):
        rejected = await ended("order", "pay", "--ext-order-id", "w", "--pay", "CASH:1", "--prepay", env=env)
        unknown = await ended("order", "cancel", "--ext-order-id", "w", env=env)
        machine = await ended("order", "cancel", "--ext-order-id", "w", "--json", env=env)

    assert (1, 1, 1) == (rejected.code, unknown.code, machine.code)
    assert "payOrder rejected" in rejected.out
    assert "[/b] not enough" in rejected.out
    assert "PAY-ORDER-RESULT-PAYMENT-INSUFFICIENT" in rejected.out
    assert "dead-letters redrive" in unknown.out
    assert "reconciled     yes" in unknown.out
    assert "unknown" == json.loads(machine.out)["outcome"]


async def test_not_waiting_says_what_was_sent(bootstrap: str, prefix: str) -> None:
    """In words, or as JSON with the id and the key."""
    await make_topics(bootstrap, prefix)
    env = at(POS, bootstrap, prefix)
    told = await ended("order", "cancel", "--ext-order-id", "w", "--no-wait", "--command-id", "c-1", env=env)
    machine = await ended("order", "cancel", "--ext-order-id", "w", "--no-wait", "--command-id", "c-2", "--json", env=env)

    assert (0, 0, [], []) == (told.code, machine.code, told.errors, machine.errors)
    assert told.out == f"sent cancelOrder c-1: its result will come on {prefix}.order-command-results\n"
    assert {"commandId": "c-2", "command": "cancelOrder", "key": "w"} == json.loads(machine.out)
    assert 2 == len(await sent(bootstrap, prefix))


async def test_no_answer_and_ctrl_c_end_with_1_and_say_how_to_wait_again(bootstrap: str, prefix: str) -> None:
    """The command stands."""
    await make_topics(bootstrap, prefix)
    env = at(POS, bootstrap, prefix)
    late = await ended("order", "cancel", "--ext-order-id", "w", "--timeout", "2", "--command-id", "c-1", env=env)
    process = await started("order", "cancel", "--ext-order-id", "w", "--command-id", "c-2", env=env)
    assert process.stderr is not None
    try:
        async with asyncio.timeout(30):
            first = await process.stderr.readline()
            process.send_signal(signal.SIGINT)
            out, err = await process.communicate()
    finally:
        await killed(process)
    stopped = Ended(process.returncode or 0, out.decode(), (first + err).decode())

    assert (1, 1) == (late.code, stopped.code)
    for outcome, said, name in ((late, "no result of command c-1 after 2 s", "c-1"), (stopped, "no longer waiting for", "c-2")):
        assert outcome.errors[-1].startswith(f"error: {said}")
        assert f"--command-id {name}" in outcome.errors[-1]
        assert 2 == len(outcome.errors)


WRONG = [
    (
        "create --relation x --line 20 --line 1:x --pay CASH --pay :5",
        ["--relation x", "--line 20 is", "--line 1:x is", "--pay CASH is", "--pay :5 is", "--ext-order-id is missing"],
    ),
    ("cancel", ["no order is named: give --ext-order-id"]),
    ("update", ["no order is named: give --file"]),
    ("pay --ext-order-id w", ["--pay is missing", "--prepay (a deposit) or --invoice"]),
    ("deliver --ext-order-id w --line l", ["--line l is not LINEID:QUANTITY"]),
    (
        "create --ext-order-id w --relation 7 --line 20:- --line 20:--1 --line 20:.5 --line 20:1:x --pay CASH:--1",
        [
            "20:- is no line: - is",
            "20:--1 is no line",
            "20:.5 is no line: .5 is not a quantity",
            "20:1:x is not",
            "CASH:--1 is not",
        ],
    ),
    ("deliver --ext-order-id w --line l:x --line l:", ["l:x is no line: x is not a quantity", "l: is no line: nothing is"]),
    ("cancel --ext-order-id w --command-id redrive:1 --expires-at soon", ["commandId", "expiresAt"]),
    ("cancel --file no-such.json", ["no-such.json cannot be read", "no order is named"]),
    ("create --ext-order-id w --relation 7 --line 20:2 --pay CASH:99999999999999999999", ["64"]),
    ("cancel --ext-order-id w --timeout soon", ["--timeout"]),
    ("cancel --nonsense", ["--nonsense"]),
    ("get", ["--order-id"]),
    ("nonsense", ["nonsense"]),
]


@pytest.mark.parametrize(("line", "said"), WRONG, ids=[line for line, _ in WRONG])
async def test_wrong_flags_are_said_all_at_once(line: str, said: list[str]) -> None:
    """A line each, exit code 2, and nothing is reached or sent."""
    outcome = await ended("order", *line.split(), env=at(POS, "127.0.0.1:9", "p"))

    assert 2 == outcome.code
    assert "" == outcome.out
    assert len(said) == len(outcome.errors), outcome.errors
    for line_, words in zip(outcome.errors, said, strict=True):
        assert line_.startswith("error: ")
        assert words in line_


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"command":"payOrder","extOrderId":"w"}', ["holds the command payOrder: `order cancel` sends cancelOrder"]),
        ('{"extOrderId":"a","extOrderId":"b"}', ["more than once"]),
        ('{"extOrderId":"w","branchNumber":1.5}', ["1.5 is not an integer"]),
        ("[]", ["not an object"]),
        ("{", ["not JSON"]),
        ('{"extOrderId":"w","colour":1,"branchNumber":"x"}', ["branchNumber", "colour"]),
        ('{"extOrderId":"other"}', ["--ext-order-id: the file has another extOrderId"]),
    ],
)
async def test_wrong_files_are_said(text: str, said: list[str], tmp_path: Any) -> None:
    """Before anything is sent."""
    path = tmp_path / "command.json"
    path.write_text(text)
    flags = ("--ext-order-id", "w") if "other" in text else ()
    outcome = await ended("order", "cancel", "--file", str(path), *flags, env=at(POS, "127.0.0.1:9", "p"))

    assert (2, "") == (outcome.code, outcome.out)
    assert all(any(words in line for line in outcome.errors) for words in said), outcome.errors


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{}", ["command is missing"]),
        ('{"command":"sellOrder","extOrderId":"w"}', ["sellOrder", "is none of cancelOrder, createOrder"]),
        ('{"command":"payOrder"}', ["paymentList", "prepay"]),
        ('{"command":{},"extOrderId":7}', ["is none of"]),
        ('{"command":"createOrder","order":[]}', ["order"]),
        ("7", ["not an object"]),
    ],
)
async def test_a_file_that_is_no_command_is_not_sent(text: str, said: list[str], tmp_path: Any) -> None:
    """Whatever its command: everything that is wrong with it, a line each."""
    path = tmp_path / "command.json"
    path.write_text(text)
    outcome = await ended("order", "send", "--file", str(path), env=at(POS, "127.0.0.1:9", "p"))

    assert (2, "") == (outcome.code, outcome.out)
    assert all(any(words in line for line in outcome.errors) for words in said), outcome.errors


async def test_missing_topics_and_kafka_are_one_line(bootstrap: str, prefix: str) -> None:
    """With what creates them."""
    missing = await ended("order", "cancel", "--ext-order-id", "w", env=at(POS, bootstrap, prefix))
    nowhere = await ended("order", "cancel", "--ext-order-id", "w", env=at(POS, "127.0.0.1:9", prefix))

    assert (1, 1) == (missing.code, nowhere.code)
    (line,) = missing.errors
    assert line.endswith("does not exist, or this user may not see it: `run --roles commands` creates it")
    (line,) = nowhere.errors
    assert "Kafka cannot be reached" in line


async def test_one_of_several_administrations_must_be_named(tmp_path: Any) -> None:
    """With the names that there are."""
    path, row = tmp_path / "c.toml", 'url = "http://127.0.0.1:9"\nident = "i"\nsecret = "s"\n'
    path.write_text("".join(f'[[administrations]]\nname = "{name}"\n{row}' for name in ("one", "two")))
    env = environment(KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:9")
    command = ("order", "cancel", "--ext-order-id", "w", "--config", str(path))
    unsaid, wrong = await ended(*command, env=env), await ended(*command, "--administration", "three", env=env)
    right = await ended(*command, "--administration", "two", env=env)

    assert (2, 2, 1) == (unsaid.code, wrong.code, right.code)
    assert "--administration (one, two)" in unsaid.errors[0]
    assert "three is not configured: use one, two" in wrong.errors[0]


async def test_get_and_find_ask_the_pos(prefix: str) -> None:
    """The order as JSON; one that is not there is one line and exit code 1."""
    async with Sandbox(SandboxOptions(items=30)) as pos:
        order_id = await create_at(pos, "web 1&amp;é")
        env = at(pos, "127.0.0.1:9", prefix)
        got = await ended("order", "get", "--order-id", order_id, env=env)
        found = await ended("order", "find", "web 1&é", env=env)
        neither = await ended("order", "find", "web-2", env=env)

    assert (0, 0, 1) == (got.code, found.code, neither.code)
    assert order_id == json.loads(got.out)["orderId"]
    assert json.loads(got.out) == json.loads(found.out)
    assert neither.errors == [f"error: {prefix} has no order with extOrderId web-2"]


async def test_a_pos_that_is_not_there_is_one_line(prefix: str) -> None:
    """With what to check, and without the secret."""
    outcome = await ended("order", "find", "web-1", env=at(POS, "127.0.0.1:9", prefix))

    assert 1 == outcome.code
    (line,) = outcome.errors
    assert "check MPLUS_URL" in line
