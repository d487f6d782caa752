"""What an adversary of issue 10 found, each fault the smallest way it shows."""

import pytest

from connector.errors import Unanswered
from connector.source.gaps import Window
from connector.source.schedule import State
from tests.source.model_pos import Limit, ModelPos, Reading
from tests.source.test_belief import a_read_shop, one_round, states
from tests.source.test_smaller import named as dead


class SilentPos:
    """Tells one low head, and then does not answer for a while: each call takes half a minute."""

    def __init__(self, pos: ModelPos, calls: int) -> None:
        self._pos, self._true, self._low, self._calls = pos, pos.head, True, calls

    def head(self) -> int:
        """Low once."""
        if self._low:
            self._low = False
            return 5
        return self._true()

    def answers(self) -> None:
        """Not, after the low head."""
        if not self._low and self._calls:
            self._calls -= 1
            self._pos.now += 30
            raise Unanswered("no answer in 30 s")


async def test_one_low_head_of_a_pos_that_falls_silent_is_one_look() -> None:
    """However often it is weighed while the POS does not answer."""
    pos, reading = await a_read_shop()
    silent = SilentPos(pos, calls=6)
    pos.head, pos.answers = silent.head, silent.answers  # type: ignore[method-assign]
    pos.change("new")
    for _ in range(8):
        await one_round(reading)

    assert State.HEAD_REGRESSED not in states(reading)
    assert ("new", 21, "poll") in reading.published()


async def test_many_gaps_behind_a_gateway_that_passes_small_pages_only_are_looked_at() -> None:
    """A whole page per look is asked smaller where it cannot be had: what became visible late is found, and gaps expire."""
    pos = ModelPos()
    reading = Reading(pos, Window(markers=5000, seconds=60.0), 1000)
    pos.refuses = lambda names: len(names) > 60
    pos.change("hidden", delay=20.0)
    for number in range(450):
        pos.change(f"often-{number % 3}" if number % 2 else f"{number}")
    await polled(reading, 300)

    assert ("hidden", 1, "late") in reading.published()
    assert not reading.busy


async def polled(reading: Reading, most: int) -> None:
    """Until there is nothing more to do."""
    for _ in range(most):
        if reading.busy:
            await reading.poll()


@pytest.mark.parametrize("limit", ["records", "window"])
async def test_a_place_that_can_never_be_looked_at_is_given_up(limit: Limit) -> None:
    """Or each look at the head would ask for it for ever; it is named in a dead letter, and nothing else is given up for it."""
    pos = ModelPos(limit)
    reading = Reading(pos, Window(markers=500, seconds=60.0), 50)
    pos.refuses = lambda names: "bad" in names
    pos.change("first")
    for _ in range(5):
        pos.change("often")
    pos.change("bad")
    for _ in range(30):
        pos.change("last")
    pos.change("hidden", delay=30.0)
    pos.change("newest")
    await polled(reading, 400)

    assert not reading.busy
    assert ("hidden", 38, "late") in reading.published()
    assert 7 in dead(reading)
    assert {"first", "often", "last", "hidden", "newest"} == {name for name, *_ in reading.published()}
