"""Reading an owned command partition: in slices, with what Kafka deleted or holds back noticed."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from connector.events.base import Listener
from connector.events.commands import CommandsHeldBack, CommandsLost
from connector.kafka.reading.readers import PartitionReader
from connector.sink.intake.offsets import Finished

SLICE_BYTES = 64 << 10
"""Bytes of commands that are begun in one turn of the event loop: checking them takes about a millisecond."""

COMMANDS_MAX = 100
"""Commands asked for at once."""

HELD_BACK_AFTER_S = 30.0
"""Seconds that an open transaction may hold commands back unnoticed: ours and most producers' end within them."""


@dataclass(frozen=True, slots=True)
class Post:
    """Where it is told what happens to the commands of a partition. `now`: monotonic seconds."""

    administration: str
    partition: int
    tell: Listener
    now: Callable[[], float]


class Feed:
    """The commands of a partition, from where its reader stands on.

    `finished`: offsets that need no reading. `gone`: is told the offset that follows on those that are lost, once they are told.
    """

    def __init__(self, reader: PartitionReader, post: Post, finished: Finished, gone: Callable[[int], Awaitable[None]]) -> None:
        self._reader = reader
        self._post = post
        self._finished = finished
        self._gone = gone
        self._held = HeldBack(post)
        self._at = reader.start
        self._largest = SLICE_BYTES

    async def slice(self, room: int, most: int) -> AsyncIterator[Any]:
        """The next records, at most so many, and about so many bytes; pauses between, so that others get their turn.

        Raises TransactionLost where the client stands still, else what aiokafka does.
        """
        records = await self._reader.next(max(1, min(most, COMMANDS_MAX, room // self._largest)))
        await self._look(records)
        begun = 0
        if records:
            self._largest = max(1, *(size_of(record) for record in records))
        for record in records:
            yield record
            if (begun := begun + size_of(record)) >= SLICE_BYTES:
                begun = 0
                await asyncio.sleep(0)

    async def _look(self, records: Sequence[Any]) -> None:
        """Whether the client passed over something that Kafka no longer has, or cannot get at what lies there."""
        position = await self._reader.position()
        if position is None:
            return
        upto = records[0].offset if records else position
        if upto > self._at and (start := await self._reader.log_start()) is not None:
            await self._passed(self._at, min(upto, start))
        self._at = position
        self._held.seen(position, self._reader.stable)

    async def _passed(self, first: int, following: int) -> None:
        if first < following and (lost := lost_between(self._post, first, following, self._finished)) is not None:
            self._post.tell(lost)
            await self._gone(following)


def size_of(record: Any) -> int:
    """Bytes of a record that was read."""
    headers = sum(len(name) + len(value or b"") for name, value in record.headers)
    return len(record.key or b"") + len(record.value or b"") + headers


def lost_between(post: Post, first: int, following: int, finished: Finished, answered: int = 0) -> CommandsLost | None:
    """What is lost if Kafka no longer has these offsets; `answered`: how many of them get a result all the same. Pure."""
    kept = min(finished.within(first, following) + answered, following - first)
    lost = CommandsLost(post.administration, post.partition, first, following, kept)
    return lost if lost.count else None


class HeldBack:
    """How long the end of what is decided has stood still before the end of what lies there."""

    def __init__(self, post: Post) -> None:
        self._post = post
        self._stable = -1
        self._since = 0.0
        self._told = False

    def seen(self, position: int, ends: tuple[int, int] | None) -> None:
        """Where the reader stands, and both ends. Told from HELD_BACK_AFTER_S on while it lasts, and once when it is over."""
        stable, end = ends or (0, 0)
        now = self._post.now()
        if ends is None or stable >= end or position < stable:
            self._over(stable)
        elif stable != self._stable:
            self._over(stable)
            self._stable, self._since = stable, now
        elif now - self._since >= HELD_BACK_AFTER_S:
            self._told = True
            self._post.tell(CommandsHeldBack(self._post.administration, self._post.partition, stable, now - self._since))

    def _over(self, stable: int) -> None:
        if self._told:
            self._post.tell(CommandsHeldBack(self._post.administration, self._post.partition, stable, 0.0))
        self._told, self._stable = False, -1
