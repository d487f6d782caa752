"""A partition read in slices: one fetch at a time, by the client that consumers use too.

A consumer decodes all that its fetches have brought in one go, and fetches on meanwhile; here who reads decides how much is in
memory, and the event loop gets its turn every few records.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from contextlib import aclosing, asynccontextmanager, nullcontext
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import (
    KafkaError,
    LeaderNotAvailableError,
    OffsetOutOfRangeError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
    for_code,
)
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.offset import OffsetRequest

from connector.errors import Retry, TransactionLost
from connector.kafka.clients import Client
from connector.kafka.cluster import Cluster
from connector.kafka.connection import begin, retrieved
from connector.kafka.errors import missing, only_we_cancel
from connector.kafka.reading.decided import Decided, Row, Slice
from connector.kafka.records import Place

SLICE_BYTES = 1 << 20
"""Bytes of a fetch, as they are compressed; a batch that is larger comes whole."""

STILL_S = 60.0
"""Seconds without any movement after which reading is given up."""

REQUEST_S = 15.0
"""Seconds for one answer of the broker, and for connecting."""

MISSING_S = 15.0
"""Seconds until a topic that no broker knows is given up: one that has just started may know it a little later."""

READERS = 4
"""Slices in memory at once, in a worker that reads back many partitions: one is decoded while others are fetched."""

AGAIN_S = 0.1
"""Seconds until the broker is asked again for what was not there."""

CLOSING_S = 2.0
"""Seconds for closing a connection, at most."""

COMMITTED, EARLIEST = 1, -2
"""Kafka's numbers for read_committed, and for the first offset."""

STANDS = "{topic}, partition {partition}, cannot be read to its end: for {seconds:.0f} s at offset {offset} of {end}{reason}"

CUT = "{topic}, partition {partition}, has lost records: it ends before offset {offset}, which was there before"

HANGS = ": if that goes on, a transaction hangs there, which kafka-transactions.sh find-hanging shows; see docs/operations.md"
"""Not healed automatically: nobody can tell from outside whether it was committed."""


class SliceReader:
    """Reads one partition, from its leader. `trouble`: why the last try brought nothing; empty where it was answered."""

    def __init__(self, client: Client, place: Place) -> None:
        self._client = client
        self._place = place
        self.trouble = ""
        self.end = 0
        """Where `slices` stops, as soon as it has begun."""
        self._missing = False

    async def first(self) -> int | None:
        """The lowest offset that Kafka still has; None where the broker cannot tell for now. Raises aiokafka's other errors."""
        row = await self._answer(OffsetRequest(-1, COMMITTED, [(self._place.topic, [(self._place.partition, EARLIEST)])]))
        return None if row is None else int(row[-1])

    async def fetch(self, offset: int, most: int = SLICE_BYTES) -> Slice | None:
        """What there is from an offset on, without waiting; None where the broker cannot tell for now.

        Raises OffsetOutOfRangeError, and those of aiokafka's errors that do not pass by themselves.
        """
        wanted = [(self._place.topic, [(self._place.partition, offset, most)])]
        row = await self._answer(FetchRequest(0, 0, most, COMMITTED, wanted))
        if row is None:
            return None
        end, stable, *more, records = row[2:]
        first, aborted = more[:2] if len(more) > 1 else (-1, more[0])  # version 4 does not tell the first offset
        return Slice(records or b"", aborted or (), first, stable, end)

    async def slices(
        self,
        offset: int | None = None,
        *,
        turns: asyncio.Semaphore | None = None,
        most: int = SLICE_BYTES,
        still: float = STILL_S,
        undecided: bool = True,
    ) -> AsyncGenerator[Decided]:
        """All from an offset on, or from the first, up to the high watermark as of now; to be iterated one after the other.

        `turns` bounds the slices in memory; without `undecided` it ends before what is not decided. Raises TransactionLost
        after `still` seconds without movement, and aiokafka's errors.
        """
        position, end, moved = offset, None, time.monotonic()
        while position is None or end is None or position < end:
            before = position
            async with turns or nullcontext():
                position, part = await self._next(position, most)
                if part is not None and position is not None:
                    self.end = end = (part.end if undecided else part.stable) if end is None else end
                    yield (rows := Decided(part, position))
                    position = rows.position
            if position != before:
                moved = time.monotonic()
            elif end is None or before is None or before < end:
                self._refuse_still(moved, still, before, end)
                await asyncio.sleep(AGAIN_S)

    async def steps(self, offset: int | None = None, **how: Any) -> AsyncGenerator[Sequence[Row]]:
        """The committed records of these slices; the event loop gets its turn between two steps."""
        async with aclosing(self.slices(offset, **how)) as slices:
            async for rows in slices:
                for step in rows:
                    yield step
                    await asyncio.sleep(0)

    async def _next(self, position: int | None, most: int) -> tuple[int | None, Slice | None]:
        """The slice at a position; or the first offset, where Kafka has deleted what lay there."""
        if position is None:
            return await self.first(), None
        try:
            return position, await self.fetch(position, most)
        except OffsetOutOfRangeError as error:
            first = await self.first()
            if first is not None and first <= position:
                raise self.cut(position) from error
            return first, None

    def cut(self, offset: int) -> TransactionLost:
        """What is to be raised where the partition ends before an offset that was read: not age has taken it."""
        topic, partition = self._place
        return TransactionLost(CUT.format(topic=topic, partition=partition, offset=offset), topic=topic)

    def _refuse_still(self, moved: float, still: float, offset: int | None, end: int | None) -> None:
        (topic, partition), seconds = self._place, min(still, MISSING_S) if self._missing else still
        if time.monotonic() - moved < seconds:
            return
        if self._missing:
            raise TransactionLost(missing(topic), topic=topic)
        told = {"offset": "?" if offset is None else offset, "end": "?" if end is None else end, "seconds": seconds}
        reason = f": {self.trouble}" if self.trouble else HANGS
        raise TransactionLost(STANDS.format(topic=topic, partition=partition, reason=reason, **told))

    async def _answer(self, request: Any) -> Sequence[Any] | None:
        """The partition's row of an answer."""
        self.trouble, self._missing = "", False
        try:
            with only_we_cancel():
                row = await self._ask(request)
            if row[1]:
                raise for_code(row[1])()
        except (KafkaError, Retry) as error:
            if isinstance(error, KafkaError) and not error.retriable:
                raise
            self.trouble = self._client.trouble or f"{type(error).__name__}: {error}"
            self._missing = isinstance(error, UnknownTopicOrPartitionError)
            retrieved(self._client.force_metadata_update())
            return None
        return row

    async def _ask(self, request: Any) -> Sequence[Any]:
        cluster = self._client.cluster
        if self._place.topic in cluster.unauthorized_topics:
            raise TopicAuthorizationFailedError(self._place.topic)
        if cluster.partitions_for_topic(self._place.topic) is None:
            raise UnknownTopicOrPartitionError(self._place.topic)
        node = cluster.leader_for_partition(TopicPartition(*self._place))
        if node is None or node == -1:
            raise LeaderNotAvailableError(str(self._place))
        answer = await self._client.send(node, request)
        return tuple(answer.topics[0][1][0])


@asynccontextmanager
async def slicing(cluster: Cluster, place: Place) -> AsyncIterator[SliceReader]:
    """A reader of one partition. Raises aiokafka's errors, and TimeoutError where no broker answers."""
    async with asking(cluster, [place.topic]) as client:
        yield SliceReader(client, place)


@asynccontextmanager
async def asking(cluster: Cluster, topics: Iterable[str]) -> AsyncIterator[Client]:
    """A client that knows these topics, for readers of their partitions. Raises as slicing."""
    client = Client(**cluster.arguments, request_timeout_ms=int(REQUEST_S * 1000))
    try:
        await begin(client.bootstrap, REQUEST_S)
        await client.follow(set(topics))
        yield client
    finally:
        await _closed(client)


async def _closed(client: Client) -> None:
    """A task of its own: a broker that is away can hold it, and its connections' errors are of no use to us."""
    closing = retrieved(asyncio.ensure_future(client.close()))
    await asyncio.wait([closing], timeout=CLOSING_S)
    closing.cancel()
