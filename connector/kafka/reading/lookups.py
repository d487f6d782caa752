"""A look at single records of a partition, by offset, long after they were read."""

from collections.abc import Mapping
from contextlib import aclosing
from typing import NamedTuple

from connector.kafka.cluster import Cluster
from connector.kafka.errors import transacting
from connector.kafka.reading.slices import SliceReader, slicing
from connector.kafka.records import Place

LOOK_BYTES = 1 << 16
"""Compressed bytes of a look: the record's neighbours come with it, for they are likely to be asked for next."""

PATIENCE_S = 15.0
"""Seconds that the broker may be away while somebody waits for a record."""


class Page(NamedTuple):
    """All that is left of a stretch of offsets. `first`: the lowest offset of the partition, -1 where that is not told."""

    first: int = -1
    start: int = 0
    stop: int = 0
    rows: Mapping[int, tuple[bytes | None, bytes | None]] = {}


async def page(cluster: Cluster, place: Place, offset: int) -> Page:
    """The committed records from an offset on, at least that one; what Kafka has deleted is missing in it.

    Raises TransactionLost where the broker cannot tell: never is anything said to be missing that is there.
    """
    with transacting(place.partition):
        async with slicing(cluster, place) as reader:
            return await _page(reader, offset)


async def _page(reader: SliceReader, offset: int) -> Page:
    async with aclosing(reader.slices(offset, most=LOOK_BYTES, still=PATIENCE_S)) as slices:
        async for part in slices:
            rows = {row.offset: (row.key, row.value) for step in part for row in step}
            if part.position > offset:
                return Page(part.part.first, offset, part.position, rows)
    raise reader.cut(offset)
