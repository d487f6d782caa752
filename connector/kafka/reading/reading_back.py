"""A worker that takes many partitions at once polls when it has read back all of them, and not before.

The pollers of the first hundreds of shards would take the time that the others need: with 100 administrations, half of it.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress

OTHERS_S = 3.0
"""Seconds that a partition's pollers wait at most: one that cannot be read back stops no neighbour."""


class ReadingBack:
    """The partitions of a worker that are being read back at this moment: those that it has yet to fence do not count."""

    def __init__(self, patience: float = OTHERS_S) -> None:
        self._patience = patience
        self._under_way = 0
        self._done = asyncio.Event()

    @contextmanager
    def one(self) -> Iterator[None]:
        """Around the reading back of a partition."""
        self._under_way += 1
        self._done.clear()
        try:
            yield
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._done.set()

    async def others(self) -> None:
        """Return when none is under way, or when patience ends."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._patience):
                await self._done.wait()
