"""The verbs of dead letters as processes, against a real broker; the test writes the letters."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from connector.cli.dead_letters import moment, parsed
from connector.cli.letter_text import body, words
from connector.errors import Misconfigured
from tests.brokers import create_topic
from tests.cli.program import Ended, at, ended
from tests.client.desk import commands_of, letter, letters_of, make_topics, publish, sent

ODD = b"\xff\x00\x1b[31m"


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
    """The original bytes and key, into the original partition, with the letter's coordinate; twice is said and harmless."""
    await make_topics(bootstrap, prefix)
    await publish(bootstrap, commands_of(prefix), [ODD], b"elsewhere by murmur2", partition=2)
    await letter(bootstrap, prefix, (2, 0), value=ODD, key=b"elsewhere by murmur2", into=1)
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
    assert [(2, b"elsewhere by murmur2", ODD, (("mplus_redrive", b"1:0"),))] * 2 == [
        (record.partition, record.key, record.value, tuple(record.headers)) for record in records[1:]
    ]


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
