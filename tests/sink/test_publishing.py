"""Results and dead letters of messages that hold anything, in any amount."""

from collections import Counter
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as some

from connector.kafka.records import Headers, header, header_text
from connector.messages.topics import Topics
from connector.sink.records import Message, dead_letter, result_record

TOPICS = Topics("a")
LETTER_BYTES = 200_000
FORMER = [
    ("__connect.errors.stage", b"outcome"),
    ("__connect.errors.left.out", b"the value"),
    ("mplus_redrive", b"0:1"),
    ("mplus_letter_written", b"1785000000000"),
    ("mplus_intent", b"{}"),
]
OWN = [("traceparent", b"00-%s-%s-01" % (b"a" * 32, b"b" * 16)), ("x", None), ("x", b"\xff"), ("y\\xff", b""), ("x", b"2")]
RESULT: dict[str, Any] = {"commandId": "c-1", "outcome": "rejected", "message": "", "syncMarker": None}


def message(headers: Headers = (), key: bytes | None = b"web-1", value: bytes | None = b"{}") -> Message:
    """A record of the command topic."""
    return Message(3, 7, key, value, tuple(headers))


@pytest.mark.parametrize(
    ("headers", "coordinates"),
    [
        ([("mplus_redrive", b"0:17")], "0:17"),
        ([("mplus_redrive", b"9999999999:9999999999999999999")], "9999999999:9999999999999999999"),
        ([("mplus_redrive", b"0:1"), ("mplus_redrive", b"0:2")], "0:2"),
        ([("mplus_redrive", b"0:1"), ("mplus_redrive", None)], ""),
        *[
            ([("mplus_redrive", odd)], "")
            for odd in (None, b"", b"\xff\xfe", b"0", b"0:", b":1", b"-1:1", b"0:1\n", "\u0661:1".encode(), b"0:1" * 1_000_000)
        ],
        ([("mplus_redrive", b"1" * 11 + b":1")], ""),
        ([("Mplus_redrive", b"0:1")], ""),
        ([], ""),
    ],
)
def test_only_coordinates_are_a_redrive(headers: Headers, coordinates: str) -> None:
    """Anything else in that header is none; of several the last counts, as in Kafka's own clients."""
    assert coordinates == message(headers).coordinates


def test_a_header_is_asked_for_by_name() -> None:
    """The last of that name; null, absent and no UTF-8 are told apart only where bytes are asked for."""
    assert b"2" == header(OWN, "x")
    assert header([("x", b"1"), ("x", None)], "x") is None
    assert ("", "\N{REPLACEMENT CHARACTER}", "") == (
        header_text([], "x"),
        header_text([("x", b"\xff")], "x"),
        header_text([("x", None)], "x"),
    )


def test_a_dead_letter_keeps_what_the_producer_wrote() -> None:
    """Key, value and all headers, in their order, null and repeated ones too; only what a former letter said is replaced."""
    letter = dead_letter(TOPICS, message([*OWN[:2], *FORMER, *OWN[2:]]), "parse", "INVALID-COMMAND", "no JSON", most=LETTER_BYTES)
    own, told = letter.headers[: len(OWN)], letter.headers[len(OWN) :]

    assert (b"web-1", b"{}", tuple(OWN)) == (letter.key, letter.value, tuple(own))
    assert [
        ("__connect.errors.topic", b"a.order-commands"),
        ("__connect.errors.partition", b"3"),
        ("__connect.errors.offset", b"7"),
        ("__connect.errors.stage", b"parse"),
        ("__connect.errors.exception.class.name", b"INVALID-COMMAND"),
        ("__connect.errors.exception.message", b"no JSON"),
    ] == list(told)


def test_a_dead_letter_says_what_was_sent() -> None:
    """Where its outcome is not known, for the worker that has forgotten it."""
    letter = dead_letter(TOPICS, message(FORMER), "outcome", "OUTCOME-UNKNOWN", "", intent=b'{"attempt":1}', most=LETTER_BYTES)

    assert [b'{"attempt":1}'] == [value for name, value in letter.headers if name == "mplus_intent"]


def test_of_headers_that_are_too_large_the_largest_are_left_out() -> None:
    """The letter fits its topic, and says which are missing."""
    headers = [("small", b"1"), ("large", b"x" * 150_000), ("middle", b"y" * 60_000), ("small", b"2")]
    letter = dead_letter(TOPICS, message(headers, value=b"v" * 100_000), "validate", "INVALID-COMMAND", "", most=LETTER_BYTES)

    assert letter.size <= LETTER_BYTES
    assert b"v" * 100_000 == letter.value
    assert [b"1", b"y" * 60_000, b"2"] == [value for _, value in letter.headers[:3]]
    assert "1 headers: large" == header_text(letter.headers, "__connect.errors.left.out")


@pytest.mark.parametrize(
    ("value", "key", "intent", "left_out"),
    [
        (b"v" * 300_000, b"k", b"{}", "1 headers: own; the value"),
        (b"v" * 300_000, b"k", b"i" * 300_000, "1 headers: own; the value; the intent"),
        (b"v" * 300_000, b"k" * 300_000, b"i", "1 headers: own; the value; the intent; the key"),
    ],
    ids=["value", "intent", "key"],
)
def test_what_was_compressed_and_fits_no_more(value: bytes, key: bytes, intent: bytes, left_out: str) -> None:
    """A producer's batch may hold more than the topic takes uncompressed: then there is a letter all the same."""
    letter = dead_letter(
        TOPICS, message([("own", b"1")], key, value), "parse", "INVALID-COMMAND", "", intent=intent, most=LETTER_BYTES
    )

    assert letter.size <= LETTER_BYTES
    assert left_out == header_text(letter.headers, "__connect.errors.left.out")


ANY = some.none() | some.binary(max_size=50) | some.integers(0, 300_000).map(bytes)


@given(ANY, ANY, some.lists(some.tuples(some.text(some.characters(codec="utf-8"), max_size=9), ANY), max_size=5), some.text())
def test_every_letter_fits(key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes | None]], why: str) -> None:
    """Whatever it is made of; and nothing of it is left out without need."""
    letter = dead_letter(TOPICS, message(headers, key, value), "parse", why, why, most=LETTER_BYTES)
    left_out = header(letter.headers, "__connect.errors.left.out")

    assert letter.size <= LETTER_BYTES
    if left_out is None:
        assert (key, value) == (letter.key, letter.value)
        assert not Counter(headers) - Counter(letter.headers)
    else:
        assert len(key or b"") + len(value or b"") + sum(len(each or b"") for _, each in headers) > 150_000


def test_a_million_headers_are_no_work() -> None:
    """They are looked at once each."""
    letter = dead_letter(TOPICS, message([("h", b"")] * 1_000_000), "parse", "INVALID-COMMAND", "", most=LETTER_BYTES)

    assert 150_000 < letter.size <= LETTER_BYTES


@pytest.mark.parametrize("key", [b"x" * 1020, b"\xff", b"", None])
def test_a_result_is_under_its_commands_key(key: bytes | None) -> None:
    """Whatever it is, up to the longest name of an order."""
    assert key == result_record(TOPICS, message(key=key), RESULT).key


def test_a_key_that_no_order_can_have_is_not_repeated() -> None:
    """Its result has none: a part of it might be another order's."""
    assert result_record(TOPICS, message(key=b"k" * 4_300_000), RESULT).key is None


def test_a_result_is_small() -> None:
    """Whatever an error says, and whatever characters it says it with."""
    told = result_record(TOPICS, message(), {**RESULT, "message": "\ud834" + "é" * 5_000_000})
    state = result_record(TOPICS, message([*OWN[:1], ("tracestate", b"x" * 1_000_000)]), RESULT)

    assert told.size < 10_000
    assert "\\ud834é" == orjson.loads(told.value or b"")["message"][:7]
    assert state.size < 2000


def test_an_errors_text_does_not_fill_a_letter() -> None:
    """A thousand characters of it, whatever they are."""
    letter = dead_letter(TOPICS, message(), "unexpected", "E" * 5_000_000, "\ud834" * 5_000_000, most=LETTER_BYTES)

    assert letter.size < 12_000
