"""Late markers: what becomes visible after higher ones, within the window, is published once, across crashes and take-overs."""

import asyncio
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from connector.events.source import GapsCounted, LateFound
from connector.messages.gaps import Window
from tests.support.pos.model_pos import INTERVAL, Limit, ModelPos, Reading

WINDOW = Window(markers=40, seconds=60.0)

steps = st.one_of(
    st.tuples(st.just("change"), st.integers(0, 9), st.sampled_from([0.0, 0.0, 0.0, 1.0, 5.0, 30.0, 55.0])),
    st.tuples(st.just("poll"), st.integers(1, 3)),
    st.tuples(st.just("wait"), st.sampled_from([1.0, 7.0, 40.0])),
    st.tuples(st.just("crash"), st.integers(0, 2)),
    st.tuples(st.just("down"), st.sampled_from([3.0, 50.0, 300.0])),
)


@pytest.mark.parametrize("limit", ["records", "window", "capped"])
@given(script=st.lists(steps, max_size=40), counts_hidden=st.booleans(), page_size=st.sampled_from([2, 5, 50]))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_final_state_is_published_and_none_twice(
    limit: Limit, script: list[tuple[Any, ...]], counts_hidden: bool, page_size: int
) -> None:
    """In whatever order markers become visible within the window, with crashes, take-overs and a POS that is down meanwhile."""
    pos = ModelPos(limit, counts_hidden)
    reading = Reading(pos, WINDOW, page_size)
    asyncio.run(_play(reading, script))

    published = reading.published()
    ids = [(name, marker) for name, marker, _ in published]
    assert len(set(ids)) == len(ids)
    assert {name: max(marker for each, marker in ids if each == name) for name in pos.truth()} == pos.truth()
    event(f"late: {sum(origin == 'late' for *_, origin in published) > 0}")


async def _play(reading: Reading, script: list[tuple[Any, ...]]) -> None:
    """At most as many changes are hidden at a time as the window is wide."""
    pos = reading.pos
    for step, *given_with in script:
        if step == "change" and pos.last < WINDOW.markers:
            pos.change(f"{given_with[0]}", given_with[1])
        elif step == "poll":
            for _ in range(given_with[0]):
                if reading.busy:
                    await reading.poll()
        elif step == "wait":
            await pos.sleep(given_with[0])
        elif step == "crash":
            reading.crash_at = given_with[0]
        elif step == "down":
            pos.down_until = pos.now + given_with[0]
    await finish(reading)


async def finish(reading: Reading) -> None:
    """Until everything is visible, read, and looked for."""
    reading.crash_at = None
    pos = reading.pos
    for _ in range(3000):
        if pos.truth() == pos.shown() and not reading.busy:
            return
        await (reading.poll() if reading.busy else pos.sleep(1.0))
    raise AssertionError(f"it does not come to an end: {reading.position}")


async def test_a_marker_that_becomes_visible_late_is_published_as_late() -> None:
    """101 is readable before 100: 100 comes later, marked so, and once."""
    pos = ModelPos()
    reading = Reading(pos, WINDOW, 50)
    pos.change("hidden", delay=5.0)
    pos.change("seen")
    await reading.poll()
    assert [("seen", 2, "poll")] == reading.published()
    assert 1 in reading.position.gaps

    await finish(reading)

    assert [("seen", 2, "poll"), ("hidden", 1, "late")] == reading.published()
    assert any(isinstance(told, LateFound) and told.items == 1 for told in reading.told)


async def test_gaps_of_items_that_changed_again_expire_quietly() -> None:
    """Most gaps are for ever; they are counted, and nothing is published for them."""
    pos = ModelPos()
    reading = Reading(pos, WINDOW, 50)
    pos.change("a")
    pos.change("a")
    pos.change("b")
    await reading.poll()
    await finish(reading)

    assert [("a", 2, "poll"), ("b", 3, "poll")] == reading.published()
    assert 2 == sum(told.expired for told in reading.told if isinstance(told, GapsCounted))  # 0, where markers may begin, and 1


@pytest.mark.parametrize("outage", ["the POS is down", "a worker is dead"])
async def test_an_outage_does_not_shorten_the_window(outage: str) -> None:
    """What became visible while nobody could look is found by the first look after that."""
    pos = ModelPos()
    reading = Reading(pos, WINDOW, 50)
    pos.change("hidden", delay=50.0)
    pos.change("seen")
    await reading.poll()
    if outage == "the POS is down":
        pos.down_until = pos.now + 3600
    else:
        reading.poller = None
    await pos.sleep(3600)
    await finish(reading)

    assert ("hidden", 1, "late") in reading.published()


async def test_idle_costs_at_most_a_small_page_for_each_look_at_the_head() -> None:
    """And none any more when the gaps have expired."""
    pos = ModelPos()
    reading = Reading(pos, Window(markers=1000, seconds=60.0), 1000)
    for number in range(300):
        pos.change(f"{number % 7}")
    await reading.poll()
    pages, since = pos.pages, pos.now
    await finish(reading)
    looks = (pos.now - since) / INTERVAL

    assert 0 < pos.pages - pages <= looks + 1
    assert not reading.poller or not reading.poller._position.gaps
