"""Whatever stands in the command topic: it is a dead letter, unchanged, and the lane goes on."""

from collections.abc import AsyncIterator, Mapping

import orjson
import pytest

from connector.events.commands import MessageRefused
from connector.sandbox import Sandbox, SandboxOptions
from tests.sink.lanes import Lanes, laning
from tests.support.sink.commanding import create

WHOLE = orjson.dumps(create("c-1", "web-1"))


@pytest.fixture
async def lanes(bootstrap: str, prefix: str) -> AsyncIterator[Lanes]:
    """An administration."""
    async with Sandbox(SandboxOptions(items=3)) as pos, laning(bootstrap, prefix, pos) as found:
        yield found


def changed(old: bytes, new: bytes) -> bytes:
    """A valid command with a piece of it replaced."""
    assert 1 == WHOLE.count(old)
    return WHOLE.replace(old, new)


# key, bytes, stage, what is said of it, and the commandId if that can be read
BAD: Mapping[str, tuple[bytes | None, bytes | None, str, str, str | None]] = {
    "nothing at all": (None, None, "parse", "the message is empty", None),
    "no value": (b"web-1", None, "parse", "the message is empty", None),
    "an empty value": (b"web-1", b"", "parse", "the message is empty", None),
    "no JSON": (b"web-1", b"<order/>", "parse", "not JSON: Expecting value: line 1 column 1 (char 0)", None),
    "half of it": (b"web-1", WHOLE[:60], "parse", "not JSON: ", None),
    "a list": (b"web-1", b"[1]", "parse", "the message is JSON, but not an object", None),
    "broken UTF-8": (b"web-1", changed(b"web-1", b"web-\xff"), "parse", "not UTF-8: byte 0xFF at position ", None),
    "UTF-16": (b"web-1", WHOLE.decode().encode("utf-16-le"), "parse", "not JSON: ", None),
    "a float": (
        b"web-1",
        changed(b'"articleNumber":10', b'"articleNumber":10.0'),
        "parse",
        "order.lineList[0].articleNumber: 10.0 is not an integer",
        "c-1",
    ),
    "a huge integer": (
        b"web-1",
        changed(b'"relationNumber":1', b'"relationNumber":1' + b"0" * 5000),
        "parse",
        "order.relationNumber: 1000000000000000000000000000000000000000… does not fit into 64 bits",
        "c-1",
    ),
    "an integer of 32 bits and more": (
        b"web-1",
        changed(b'"relationNumber":1', b'"relationNumber":1,"workplaceNumber":4294967296'),
        "validate",
        "order.workplaceNumber: 4294967296 is more than 2147483647",
        "c-1",
    ),
    "a field twice": (
        b"web-1",
        changed(b'"relationNumber":1', b'"relationNumber":1,"relationNumber":2'),
        "parse",
        "order.relationNumber: given more than once",
        "c-1",
    ),
    "the commandId twice": (
        b"web-1",
        changed(b'{"commandId"', b'{"commandId":"c-2","commandId"'),
        "parse",
        "commandId: given more than once",
        None,
    ),
    "an unknown field": (
        b"web-1",
        changed(b'"relationNumber":1', b'"relationNumber":1,"colour":"red"'),
        "validate",
        "order: unknown: 'colour'",
        "c-1",
    ),
    "an unknown command": (
        b"web-1",
        changed(b'"createOrder"', b'"dropOrder"'),
        "validate",
        "command: 'dropOrder' is none of ",
        "c-1",
    ),
    "the key of another order": (
        b"web-2",
        WHOLE,
        "validate",
        "the record has the key 'web-2', but its order's is 'web-1'",
        "c-1",
    ),
    "no key": (None, WHOLE, "validate", "the record has no key, but its order's is 'web-1'", "c-1"),
    "a character that XML cannot carry": (
        b"web-1",
        changed(b'"relationNumber":1', b'"relationNumber":1,"reference":"a\\u0001b"'),
        "validate",
        "order.reference: character U+0001 cannot be sent in XML",
        "c-1",
    ),
    "half a character": (
        b"web-1",
        changed(b'"relationNumber":1', b'"relationNumber":1,"reference":"\\ud800"'),
        "parse",
        "order.reference: half a surrogate pair, U+D800",
        "c-1",
    ),
    "the connector's own key": (b"web-1", changed(b'"c-1"', b'"lane:0"'), "validate", "commandId: 'lane:0' begins with ", None),
    "a megabyte of it": (
        b"web-1",
        changed(b'"relationNumber":1', b'"relationNumber":1,"colour":"' + b"r" * (1 << 20) + b'"'),
        "validate",
        "order: unknown: 'colour'",
        "c-1",
    ),
}


async def test_bad_input_goes_to_the_dead_letters_and_the_lane_goes_on(lanes: Lanes) -> None:
    """Each unchanged, with where it came from and what is wrong; a rejected result where its commandId can be read."""
    async with lanes.worker() as (pos, calls), lanes.owning(calls):
        for number, (key, value, *_) in enumerate(BAD.values()):
            await lanes.send((key, value), create(f"good-{number}", f"good-{number}"))
        readable = [name for name, (*_, command_id) in BAD.items() if command_id]
        results = await lanes.results(len(BAD) + len(readable))
        letters = await lanes.letters_of(len(BAD))
        await lanes.idle(2 * len(BAD))

    assert {f"good-{number}" for number in range(len(BAD))} == {
        row["commandId"] for row in results if row["outcome"] == "succeeded"
    }
    assert ["createOrderV3"] * len(BAD) == pos.changes
    by_offset = {int(headers["__connect.errors.offset"]): (value, headers) for value, headers in letters}
    for number, (name, (_, value, stage, problem, _)) in enumerate(BAD.items()):
        found, headers = by_offset[2 * number]
        assert value == found, name
        assert_tells(headers, f"{lanes.prefix}.order-commands", stage, problem)
    refused = [row for row in results if row["outcome"] != "succeeded"]
    assert [("c-1", "rejected", "INVALID-COMMAND", 0, False)] * len(readable) == [
        tuple(row[it] for it in ("commandId", "outcome", "reason", "attempts", "duplicate")) for row in refused
    ]
    problems = [BAD[name][3] for name in readable]
    assert sorted(problems) == sorted(problem_in(row["message"], problems) for row in refused)
    assert len(BAD) == len([event for event in lanes.told if isinstance(event, MessageRefused)])


def assert_tells(headers: Mapping[str, str], topic: str, stage: str, problem: str) -> None:
    """In the Kafka Connect convention."""
    assert {"topic", "partition", "offset", "stage", "exception.class.name", "exception.message"} == {
        name.removeprefix("__connect.errors.") for name in headers
    }
    assert (topic, "0", stage, "INVALID-COMMAND") == tuple(
        headers[f"__connect.errors.{name}"] for name in ("topic", "partition", "stage", "exception.class.name")
    )
    assert headers["__connect.errors.exception.message"].startswith(problem)
    assert len(headers["__connect.errors.exception.message"]) <= 1000


def problem_in(message: str, problems: list[str]) -> str:
    """The one of these that it begins with."""
    return next(problem for problem in problems if message.startswith(problem))


async def test_text_is_only_text(lanes: Lanes) -> None:
    """Markup, entities and a DOCTYPE inside a string reach the POS as they were written."""
    text = "<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]>&e;&amp;]]> \u20ac \U0001f34e \"'"
    command = create("c-1", "web-1")
    command["order"]["reference"] = text
    async with lanes.worker() as (_, calls), lanes.owning(calls):
        await lanes.send(command)
        assert ["succeeded"] == [row["outcome"] for row in await lanes.results(1)]
    assert text == lanes.order("web-1")["reference"]


async def test_a_large_order_is_an_order(lanes: Lanes) -> None:
    """Three thousand lines."""
    command = create("c-1", "web-1", *[10, 20] * 1500)
    async with lanes.worker() as (_, calls), lanes.owning(calls):
        await lanes.send(command)
        assert ["succeeded"] == [row["outcome"] for row in await lanes.results(1)]
    assert 3000 == len(lanes.order("web-1")["lineList"]["line"])
