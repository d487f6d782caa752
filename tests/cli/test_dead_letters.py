"""The verbs of dead letters as processes, against a real broker; the test writes the letters."""

import asyncio
import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest

from connector.cli.dead_letters import moment, parsed
from connector.cli.letters.intent import intended
from connector.cli.letters.text import body, words
from connector.errors import Misconfigured
from connector.messages.command import names as commands
from connector.messages.dead_letter import dead_letter_headers
from connector.sink.commands.table import SPECS
from tests.support.kafka.order_topics import commands_of, letter, letters_of, make_topics, publish, sent
from tests.support.kafka.topics import create_topic
from tests.support.program import Ended, at, ended

ODD = b"\xff\x00\x1b[31m"
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


async def run(bootstrap: str, prefix: str, *arguments: str) -> Ended:
    return await ended("dead-letters", *arguments, env=at("http://127.0.0.1:9", bootstrap, prefix))


async def test_letters_are_listed_whatever_they_hold(bootstrap: str, prefix: str) -> None:
    """In words and as JSON, of all partitions; odd bytes reach no terminal."""
    await make_topics(bootstrap, prefix)
    await letter(bootstrap, prefix, (2, 40), message="[red]nobody[/] knows\nwhy")
    await letter(bootstrap, prefix, (1, 7), stage="validate", key=ODD, value=ODD, into=1)
    await letter(bootstrap, prefix, (-1, -1), stage="decode", origin=f"{prefix}.orders", key=b"order", value=b"<order/>", into=2)
    await letter(
        bootstrap, prefix, (0, 0), headers=[("__connect.errors.stage", ODD), ("__connect.errors.offset", b"x")], key=None
    )
    shown, machine = await asyncio.gather(run(bootstrap, prefix, "list"), run(bootstrap, prefix, "list", "--json"))

    assert (0, 0, [], []) == (shown.code, machine.code, shown.errors, machine.errors)
    lines = shown.out.splitlines()
    (first,) = [line for line in lines if f"{letters_of(prefix)}:0:0" in line]
    for words_ in ("outcome", "web-1", f"{commands_of(prefix)}:2:40", r"[red]nobody[/] knows\nwhy"):
        assert words_ in first
    assert "\x1b" not in shown.out + machine.out
    assert r"\xff\x00\x1b[31m" in shown.out
    rows = [json.loads(line) for line in machine.out.splitlines()]
    assert {(0, 0), (0, 1), (1, 0), (2, 0)} == {(row["partition"], row["offset"]) for row in rows}
    (row,) = [row for row in rows if row["partition"] == 1]
    assert ("validate", r"\xff\x00\x1b[31m", 7, 7) == (row["stage"], row["key"], row["size"], row["origin"]["offset"])
    (nameless,) = [row for row in rows if row["key"] is None]
    assert {"topic": "", "partition": -1, "offset": -1} == nameless["origin"]


async def test_the_list_can_be_narrowed(bootstrap: str, prefix: str) -> None:
    """By stage and by time."""
    await make_topics(bootstrap, prefix)
    empty = await run(bootstrap, prefix, "list")
    await letter(bootstrap, prefix, (0, 1))
    await letter(bootstrap, prefix, (0, 2), stage="decode")

    assert (0, "no dead letters\n") == (empty.code, empty.out)
    for flags, count in ((("--stage", "decode"), 1), (("--since", "1h"), 2), (("--since", "2999-01-01"), 0)):
        found = await run(bootstrap, prefix, "list", "--json", *flags)
        assert count == len(found.out.splitlines()), flags


async def test_a_letter_is_shown(bootstrap: str, prefix: str) -> None:
    """Headers and body: text as it is, anything else as a hexdump; by the name that `list` gives it, too."""
    await make_topics(bootstrap, prefix)
    await letter(bootstrap, prefix, (2, 40), value='{"é":\n1}'.encode(), key=ODD)
    await letter(bootstrap, prefix, (2, 41), value=ODD * 200)
    text = await run(bootstrap, prefix, "show", "0:0")
    binary = await run(bootstrap, prefix, "show", f"{letters_of(prefix)}:0:1")
    missing = await run(bootstrap, prefix, "show", "0:2")
    nowhere = await run(bootstrap, prefix, "show", "9:0")

    assert (0, 0, 1, 1) == (text.code, binary.code, missing.code, nowhere.code)
    assert text.out.endswith('\n\n{"é":\n1}\n')
    assert r"key: \xff\x00\x1b[31m" in text.out.splitlines()
    assert "__connect.errors.stage: outcome" in text.out.splitlines()
    assert "00000000  ff 00 1b 5b 33 31 6d" in binary.out
    assert binary.out.endswith("… 1400 bytes in all\n")
    assert [f"error: there is no letter 0:2 in {letters_of(prefix)}"] == missing.errors


async def test_a_redrive_is_shown_and_done_only_when_asked(bootstrap: str, prefix: str) -> None:
    """The original bytes and key, into the original partition, with the letter's coordinate and time; twice is said."""
    await make_topics(bootstrap, prefix)
    await publish(bootstrap, commands_of(prefix), [ODD], b"elsewhere by murmur2", partition=2)
    await letter(bootstrap, prefix, (2, 0), value=ODD, key=b"elsewhere by murmur2", into=1, timestamp=1785492000123)
    plan = await run(bootstrap, prefix, "redrive", "1:0")
    before = await sent(bootstrap, prefix)
    done = await run(bootstrap, prefix, "redrive", "1:0", "1:0", "--apply")
    again = await run(bootstrap, prefix, "redrive", "1:0", "--apply")
    records = await sent(bootstrap, prefix)

    assert (0, 0, 0) == (plan.code, done.code, again.code)
    assert 1 == len(before)
    assert "nothing is done without --apply" in plan.out
    assert f"→ {commands_of(prefix)}[2] (was offset 0)" in plan.out
    assert done.out.splitlines()[-1].startswith("1 sent again: each runs once")
    assert "redriven before: 1" in again.out
    assert [(2, b"elsewhere by murmur2", ODD)] * 2 == [(record.partition, record.key, record.value) for record in records[1:]]
    own = (("mplus_redrive", b"1:0"), ("mplus_letter_written", b"1785492000123"))
    assert [own, own] == [tuple(record.headers)[-2:] for record in records[1:]]


BESIDE = [
    ("traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
    ("x", b"1"),
    ("x", None),
    ("x", ODD),
    ("mplus_intent", b'{"operation":"payOrderV2"}'),
]


async def test_a_redriven_letter_has_its_own_headers(bootstrap: str, prefix: str) -> None:
    """The producer's and the letter's, repeated and odd ones too; a former redrive's are replaced."""
    await make_topics(bootstrap, prefix)
    former = [("mplus_redrive", b"9:9"), ("mplus_letter_written", b"5"), ("mplus_redrive", b"8:8")]
    await letter(bootstrap, prefix, (2, 0), beside=[*former[:2], *BESIDE, former[2]], timestamp=1785492000123)
    await run(bootstrap, prefix, "redrive", "0:0", "--apply")
    (record,) = await sent(bootstrap, prefix)

    told = dead_letter_headers((commands_of(prefix), 2, 0), "outcome", "OutcomeUnknown", "nobody knows")
    own = [("mplus_redrive", b"0:0"), ("mplus_letter_written", b"1785492000123")]
    assert [*told, *BESIDE, *own] == list(record.headers)


@pytest.mark.parametrize(
    ("sizes", "kept"),
    [
        ({"big": 15_000, "small": 100}, {"big", "small"}),
        ({"big": 25_000, "small": 100}, {"small"}),
        ({"big": 15_000, "bigger": 16_000, "small": 100}, {"big", "small"}),
        ({f"x{n}": 2_000 for n in range(30)}, {f"x{n}" for n in range(7)}),
        ({"mplus_intent": 6_000, "big": 18_000, "small": 10}, {"mplus_intent", "small"}),
        ({"mplus_intent": 25_000, "mplus_x": 10, "small": 10}, {"mplus_x"}),
    ],
)
async def test_headers_that_the_topic_does_not_take_are_left_out(
    bootstrap: str, prefix: str, sizes: dict[str, int], kept: set[str]
) -> None:
    """The largest first; what a worker judges by to the last; bytes, key and coordinate never."""
    await create_topic(bootstrap, commands_of(prefix), 1, max_message_bytes="20000")
    await create_topic(bootstrap, letters_of(prefix), 1)
    beside = [(name, b"x" * size) for name, size in sizes.items()]
    await letter(bootstrap, prefix, (0, 0), value=b"v" * 1000, beside=beside)
    done = await run(bootstrap, prefix, "redrive", "0:0", "--apply")
    (record,) = await sent(bootstrap, prefix)
    names = {name for name, _ in record.headers}

    assert (0, b"v" * 1000, b"web-1") == (done.code, record.value, record.key)
    assert {"mplus_redrive", "mplus_letter_written", "__connect.errors.stage"} <= names
    assert kept == names & sizes.keys()


async def test_a_letter_that_no_longer_fits_at_all_is_said(bootstrap: str, prefix: str) -> None:
    """One line; exit code 1."""
    await create_topic(bootstrap, commands_of(prefix), 1, max_message_bytes="20000")
    await create_topic(bootstrap, letters_of(prefix), 1)
    await letter(bootstrap, prefix, (0, 0), value=b"v" * 20_000, beside=[("x", b"x")])
    done = await run(bootstrap, prefix, "redrive", "0:0", "--apply")

    assert 1 == done.code
    assert "error: letter 0:0 is larger than the topic takes (max.message.bytes)" == done.errors[-1]


async def test_what_will_be_sent_is_summed_up_first(bootstrap: str, prefix: str) -> None:
    """How many, the oldest, those that the ledger has forgotten, those that later commands overtook; before anything is sent."""
    await make_topics(bootstrap, prefix)
    now = int(datetime.now(UTC).timestamp() * 1000)
    await publish(bootstrap, commands_of(prefix), [b"0", b"1"], b"web-1", partition=0)
    await letter(bootstrap, prefix, (0, 0), timestamp=now - 29 * DAY_MS)
    await letter(bootstrap, prefix, (0, 1), timestamp=now - 31 * DAY_MS)
    await letter(bootstrap, prefix, (1, 1), timestamp=1609502400000, stage="unexpected")
    plan = await run(bootstrap, prefix, "redrive", "--all")
    done = await run(bootstrap, prefix, "redrive", "--all", "--apply")

    summary = (
        "3 to send again (the oldest of 2021-01-01T12:00:00+00:00; 2 older than the ledger's 30 days: only looked up, never "
        "carried out; 1 with later commands of the same key: look at those orders first)"
    )
    assert f"{summary}: nothing is done without --apply" == plan.out.splitlines()[-1]
    assert summary == done.out.splitlines()[-2]
    assert "30 days that the ledger remembers" in done.out.splitlines()[-1]


@pytest.mark.parametrize(
    ("flags", "values"),
    [
        (("--since", "150m"), [b"2", b"1"]),
        (("--until", "90m"), [b"3", b"2"]),
        (("--since", "150m", "--until", "90m"), [b"2"]),
        (("--since", "150m", "--stage", "parse"), [b"1"]),
        (("--until", "2020-01-01"), []),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
async def test_a_part_can_be_chosen_by_time(bootstrap: str, prefix: str, flags: tuple[str, ...], values: list[bytes]) -> None:
    """From a time on, before one, or both, with a stage."""
    await make_topics(bootstrap, prefix)
    now = int(datetime.now(UTC).timestamp() * 1000)
    for age, stage in ((1, "parse"), (2, "outcome"), (3, "outcome")):
        more = {"stage": stage, "value": b"%d" % age}
        await letter(bootstrap, prefix, (0, 9 - age), timestamp=now - age * HOUR_MS, **more)
    done = await run(bootstrap, prefix, "redrive", "--all", *flags, "--apply")

    assert 0 == done.code
    assert sorted(values) == sorted(record.value for record in await sent(bootstrap, prefix))


async def test_the_list_ends_with_the_newest(bootstrap: str, prefix: str) -> None:
    """By time over all partitions, in words as in JSON."""
    await make_topics(bootstrap, prefix)
    for time, into in ((5, 0), (3, 2), (4, 1), (1, 1), (2, 0), (3, 0)):
        await letter(bootstrap, prefix, (0, 1), into=into, timestamp=1785492000000 + time)
    machine = await run(bootstrap, prefix, "list", "--json")
    shown = await run(bootstrap, prefix, "list")

    expected = ["1:1", "0:1", "0:2", "2:0", "1:0", "0:0"]
    assert expected == [f"{row['partition']}:{row['offset']}" for row in map(json.loads, machine.out.splitlines())]
    assert expected == re.findall(rf"{letters_of(prefix)}:(\d:\d)", shown.out)


async def test_a_letter_whose_body_was_left_out_is_not_sent(bootstrap: str, prefix: str) -> None:
    """There is nothing to do again."""
    await make_topics(bootstrap, prefix)
    beside = [("__connect.errors.left.out", b"2 headers: a, b; the value")]
    await letter(bootstrap, prefix, (0, 0), value=None, beside=beside)
    outcome = await run(bootstrap, prefix, "redrive", "0:0", "--apply")

    assert ["error: letter 0:0 was too large to keep its body: send the command itself again"] == outcome.errors
    assert [] == await sent(bootstrap, prefix)


INTENT = {
    "command": "payOrder", "operation": "payOrderV2", "order_id": "o-1", "ext_order_id": "web-1", "attempt": 2,
    "at": "2026-07-31T10:00:00+02:00", "before": {"references": {"a\u001b[31m": 1}},
}  # fmt: skip


@pytest.mark.parametrize("value", [INTENT, {"type": "INTENT", "entry": INTENT}], ids=["alone", "as the ledger has it"])
def test_what_was_sent_is_told_in_words(value: dict[str, Any]) -> None:
    """Which operation, when, how often, for which order, how it stood, and what to look at."""
    assert [
        "sent to the POS: payOrderV2 at 2026-07-31T10:00:00+02:00, call 2, for the order with orderId o-1, extOrderId web-1",
        r'how it stood before: {"references":{"a\u001b[31m":1}}',
        "look at: " + SPECS["payOrder"].look_at,
    ] == intended(json.dumps(value).encode())


@pytest.mark.parametrize(
    ("value", "lines"),
    [
        (None, []),
        (b"", []),
        (ODD, []),
        (b"[" * 9999, []),
        (b"7", []),
        (b'{"entry":[]}', []),
        (b'{"entry":{"operation":null}}', []),
        (b'{"operation":{"a":[1]},"at":7,"command":["x"]}', ['sent to the POS: {"a":[1]} at 7, call ?']),
    ],
)
def test_any_bytes_may_stand_for_an_intent(value: bytes | None, lines: list[str]) -> None:
    """What cannot be read is passed over."""
    assert lines == intended(value)


async def test_a_letter_says_what_was_sent(bootstrap: str, prefix: str) -> None:
    """Below its headers, of which repeated ones are all shown; whatever bytes they are."""
    await make_topics(bootstrap, prefix)
    await letter(bootstrap, prefix, (0, 0), beside=[("x", b"1"), ("x", None), ("mplus_intent", json.dumps(INTENT).encode())])
    await letter(bootstrap, prefix, (0, 0), beside=[("mplus_intent", ODD)])
    shown, odd = await run(bootstrap, prefix, "show", "0:0"), await run(bootstrap, prefix, "show", "0:1")

    assert ["x: 1", "x: –"] == [line for line in shown.out.splitlines() if line.startswith("x:")]
    assert any(line.startswith("sent to the POS: payOrderV2 at ") for line in shown.out.splitlines())
    assert (0, [], False) == (odd.code, odd.errors, "sent to the POS" in odd.out)


def test_every_command_says_what_to_look_at() -> None:
    """All that there are."""
    assert set(commands()) <= SPECS.keys()
    assert all(spec.look_at for spec in SPECS.values())


async def test_all_of_a_stage_go_in_their_original_order(bootstrap: str, prefix: str) -> None:
    """As their commands lay, wherever the letters lie; letters of the source are left out."""
    await make_topics(bootstrap, prefix)
    for offset, into in ((30, 0), (10, 1), (20, 2), (5, 0)):
        await letter(bootstrap, prefix, (1, offset), value=b"%d" % offset, into=into)
    await letter(bootstrap, prefix, (1, 1), stage="parse", value=b"parse")
    await letter(bootstrap, prefix, (-1, -1), stage="decode", origin=f"{prefix}.orders")
    await run(bootstrap, prefix, "redrive", "--stage", "outcome", "--all", "--apply")
    some = [record.value for record in await sent(bootstrap, prefix)]
    everything = await run(bootstrap, prefix, "redrive", "--all")

    assert [b"5", b"10", b"20", b"30"] == some
    assert "5 to send again" in everything.out


async def test_later_commands_of_the_same_key_are_said(bootstrap: str, prefix: str) -> None:
    """Those after the letter's origin, in its partition; not other keys, not redrives."""
    await make_topics(bootstrap, prefix)
    topic = commands_of(prefix)
    await publish(bootstrap, topic, [b"0", b"1"], b"web-1", partition=0)
    await publish(bootstrap, topic, [b"2"], b"web-2", partition=0)
    await publish(bootstrap, topic, [b"3"], b"web-1", partition=1)
    await letter(bootstrap, prefix, (0, 0))
    await letter(bootstrap, prefix, (0, 1))
    await run(bootstrap, prefix, "redrive", "0:1", "--apply")
    plan = await run(bootstrap, prefix, "redrive", "0:0", "0:1")

    first, second, _ = plan.out.splitlines()
    assert ", 1 later command of this key came since" in first
    assert "later" not in second
    assert second.endswith("redriven before: 1")


async def test_letters_that_cannot_be_redriven_say_why_and_nothing_is_sent(bootstrap: str, prefix: str) -> None:
    """All at once; exit code 1."""
    await make_topics(bootstrap, prefix)
    await letter(bootstrap, prefix, (0, 0))
    await letter(bootstrap, prefix, (-1, -1), stage="decode", origin=f"{prefix}.orders")
    await letter(bootstrap, prefix, (-1, -1), stage="too-large", origin=f"{prefix}.orders")
    await letter(bootstrap, prefix, (0, 0), origin="other.order-commands")
    outcome = await run(bootstrap, prefix, "redrive", "0:0", "0:1", "0:2", "0:3", "--apply")
    beyond = await run(bootstrap, prefix, "redrive", "0:0", "0:99")
    none = await run(bootstrap, prefix, "redrive", "--all", "--stage", "decode", "--apply")

    assert (1, 1, 1) == (outcome.code, beyond.code, none.code)
    assert 3 == len(outcome.errors)
    assert "`resync --from`" in outcome.errors[0]
    assert "stage too-large" in outcome.errors[1]
    assert "does not say where" in outcome.errors[2]
    assert ["error: there is no letter 0:99 in " + letters_of(prefix)] == beyond.errors
    assert [] == await sent(bootstrap, prefix)


async def test_a_partition_that_is_gone_is_one_line(bootstrap: str, prefix: str) -> None:
    """The topic was made anew with fewer."""
    await make_topics(bootstrap, prefix)
    await letter(bootstrap, prefix, (7, 0))
    outcome = await run(bootstrap, prefix, "redrive", "0:0", "--apply")

    assert 1 == outcome.code
    assert [f"error: letter 0:0: {commands_of(prefix)} has no partition 7"] == outcome.errors


async def test_missing_topics_are_one_line(bootstrap: str, prefix: str) -> None:
    """With what creates them."""
    await create_topic(bootstrap, letters_of(prefix))
    await letter(bootstrap, prefix, (0, 0))
    redrive = await run(bootstrap, prefix, "redrive", "--all")
    listed = await run(bootstrap, f"{prefix}x", "list")

    assert (1, 1) == (redrive.code, listed.code)
    for outcome in (redrive, listed):
        (line,) = outcome.errors
        assert line.endswith("does not exist, or this user may not see it: `run --roles commands` creates it")


@pytest.mark.parametrize(
    "arguments",
    [
        ("redrive",),
        ("redrive", "0:1", "--all"),
        ("redrive", "--stage", "outcome"),
        ("redrive", "--stage", "nonsense", "--all"),
        ("redrive", "0:1", "--since", "2h"),
        ("redrive", "--until", "2h"),
        ("redrive", "--all", "--since", "1h", "--until", "2h"),
        ("redrive", "--all", "--until", "never"),
        ("redrive", "0-1"),
        ("show", "one"),
        ("show",),
        ("list", "--since", "soon"),
        ("list", "--stage", "nonsense"),
    ],
    ids=" ".join,
)
async def test_wrong_usage_is_one_line(arguments: tuple[str, ...]) -> None:
    """Exit code 2, and nothing is reached."""
    outcome = await run("127.0.0.1:9", "p", *arguments)

    assert (2, "") == (outcome.code, outcome.out)
    assert 1 == len(outcome.errors)


def test_coordinates_are_read_once_each() -> None:
    """In either form; every wrong one is named."""
    assert [(1, 2), (0, 3)] == parsed(["1:2", "a.dead-letters:0:3", "01:2"])
    with pytest.raises(Misconfigured) as error:
        parsed(["x", "1:2", "3:"])
    assert 2 == len(error.value.problems)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, None),
        ("30m", "2026-07-31T09:30:00+00:00"),
        ("7d", "2026-07-24T10:00:00+00:00"),
        ("2026-07-01", "2026-07-01T00:00:00+00:00"),
        ("2026-07-01T10:00:00+02:00", "2026-07-01T10:00:00+02:00"),
    ],
)
def test_since_is_a_time_or_an_age(text: str | None, expected: str | None) -> None:
    """UTC where it does not say."""
    found = moment(text, datetime(2026, 7, 31, 10, tzinfo=UTC))
    assert expected == (found and found.isoformat())


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "no body"), (b"", "an empty body"), (b"a\tb\n", "a\tb\n"), (b"\x07", "00000000  07" + " " * 45 + "  .")],
)
def test_bodies_in_words(value: bytes | None, shown: str) -> None:
    """Text only where all of it is."""
    assert shown == body(value)


def test_words_hold_no_control_characters() -> None:
    """Not even those of Unicode."""
    value: Any = "a\u202eb\u2028\r".encode()
    assert r"a\u202eb\u2028\r" == words(value)
    assert "–" == words(None)
