"""A ledger and its partition in Kafka: reading it back in slices, and looking old records up."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from connector.kafka.cluster import Cluster
from connector.kafka.errors import transacting
from connector.kafka.reading.lookups import Page, page
from connector.kafka.reading.slices import slicing
from connector.kafka.records import Place
from connector.sink.ledger.archive import Found, Row
from connector.sink.ledger.ledger import Ledger

TAIL = 8192
"""Offsets before the end that are read whole: a successor takes up the last commands of a partition, and asks for them."""


class KafkaShelf:
    """A ledger's partition; see sink.ledger.archive.Shelf. Commands that ended together share a look."""

    def __init__(self, cluster: Cluster, place: Place) -> None:
        self.first = 0
        self._cluster = cluster
        self._place = place
        self._page = Page()
        self._looking = asyncio.Lock()

    async def at(self, offset: int) -> Found | None:
        """See Shelf."""
        async with self._looking:
            if not self._page.start <= offset < self._page.stop:
                self._page = await page(self._cluster, self._place, offset)
                self.first = max(self.first, self._page.first)
        row = self._page.rows.get(offset)
        return None if row is None else Found(*row)

    async def since(self, offset: int) -> AsyncGenerator[Sequence[Row]]:
        """See Shelf."""
        with transacting(self._place.partition):
            async with slicing(self._cluster, self._place) as reader, aclosing(reader.steps(offset, undecided=False)) as steps:
                self.first = max(self.first, await reader.first() or 0)
                async for rows in steps:
                    yield rows


async def read_back(
    cluster: Cluster, place: Place, now: float, turns: asyncio.Semaphore | None = None, tail: int | None = None
) -> Ledger:
    """The ledger of a partition, up to the high watermark as of now; the last `tail` offsets (TAIL) are kept whole.

    To be called after the own fenced producer has started; see kafka.reading.read_back. `turns` are shared by all that read
    back at the same time. Raises TransactionLost.
    """
    ledger, whole = Ledger(place, {}, now, KafkaShelf(cluster, place)), TAIL if tail is None else tail
    with transacting(place.partition):
        async with slicing(cluster, place) as reader, aclosing(reader.steps(turns=turns)) as steps:
            async for rows in steps:
                ledger.replay(rows, reader.end - whole)
    return ledger
