"""The one writer of an owned partition: what is submitted is written in order, in transactions of its fenced producer."""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from connector.clock import Clock
from connector.errors import TransactionLost
from connector.events.base import Listener
from connector.events.kafka import TransactionEnded
from connector.kafka.records import Place, Record
from connector.kafka.writing.transactions import FencedProducer

Submission = tuple[Sequence[Record], "asyncio.Future[None]"]


class Closing(Protocol):
    """What ends a transaction, when it is known what else is in it."""

    def records(self) -> Sequence[Record]:
        """The last records of the transaction that is made now."""

    def committed(self) -> None:
        """The transaction is committed."""


class Writer:
    """Takes records in order, a transaction for each submission; or, with `closing`, one for all that wait."""

    def __init__(
        self,
        producer: FencedProducer,
        place: Place,
        tell: Listener,
        clock: Clock,
        closing: Closing | None = None,
    ) -> None:
        self._producer = producer
        self._place = place
        self._tell = tell
        self._clock = clock
        self._closing = closing
        self._queue: asyncio.Queue[Submission] = asyncio.Queue()
        self._closed = False

    def submit(self, records: Sequence[Record]) -> "asyncio.Future[None]":
        """Queue records; the future is done when they are committed, or fails with TransactionLost."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self._closed:
            _drop(done)
        else:
            self._queue.put_nowait((records, done))
        return done

    async def run(self) -> None:
        """Write until cancelled. Raises Fenced or TransactionLost: then nothing queued was or will be written."""
        try:
            while True:
                await self._write(await self._next())
        finally:
            self._closed = True
            for _, done in self._waiting():
                _drop(done)

    async def _next(self) -> list[Submission]:
        first = await self._queue.get()
        return [first] if self._closing is None else [first, *self._waiting()]

    def _waiting(self) -> list[Submission]:
        return [self._queue.get_nowait() for _ in range(self._queue.qsize())]

    async def _write(self, submissions: list[Submission]) -> None:
        records = [record for submitted, _ in submissions for record in submitted]
        if self._closing is not None:
            records += self._closing.records()
        started, lost = self._clock.monotonic(), ""
        try:
            await self._producer.transaction(records)
            if self._closing is not None:
                self._closing.committed()
            for _, done in submissions:
                if not done.done():  # who waited may have been cancelled meanwhile
                    done.set_result(None)
        except BaseException as error:
            lost = str(error) or type(error).__name__
            for _, done in submissions:
                _drop(done, error if isinstance(error, TransactionLost) else None)
            raise
        finally:
            self._tell(TransactionEnded(*self._place, len(records), self._clock.monotonic() - started, lost))


def _drop(done: "asyncio.Future[None]", error: TransactionLost | None = None) -> None:
    """Whoever waits learns of it, and why if it was theirs; who set memory aside gets it back; nobody need be waiting."""
    if not done.done():
        done.set_exception(error or TransactionLost("dropped with what else was in hand"))
        done.exception()
