"""What a large ledger is kept as: offsets by hashes, and what records say without being decoded."""

import random
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.sink.ledger import facts as ledger_facts
from connector.sink.ledger import index as ledger_index
from connector.sink.ledger.facts import NOTHING, Facts, Told, told
from connector.sink.ledger.index import BUCKET_BITS, BUCKETS_A_TIME, Index
from connector.sink.ledger.ledger import Done, Intent, encode
from tests.support.sink.result_sample import RESULT

TRICKY = st.one_of(
    st.text(max_size=8),
    st.sampled_from(
        ['"', "\\", 'a"b', '"outcome":"succeeded"', '","extOrderId":"x', '"syncMarker":null', "é", "\n", '\\"', "o-1", "{}"]
    ),
)
MAYBE = st.none() | TRICKY
INTENT = Intent("c-1", "createOrder", "web-1", 7, "d", "createOrderV3", "", "web-1", "web-1/c-1", {}, 1, "i-1", "t")


@pytest.mark.parametrize("same", [False, True])
def test_an_index_finds_what_was_added(monkeypatch: pytest.MonkeyPatch, same: bool) -> None:
    """Every offset of a key, the newest first; those of other keys only where all hashes are the same."""
    if same:
        monkeypatch.setattr(ledger_index, "hash", lambda _: -7, raising=False)
    chance, index = random.Random(1), Index()
    keys = [b"%d" % chance.randrange(700) for _ in range(3000)]
    for offset, key in enumerate(keys):
        index.add(key, offset)
        if offset % 7 == 0:
            assert offset == index.find(key)[0]
    assert 3000 == len(index)
    for key in set(keys):
        expected = [offset for offset in reversed(range(3000)) if same or keys[offset] == key]
        assert expected == index.find(key)
    assert same == bool(index.find(b"never"))


def test_an_index_forgets_bit_by_bit() -> None:
    """What lies below an offset, after so many calls as there are heaps of buckets; an offset that was forgotten stays so."""
    index = Index()
    for offset in range(10_000):
        index.add(b"%d" % offset, offset)
    index.find(b"9999")
    calls = (1 << BUCKET_BITS) // BUCKETS_A_TIME
    for _ in range(calls - 1):
        index.forget(6000)
    assert 4000 < len(index) < 10_000
    for below in (6000, 6000, 5000):
        index.forget(below)
    assert 4000 == len(index)
    assert [[], [6000], [9999]] == [index.find(key) for key in (b"5999", b"6000", b"9999")]


def test_offsets_and_hashes_do_not_mix(monkeypatch: pytest.MonkeyPatch) -> None:
    """However large they are."""
    index, hashes = Index(), {b"a": -1, b"b": 2**62 + 1, b"c": (1 << BUCKET_BITS) - 1, b"d": 0}
    monkeypatch.setattr(ledger_index, "hash", hashes.__getitem__, raising=False)
    last = (1 << 40) - 1
    for key in hashes:
        index.add(key, last)
        index.add(key, 0)
    assert {key: [last, 0] for key in hashes} == {key: index.find(key) for key in hashes}


@given(
    st.sampled_from(["createOrder", "payOrder", "deliverOrder"]),
    st.sampled_from(["succeeded", "rejected", "unknown"]),
    st.fixed_dictionaries({"message": TRICKY, "orderId": MAYBE, "extOrderId": TRICKY}),
    st.fixed_dictionaries({"packingSlipId": MAYBE, "invoiceId": MAYBE, "syncMarker": st.sampled_from([None, 7])}),
    st.booleans(),
)
def test_a_record_says_what_its_json_says(
    command: str, outcome: str, texts: dict[str, Any], rest: dict[str, Any], reconciling: bool
) -> None:
    """Whatever stands in its texts, and however it is spelled."""
    result = {**RESULT, "command": command, "outcome": outcome, **texts, **rest}
    value = encode(Done("c-1", 7, "d", result, INTENT if reconciling else None))
    expected = NOTHING
    if outcome == "succeeded":
        made = command == "createOrder"
        name = texts["extOrderId"].encode() if made else b""
        expected = (name, made and rest["syncMarker"] is None, (rest["packingSlipId"] or "").encode())
    assert expected == told(value)
    assert expected == told(encode(Done("c-1", 7, "d", dict(sorted(result.items(), reverse=reconciling)), None)))
    assert expected == told(orjson.dumps(orjson.loads(value), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS))


@pytest.mark.parametrize(
    ("command", "slip", "expected"),
    [
        ("createOrder", None, (b"web-1", False, b"")),
        ("payOrder", None, NOTHING),
        ("deliverOrder", "s-1", (b"", False, b"s-1")),
    ],
)
def test_the_usual_record_is_not_decoded(monkeypatch: pytest.MonkeyPatch, command: str, slip: str | None, expected: Told) -> None:
    """The search fits what is written today: reading back would take half as long again, and say nothing."""
    monkeypatch.delattr(ledger_facts, "_decoded")
    assert expected == told(encode(Done("c", 0, "", {**RESULT, "command": command, "packingSlipId": slip})))


@pytest.mark.parametrize("value", [encode(INTENT), b"{}", b'{"offset":2,"finished":[]}'])
def test_other_records_say_nothing(value: bytes) -> None:
    """An INTENT has made nothing yet."""
    assert NOTHING == told(value)


def test_facts_are_forgotten_with_the_record_that_says_them() -> None:
    """And not with an older one, which another has replaced."""
    first = encode(Done("c-1", 1, "d", {**RESULT, "syncMarker": None}))
    second = encode(Done("c-2", 2, "d", {**RESULT, "packingSlipId": "s-1"}))
    facts = Facts()
    facts.learn(b"c-1", first)
    facts.learn(b"c-2", second)
    facts.forget(b"c-1", first)
    assert ({b"web-1": b"c-2"}, {b"s-1": b"c-2"}, {}) == (facts.creations, facts.slips, facts.queued)
    facts.forget(b"c-2", second)
    assert ({}, {}, {}) == (facts.creations, facts.slips, facts.queued)
