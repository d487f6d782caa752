"""Counting in windows: once per record, whatever is read again."""

from collections.abc import Mapping
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.messages.window import KEPT, Window
from connector.views.records import Measurement
from connector.views.windows import FORMER_MAX, WindowSource, counted, moved, windows

NOW = 1_795_255_200.0
MS = int(NOW * 1000)


def nothing(_: bytes) -> bytes | None:
    """An empty table."""
    return None


def row(table: Mapping[bytes, bytes | None]) -> Any:
    """The entry of the minute that it is."""
    return orjson.loads(table[Window(60, int(NOW), "m", 0).key] or b"")


def test_a_moment_falls_into_one_window_of_each_size() -> None:
    """They begin on the minute and on the hour."""
    assert [Window(60, 1_795_255_260, "m", 1), Window(3600, 1_795_255_200, "m", 1)] == list(windows(MS + 61_999, "m", 1))


def test_a_window_is_found_by_its_key() -> None:
    """As the topic has it."""
    window = Window(60, 1_795_255_260, "changes.order", 3)

    assert (b"60|1795255260|changes.order|3", window) == (window.key, Window.of(window.key))


@given(st.lists(st.integers(1, 7), min_size=1, max_size=8), st.integers(0, 7))
def test_what_is_read_again_is_not_counted_again(sizes: list[int], again: int) -> None:
    """In whatever batches, from whatever committed offset on."""
    rows = [Measurement(offset, MS, "m", 1, 10) for offset in range(sum(sizes))]
    table: dict[bytes, bytes | None] = {}
    begin = 0
    for size in sizes:
        table |= counted(rows[max(0, begin - again) : begin + size], WindowSource(0), table.get, NOW)
        begin += size

    assert {"count": len(rows), "amount": 10 * len(rows), "upto": len(rows) - 1} == row(table)


def test_what_one_record_says_twice_about_a_window_counts_as_one() -> None:
    """An order that moved within a minute: its offset is counted up to only once."""
    both = moved([MS, 100], [MS + 1000, 250], "m", 5)
    found = counted(both, WindowSource(0), nothing, NOW)

    assert {"count": 0, "amount": 150, "upto": 5} == row(found)


def test_windows_that_are_no_longer_kept_are_not_begun() -> None:
    """A rebuild reads years of changes."""
    old = Measurement(1, MS - KEPT[60] * 1000 - 60_000, "m")

    assert [3600] == [Window.of(key).size for key in counted([old], WindowSource(0), nothing, NOW)]


def test_revenue_moves_by_the_difference() -> None:
    """And is taken back where a document no longer counts."""
    assert () == moved([1, 100], [1, 100], "m", 5)
    assert (Measurement(5, 1, "m", 0, 50),) == moved([1, 100], [1, 150], "m", 5)
    assert (Measurement(5, 1, "m", -1, -100),) == moved([1, 100], None, "m", 5)
    assert (Measurement(5, 1, "m", -1, -100), Measurement(5, 2, "m", 1, 100)) == moved([1, 100], [2, 100], "m", 5)


@pytest.mark.parametrize("ago", [600, 5 * 24 * 3600], ids=["followed", "after a closed weekend"])
def test_windows_that_are_no_longer_kept_end_when_a_new_one_begins(ago: int) -> None:
    """The topic would grow for ever."""
    begun = int(NOW) - KEPT[60] - ago
    old = Window(60, begun - begun % 60, "m", 0)
    table = {old.key: b"{}"}

    assert {old.key} == {
        key for key, value in counted([Measurement(1, MS, "m")], WindowSource(0), table.get, NOW).items() if value is None
    }


@pytest.mark.parametrize("days", [-400, -3, 1, 3, 91, 36500])
def test_a_document_of_another_day_deletes_nothing(days: int) -> None:
    """A till that is set to the wrong year: the figures of the last 90 days, and the present hour, stay."""
    kept = [
        Window(size, int(NOW) - int(NOW) % size - ago, "m", 0)
        for size, ago in ((60, 0), (60, 3600), (3600, 0), (3600, 24 * 3600))
    ]
    table = {window.key: b"{}" for window in kept}
    found = counted([Measurement(1, MS + days * 24 * 3_600_000, "m")], WindowSource(0), table.get, NOW)

    assert [] == [key for key, value in found.items() if value is None]


def test_a_topic_that_is_made_anew_is_counted_from_its_beginning() -> None:
    """And what a worker that died reads again counts once, of either."""
    table: dict[bytes, bytes] = {}
    first, anew = WindowSource(0, "first"), WindowSource(0, "anew")
    steps = [(first, 7), (first, 8), (anew, 0), (first, 7), (first, 8), (anew, 0), (anew, 1), (first, 9), (anew, 1)]
    for source, offset in steps:
        table |= {key: value for key, value in counted([Measurement(offset, MS, "m")], source, table.get, NOW).items() if value}

    assert {5} == {orjson.loads(value)["count"] for value in table.values()}


def test_an_entry_of_the_version_before_is_of_whatever_topic_is_there() -> None:
    """It did not say of which."""
    key = Window(60, MS // 60_000 * 60, "m", 0).key
    table = {key: orjson.dumps({"count": 3, "amount": None, "upto": 7})}
    for offset in (7, 8):
        table |= {
            key: value
            for key, value in counted([Measurement(offset, MS, "m")], WindowSource(0, "id"), table.get, NOW).items()
            if value
        }

    assert 4 == orjson.loads(table[key])["count"]


def test_an_entry_knows_so_many_topics_and_no_more() -> None:
    """However often somebody makes one."""
    table: dict[bytes, bytes] = {}
    for number in range(50):
        found = counted([Measurement(0, MS, "m")], WindowSource(0, f"{number}"), table.get, NOW)
        table |= {key: value for key, value in found.items() if value}

    assert all(50 == row["count"] and FORMER_MAX == len(row["former"]) for row in map(orjson.loads, table.values()))


def test_a_topic_whose_id_nobody_knows_is_the_one_that_was_counted_last() -> None:
    """What it tells is neither counted twice nor taken for all topics that follow."""
    table: dict[bytes, bytes] = {}
    steps = [("a", 990), ("", 990), ("", 1000), ("b", 0), ("a", 1000)]
    for topic, offset in steps:
        found = counted([Measurement(offset, MS, "m")], WindowSource(0, topic), table.get, NOW)
        table |= {key: value for key, value in found.items() if value}

    assert {3} == {orjson.loads(value)["count"] for value in table.values()}
