"""A marker that is given out and not shown, at the end: its transaction is under way, or came to nothing."""

import pytest

from connector.messages.position import State
from connector.sandbox import Sandbox
from tests.support.source.polling import eventually, only, reading, truth


@pytest.mark.parametrize("entity", ["stock", "relation", "article", "relationPoints"])
@pytest.mark.parametrize("inclusive", [True, False])
async def test_a_head_above_all_that_is_shown_stops_nobody(entity: str, *, inclusive: bool) -> None:
    """A row that is not shown yet, once the head counts it: the entity is not stuck, and the row is there when it is shown."""
    async with Sandbox(only(entity, 20, stock_inclusive=inclusive)) as pos, reading(pos, entity) as found:
        await found.caught_up()
        pos.shop.late.share = 1
        pos.shop.create(entity)
        head = pos.shop.heads()[entity]
        await found.caught_up()
        pos.shop.late.share = 0
        pos.shop.create(entity)
        await found.caught_up()
        pos.shop.reveal()
        assert State.STUCK not in found.states
        assert head < found.position.marker
        await eventually(lambda: set(found.seen()) == set(truth(pos, entity)))
