"""Position: how a page moves it, under both readings of the limit. Pure."""

import random
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.source.reading.paging import LIMIT_MAX, Advance, PageRequest, Stuck, Widen, judge_page


def ask(position: int, limit: int, head: int) -> PageRequest:
    """The page after a position."""
    return PageRequest(position + 1, limit, head)


def test_a_short_page_proves_nothing_beyond_its_highest_item() -> None:
    """A POS may give fewer than it was asked for, and may have cut the page within that item's marker, unless it is the head."""
    assert Advance(6) == judge_page(0, ask(0, 10, 100), [3, 1, 7])
    assert Advance(7) == judge_page(0, ask(0, 10, 7), [3, 1, 7])
    assert Advance(3) == judge_page(0, ask(0, 10, 100), [3])
    assert Advance(3) == judge_page(2, ask(2, 10, 100), [3, 3, 2])


def test_a_short_page_reaches_its_highest_item_beyond_window_and_head() -> None:
    """Where the limit counts records, a short page is complete wherever its items lie."""
    assert Advance(250) == judge_page(0, ask(0, 10, 200), [1, 250])


def test_an_empty_page_is_not_the_end() -> None:
    """An empty window moves on by its width; only the head ends the catching up."""
    assert Advance(10) == judge_page(0, ask(0, 10, 100), [])


def test_a_full_page_holds_back_its_highest_marker() -> None:
    """A page may have been cut within its highest marker: more items may share it."""
    assert Advance(6) == judge_page(0, ask(0, 3, 100), [2, 7, 5])


def test_a_full_page_of_one_marker_is_asked_again_with_a_higher_limit() -> None:
    """And at the POS's own cap nobody can read past it."""
    assert Widen(30) == judge_page(4, ask(4, 3, 100), [5, 5, 5])
    assert Widen(LIMIT_MAX) == judge_page(4, ask(4, 9000, 100), [5] * 9000)
    assert Stuck(5) == judge_page(4, ask(4, LIMIT_MAX, 100), [5] * LIMIT_MAX)


def test_an_operation_that_includes_the_marker_it_is_asked_after_does_not_stop_progress() -> None:
    """Stock with a limit of one shows the known row for ever: it is asked with a higher limit."""
    assert Widen(10) == judge_page(5, PageRequest(5, 1, 9), [5])
    assert Advance(9) == judge_page(5, PageRequest(5, 10, 9), [5, 6, 9])


def test_unreadable_markers_count_as_items() -> None:
    """An item whose marker cannot be read still fills the page."""
    assert Advance(6) == judge_page(0, ask(0, 3, 100), [None, 7, 5])
    assert Widen(30) == judge_page(0, ask(0, 3, 100), [None, None, None])


Page = Callable[[Sequence[int], int, int], list[int]]


def by_records(markers: Sequence[int], first: int, limit: int) -> list[int]:
    """The lowest `limit` records."""
    return sorted(marker for marker in markers if marker >= first)[:limit]


def by_window(markers: Sequence[int], first: int, limit: int) -> list[int]:
    """All records in a window of markers."""
    return [marker for marker in markers if first <= marker < first + limit]


@pytest.mark.parametrize("page", [by_records, by_window])
@given(
    markers=st.lists(st.integers(0, 60), max_size=40),
    hidden=st.sets(st.integers(0, 60)),
    limit=st.integers(1, 12),
    seed=st.integers(0, 9),
)
def test_every_item_is_published_exactly_once(page: Page, markers: list[int], hidden: set[int], limit: int, seed: int) -> None:
    """Whatever the markers, gaps, repetitions and the reading of the limit: nothing is lost, nothing comes twice."""
    shown = [marker for marker in markers if marker not in hidden] if page is by_window else markers
    head, position, size, published = 61, -1, limit, list[int]()
    shuffle = random.Random(seed).shuffle
    for _ in range(2000):
        if position >= head:
            break
        items = page(shown, position + 1, size)
        shuffle(items)
        verdict = judge_page(position, PageRequest(position + 1, size, head), items)
        if isinstance(verdict, Widen):
            size = verdict.limit
            continue
        assert isinstance(verdict, Advance)
        published += [marker for marker in items if position < marker <= verdict.marker]
        position, size = verdict.marker, limit

    assert position == head
    assert sorted(shown) == sorted(published)
