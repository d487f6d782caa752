"""Results as they come: one consumer for all who wait."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from aiokafka import ConsumerRecord

from connector.errors import ConnectorError, Fatal
from connector.kafka.cluster import Cluster
from connector.kafka.connection import retrieved
from connector.kafka.reading.topic_followers import following
from connector.kafka.reading.topic_readers import committed, extent
from connector.messages.result import Result, decoded


class Told(NamedTuple):
    """A result and where it stands: `at` is the record's time, in milliseconds since 1970."""

    result: Result
    key: bytes | None
    partition: int
    offset: int
    at: int

    def is_of(self, key: bytes) -> bool:
        """Whether it is of the command with this key: one under another key is of the order that it names, or nobody's."""
        if self.key == key:
            return True
        named = {name.encode() for name in (self.result.ext_order_id, self.result.order_id) if name is not None}
        foreign = self.key in named or (self.result.ext_order_id is not None and key not in named)
        return not foreign and not self.result.refuses


def told(record: ConsumerRecord) -> Told | None:
    """The result in a record, if it is one."""
    result = decoded(record.value)
    return None if result is None else Told(result, record.key, record.partition, record.offset, record.timestamp)


def newest(one: Told | None, other: Told | None) -> Told | None:
    """What two results of one command say together, in whatever order they were found. Pure."""
    if one is None or other is None:
        return one or other
    same = one.partition == other.partition  # else the topic got more partitions in between
    first, last = sorted((one, other), key=lambda row: row.offset if same else row.at)
    return last if last.result.says_more_than(first.result) else first


@dataclass(slots=True, eq=False)
class Waiter:
    """Somebody who wants a command's result. `key`: the command's, or None where it is not known.

    `told`: the newest word since; `came` is done as soon as there is one.
    """

    command_id: str
    key: bytes | None = None
    told: Told | None = None
    came: "asyncio.Future[None]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def hear(self, said: Told) -> None:
        """Take in a result of this commandId: of another key's command it is none."""
        if self.key is not None and not said.is_of(self.key):
            return
        self.told = newest(self.told, said)
        if not self.came.done():
            self.came.set_result(None)


class Results:
    """Follows the results topic from where it ended when this was started: no result of a later command is missed.

    All partitions, without a group: nothing is remembered anywhere, and any number can follow.
    """

    def __init__(self, brokers: Cluster, topic: str) -> None:
        self._brokers = brokers
        self._topic = topic
        self._waiting: dict[str, list[Waiter]] = defaultdict(list)
        self._following: asyncio.Task[None] | None = None

    async def start(self, partitions: int) -> None:
        """From here on results are seen. Raises Fatal."""
        started: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._following = retrieved(asyncio.create_task(self._follow(partitions, started)))
        either: set[asyncio.Future[Any]] = {started, self._following}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        self.must_follow()

    async def close(self) -> None:
        """Stop following."""
        if self._following is not None:
            self._following.cancel()
            await asyncio.wait([self._following])

    def must_follow(self) -> None:
        """Raises Fatal when no result can come any more."""
        if self._following is None:
            raise Fatal("results are not followed: use `async with OrderCommands(…)`")
        if not self._following.done():
            return
        if not self._following.cancelled():
            self._following.result()
        raise Fatal("results are no longer followed: this OrderCommands is closed")

    @contextmanager
    def awaited(self, waiter: Waiter) -> Iterator[Waiter]:
        """While inside, the waiter is told; of several at once each may leave."""
        waiting = self._waiting[waiter.command_id]
        waiting.append(waiter)
        try:
            yield waiter
        finally:
            waiting.remove(waiter)
            if not waiting:
                del self._waiting[waiter.command_id]

    async def first(self, waiter: Waiter) -> Result:
        """The result, when there is one. Raises Fatal when results can no longer be followed."""
        while waiter.told is None:
            self.must_follow()
            either: set[asyncio.Future[Any]] = {waiter.came, *filter(None, [self._following])}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        return waiter.told.result

    async def published(self, waiter: Waiter) -> None:
        """Let a waiter hear all results of its command that the topic still holds. Reads all of it. Raises Fatal."""
        everything = committed(self._brokers, self._topic, await extent(self._brokers, self._topic))
        async with aclosing(everything) as records:
            async for record in records:
                said = told(record)
                if said is not None and said.result.command_id == waiter.command_id:
                    waiter.hear(said)

    async def _follow(self, partitions: int, started: "asyncio.Future[None]") -> None:
        """Whatever ends it is told to all who wait: none of them may wait for ever."""
        try:
            await self._tell_all(partitions, started)
        except ConnectorError:
            raise
        except Exception as error:
            raise Fatal(f"{self._topic} is no longer followed: {type(error).__name__}: {error}; connect again") from error

    async def _tell_all(self, partitions: int, started: "asyncio.Future[None]") -> None:
        async with aclosing(following(self._brokers, self._topic, partitions)) as batches:
            async for records in batches:
                if not started.done():
                    started.set_result(None)
                for said in filter(None, map(told, records)):
                    self._tell(said)

    def _tell(self, said: Told) -> None:
        for waiter in self._waiting.get(said.result.command_id, ()):
            waiter.hear(said)
