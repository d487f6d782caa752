"""Results as they come: one consumer for all who wait."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import aclosing, contextmanager
from itertools import chain
from typing import Any

from aiokafka import TopicPartition

from connector.client.brokers import DEADLINE, Brokers
from connector.client.reading import committed, consuming, extent
from connector.client.result import Result, decoded
from connector.errors import Fatal
from connector.kafka.connection import retrieved

Waiter = asyncio.Future[Result]


class Results:
    """Follows the results topic from where it ended when this was started: no result of a later command is missed.

    All partitions that there are by then, without a group: nothing is remembered anywhere, and any number can follow.
    """

    def __init__(self, brokers: Brokers, topic: str) -> None:
        self._brokers = brokers
        self._topic = topic
        self._waiting: dict[str, set[Waiter]] = defaultdict(set)
        self._following: asyncio.Task[None] | None = None

    async def start(self, partitions: int) -> None:
        """From here on results are seen. Raises Fatal."""
        started: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        places = [TopicPartition(self._topic, partition) for partition in range(partitions)]
        self._following = retrieved(asyncio.create_task(self._follow(places, started)))
        either: set[asyncio.Future[Any]] = {started, self._following}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if self._following.done():
            self._following.result()

    async def close(self) -> None:
        """Stop following."""
        if self._following is not None:
            self._following.cancel()
            await asyncio.wait([self._following])

    @contextmanager
    def awaited(self, command_id: str) -> Iterator[Waiter]:
        """A future of the next result of this command, while inside."""
        waiter: Waiter = asyncio.get_running_loop().create_future()
        self._waiting[command_id].add(waiter)
        try:
            yield waiter
        finally:
            waiter.cancel()
            self._waiting[command_id].discard(waiter)
            if not self._waiting[command_id]:
                del self._waiting[command_id]

    async def first(self, waiter: Waiter) -> Result:
        """The result, when it comes. Raises Fatal when results can no longer be followed."""
        following = self._following
        if following is None:
            raise Fatal("results are not followed: use `async with OrderCommands(…)`")
        either: set[asyncio.Future[Any]] = {waiter, following}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if waiter.done() and not waiter.cancelled():
            return waiter.result()
        if not following.cancelled():
            following.result()
        raise Fatal("results are no longer followed: this OrderCommands is closed")

    async def published(self, command_id: str) -> Result | None:
        """The first result of this command among all that the topic still holds. Reads all of it. Raises Fatal."""
        everything = committed(self._brokers, self._topic, await extent(self._brokers, self._topic))
        async with aclosing(everything) as records:
            async for record in records:
                result = decoded(record.value)
                if result is not None and result.command_id == command_id:
                    return result
        return None

    async def _follow(self, places: Sequence[TopicPartition], started: "asyncio.Future[None]") -> None:
        async with consuming(self._brokers) as consumer:
            consumer.assign(places)
            async with asyncio.timeout(DEADLINE):
                ends = await consumer.end_offsets(places)
            for place, end in ends.items():  # as read_committed sees them: before what is undecided
                consumer.seek(place, end)
            started.set_result(None)
            while True:
                batches = await consumer.getmany(timeout_ms=1000)
                for record in chain.from_iterable(batches.values()):
                    self._tell(decoded(record.value))

    def _tell(self, result: Result | None) -> None:
        if result is None:
            return
        for waiter in self._waiting.get(result.command_id, ()):
            if not waiter.done():  # a second result of the same command says nothing new
                waiter.set_result(result)
