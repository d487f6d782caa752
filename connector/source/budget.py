"""A bound on the bytes read ahead in a worker, so that memory does not grow with the number of shards or pages."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Room:
    """Bytes set aside for one page, until they are given back."""

    def __init__(self, budget: "Budget", size: int) -> None:
        self._budget = budget
        self._size = size
        self._kept = False

    def resize(self, size: int) -> None:
        """The page turned out larger or smaller than was expected. Never waits: it is here already."""
        self._budget.change(size - self._size)
        self._size = size

    def keep_until(self, done: asyncio.Future[None]) -> None:
        """The page is on its way to Kafka: its bytes are free when that is done."""
        self._kept = True
        done.add_done_callback(lambda _: self.resize(0))

    def leave(self) -> None:
        """The block ends."""
        if not self._kept:
            self.resize(0)


class Budget:
    """`limit` bytes for all pages together; a page larger than that goes alone. First come, first served."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._used = 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @property
    def used(self) -> int:
        """Bytes set aside now."""
        return self._used

    @asynccontextmanager
    async def room(self, expected: int) -> AsyncIterator[Room]:
        """Wait for room for a page of about so many bytes."""
        await self._turn(expected)
        room = Room(self, expected)
        try:
            yield room
        finally:
            room.leave()

    async def _turn(self, expected: int) -> None:
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append((expected, turn))
        self.change(0)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.change(-expected)  # admitted and cancelled at the same time
            raise

    def change(self, by: int) -> None:
        """Take or give back bytes, and let in who fits now."""
        self._used += by
        while self._waiting and (not self._used or self._used + self._waiting[0][0] <= self._limit):
            expected, turn = self._waiting.popleft()
            if not turn.done():
                self._used += expected
                turn.set_result(None)
