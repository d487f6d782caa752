"""A shop that was read, and is looked at once more."""

import asyncio

from connector.events.source import StateChanged
from connector.messages.gaps import Window
from tests.support.pos.model_pos import ModelPos, Reading

WINDOW = Window(markers=0)


async def a_read_shop(items: int = 20) -> tuple[ModelPos, Reading]:
    """Everything is read."""
    pos = ModelPos()
    reading = Reading(pos, WINDOW, 50)
    for number in range(items):
        pos.change(f"{number}")
    await reading.poll()
    assert items == reading.position.marker
    return pos, reading


def states(reading: Reading) -> list[str]:
    """As they were told."""
    return [told.state for told in reading.told if isinstance(told, StateChanged)]


async def one_round(reading: Reading) -> None:
    """A poll, broken off where there is nothing more to do."""
    task = asyncio.ensure_future(reading.poll())
    for _ in range(300):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
