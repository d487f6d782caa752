"""What cannot be had as it was asked is asked smaller, down to one item, which then becomes a dead letter; and grows back."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.events.source import PageLimited
from connector.messages.gaps import Window
from connector.mplus.responses.pages import Item, Undecodable
from connector.source.bundles import portions
from connector.source.reading.page_size import STEADY, PageSize
from connector.source.reading.portion import TRIES, Portion
from tests.support.pos.model_pos import Limit, ModelPos, Reading
from tests.support.source.dead_items import letters, named

LIMITS: tuple[Limit, ...] = ("records", "window")
WINDOW = Window(markers=0)


def a_shop(limit: Limit, items: int = 40) -> tuple[ModelPos, Reading]:
    """Nothing is read yet."""
    pos = ModelPos(limit)
    for number in range(items):
        pos.change(f"{number}")
    return pos, Reading(pos, WINDOW, 32)


async def read_all(reading: Reading, rounds: int = 400) -> None:
    """Until there is nothing more to do."""
    for _ in range(rounds):
        if not reading.busy:
            return
        await reading.poll()


@pytest.mark.parametrize("limit", LIMITS)
async def test_a_gateway_that_passes_small_pages_only_holds_nothing_up(limit: Limit) -> None:
    """A page of 32 takes too long, one of 5 does not: all items come, none is given up, and the limit is told."""
    pos, reading = a_shop(limit)
    pos.refuses = lambda names: len(names) > 5
    await read_all(reading)

    assert pos.truth() == {name: marker for name, marker, _ in reading.published()}
    assert [] == letters(reading)
    assert 4 == min(told.limit for told in reading.told if isinstance(told, PageLimited))


@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize("bad", [{"0"}, {"17"}, {"39"}, {"3", "4", "30"}])
async def test_an_item_that_cannot_be_shown_becomes_a_dead_letter(limit: Limit, bad: set[str]) -> None:
    """First, in the middle, newest, several: the others come, and the letter names where."""
    pos, reading = a_shop(limit)
    pos.refuses = lambda names: bool(bad & set(names))
    await read_all(reading)

    assert pos.truth().keys() - bad == {name for name, *_ in reading.published()}
    assert {pos.truth()[name] for name in bad} <= named(reading)
    assert all("cannot be read, others can: HTTP 504" in letter.reason for letter in letters(reading))
    assert len(reading.published()) == len({row[:2] for row in reading.published()})


async def test_a_pos_that_shows_nothing_at_all_makes_no_dead_letters() -> None:
    """Its heads are told, and no page with an item can be had, for an hour: what fails alone is a bad item, this is an outage."""
    pos, reading = a_shop("records")
    pos.refuses = bool
    for _ in range(60):
        await reading.poll()
    assert [] == letters(reading)

    pos.refuses = lambda names: False
    await read_all(reading)
    assert pos.truth() == {name: marker for name, marker, _ in reading.published()}
    assert [] == letters(reading)


async def test_a_pos_that_shows_one_item_at_a_time_is_read() -> None:
    """Two of them take longer than a gateway allows."""
    pos, reading = a_shop("records", 12)
    pos.refuses = lambda names: len(names) > 1
    await read_all(reading)

    assert pos.truth() == {name: marker for name, marker, _ in reading.published()}
    assert [] == letters(reading)


async def test_a_page_goes_to_kafka_in_transactions_that_are_sent_in_time() -> None:
    """The line takes half a page within the deadline: each part has its own position, and nothing is lost or sent twice."""
    pos, reading = a_shop("records")
    pos.sizes = {f"{number}": 10_000 for number in range(40)}
    reading.takes = 170_000
    await read_all(reading)

    assert pos.truth() == {name: marker for name, marker, _ in reading.published()}
    assert len(reading.published()) == len(pos.truth())
    assert len(reading.bundles) > 2
    assert [] == letters(reading)


async def test_an_item_that_alone_is_not_sent_in_time_becomes_a_dead_letter() -> None:
    """While others are sent: they all come."""
    pos, reading = a_shop("records")
    pos.sizes = {"17": 3 << 20}
    reading.takes = 2 << 20
    await read_all(reading)

    assert pos.truth().keys() - {"17"} == {name for name, *_ in reading.published()}
    ((stage, marker, why),) = [(letter.stage, letter.marker, letter.reason) for letter in letters(reading)]
    assert ("too-large", pos.truth()["17"]) == (stage, marker)
    assert "more than Kafka takes in time" in why


def test_a_limit_grows_back_and_does_not_fail_again_at_once() -> None:
    """Doubled with each page, up to what failed; that is tried again after a while."""
    size = PageSize(1000)
    assert size.failed()
    assert size.failed()
    seen = []
    for _ in range(2 * STEADY + 4):
        size.had()
        size.moved()
        seen.append(size.limit)

    assert [250] * (STEADY - 1) == seen[: STEADY - 1]
    assert 1000 == seen[-1]


items = st.builds(
    lambda marker, size: Item(marker, f"{marker}", deleted=False, value=b"x" * size), st.integers(0, 9), st.integers(0, 3000)
)
nameless = st.builds(lambda size: Undecodable(None, None, "", b"x" * size), st.integers(0, 3000))


def marker_of(item: Item | Undecodable) -> int:
    """Those without one come first."""
    return -1 if item.marker is None else item.marker


@given(page=st.lists(st.one_of(items, nameless), max_size=20), most=st.integers(1, 8000))
@settings(deadline=None)
def test_portions_keep_markers_together_and_lose_nothing(page: list[Item | Undecodable], most: int) -> None:
    """Each transaction has a position of its own, so that no marker may lie in two."""
    parts = list(portions(page, most))

    assert sorted(map(repr, page)) == sorted(repr(item) for part in parts for item in part)
    ends = [(marker_of(part[0]), marker_of(part[-1])) for part in parts if part]
    assert all(last < first for (_, last), (first, _) in pairwise(ends))


def test_a_portion_shrinks_while_transactions_take_too_long_and_grows_back() -> None:
    """By halves, down to one item; and by quarters, up to what it was."""
    portion = Portion()
    before = portion.bytes
    portion.slow(5 << 20, None)
    assert 5 << 19 == portion.bytes
    for _ in range(60):
        portion.sent()
    assert before == portion.bytes


def test_a_large_item_that_alone_is_not_sent_in_time_is_given_up() -> None:
    """Again and again, while others are sent: a broker that stands still proves nothing, nor does a small item."""
    portion, still, small = Portion(), Portion(), Portion()
    for _ in range(TRIES):
        portion.slow(2 << 20, 7)
        portion.others_sent()
        still.slow(2 << 20, 7)
        small.slow(1000, 7)
        small.others_sent()
    assert portion.gives_up(7)
    assert not portion.gives_up(8)
    assert not still.gives_up(7)
    assert not small.gives_up(7)
    portion.sent()
    assert not portion.gives_up(7)
