"""What an adversary of issue 10 found, each fault the smallest way it shows."""

import asyncio

from connector.errors import Unanswered
from connector.source.schedule import State
from tests.source.model_pos import ModelPos
from tests.source.test_belief import a_read_shop, one_round, states


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
