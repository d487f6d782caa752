"""A page may take long; that nothing came is told meanwhile, whatever the page is asked for."""

import asyncio
from typing import Protocol

from connector.cancellation import end
from connector.kafka.connection import retrieved
from connector.messages.position import State
from connector.mplus.arrivals import Arrived
from connector.mplus.client import Page
from connector.source.state import ShardState

SILENT_S = 60.0
"""After which a page that does not come is told."""


class Pages(Protocol):
    """Shows pages of one entity; see source.reading.reader.Reader."""

    async def page(self, marker: int, limit: int, arrived: Arrived | None = None) -> Page:
        """Items from `marker` on. Raises Retry, Reject."""


class ToldReader:
    """Pages of a reader; after SILENT_S without one the shard stands as unreachable."""

    def __init__(self, reader: Pages, shard_state: ShardState) -> None:
        self._reader = reader
        self._shard_state = shard_state

    async def page(self, marker: int, limit: int, arrived: Arrived | None = None) -> Page:
        """See Pages."""
        task = retrieved(asyncio.ensure_future(self._reader.page(marker, limit, arrived)))
        try:
            await asyncio.wait([task], timeout=SILENT_S)
            if not task.done():
                self._shard_state.change(State.UNREACHABLE, f"the POS has not shown a page for {SILENT_S:.0f} s")
            return await task
        finally:
            await end([task])  # it holds bytes of a reservation that ends with us
