"""What lanes hold in hand is bounded in bytes, shared evenly, and read in slices."""

from collections.abc import AsyncIterator

import pytest

from connector.events.commands import CommandWaits
from connector.sandbox import Sandbox, SandboxOptions
from connector.sink.context import Deadlines
from connector.sink.intake.window import OVERHEAD_BYTES, Share, Window
from tests.sink.lanes import Lanes, laning
from tests.support.sink.commanding import large
from tests.support.source.polling import eventually


@pytest.fixture
async def lanes(bootstrap: str, prefix: str) -> AsyncIterator[Lanes]:
    """An administration, and its shop."""
    async with Sandbox(SandboxOptions(items=3)) as pos, laning(bootstrap, prefix, pos) as found:
        yield found


def test_a_lane_alone_has_all_of_it() -> None:
    """And one that is full has no more, until something of it ends."""
    share = Share(Window(10_000))
    assert 10_000 == share.room
    share.take(1, 4_000)
    share.take(2, 4_000)
    assert 0 > share.room == 10_000 - 2 * (4_000 + OVERHEAD_BYTES)
    share.give(1)
    share.give(1)  # a command ends once, whoever says so twice
    assert 10_000 - 4_000 - OVERHEAD_BYTES == share.room


def test_a_command_larger_than_the_bound_passes_alone() -> None:
    """Whatever the others hold."""
    window = Window(10_000)
    other, share = Share(window), Share(window)
    other.take(1, 9_000)
    assert share.room > 0
    share.take(7, 1 << 20)
    assert share.room < 0
    share.give(7)
    assert share.room > 0


def test_what_is_idle_takes_nothing_from_the_others() -> None:
    """Of a hundred lanes two hold something: each may have half."""
    window = Window(100_000)
    shares = [Share(window) for _ in range(100)]
    for share in shares[:2]:
        share.take(1, 0)
    assert [50_000 - OVERHEAD_BYTES] * 2 == [share.room for share in shares[:2]]
    shares[0].give_all()
    assert 100_000 - OVERHEAD_BYTES == shares[1].room


async def test_a_lane_reads_no_more_than_its_share(lanes: Lanes) -> None:
    """The POS is away: what waits in Kafka stays there, but for about as many bytes as are allowed; then all is carried out."""
    window = Window(1 << 20)
    await lanes.send(*[large(f"c-{number}", f"web-{number}", 100_000) for number in range(60)])
    lanes.pos.faults.switch("unavailable", probability=1.0, seconds=0)
    async with lanes.worker() as (_, calls), lanes.owning(calls, window=window, in_flight=60, deadlines=Deadlines(600, 900, 0.1)):
        await eventually(lambda: len(waits(lanes)) >= 200)
        assert 9 <= len(set(waits(lanes))) <= 12
        lanes.pos.faults.clear()
        assert 60 == len(await lanes.results(60))


def waits(lanes: Lanes) -> list[str]:
    """The commandIds of which it was told that they wait, each time."""
    return [event.command_id for event in lanes.told if isinstance(event, CommandWaits)]
