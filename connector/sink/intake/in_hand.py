"""The commands in hand of an owned partition.

Order is kept per key; different keys are worked on together, within a bound. What ends is written in one transaction with
whatever else ends at that moment: results, DONE, dead letters, and where the partition's work stands. What goes wrong with
one command, or with reading, is waited out and tried again there: the rest goes on.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from connector.backoff import backoff
from connector.cancellation import cancel_wins, end
from connector.errors import ConnectorError, Fenced, TransactionLost
from connector.events.commands import LedgerCounted
from connector.events.kafka import PartitionFailed
from connector.kafka.connection import retrieved
from connector.kafka.ownership import Membership, watch
from connector.kafka.reading.readers import PartitionReader, reading_from
from connector.kafka.records import Place
from connector.kafka.tasks import run_together, wait_for
from connector.kafka.walls import in_a_line, spreads
from connector.kafka.writing.transactions import FencedProducer
from connector.sink.context import SinkContext
from connector.sink.executor import Executor
from connector.sink.footer import MembershipProof, ProgressFooter
from connector.sink.handler import CommandHandler
from connector.sink.intake.feeding import Feed, size_of
from connector.sink.intake.offsets import Finished, Progress
from connector.sink.intake.unread import answer
from connector.sink.intake.vanished import Vanished
from connector.sink.intake.window import Share
from connector.sink.ledger.ledger import Intent, Ledger
from connector.sink.outbox import Outbox, TooLarge
from connector.sink.parts import SinkTaskContext
from connector.sink.records import Message

RENEWED_EVERY_S = 3600.0
"""Seconds after which the footer is written again: an idle one must not be older than the ledger keeps anything."""

WINDOW = 1000
"""Commands of a partition in hand at most, most of them waiting for others of their key."""


@dataclass(frozen=True, slots=True)
class Begun:
    """Where the work on a partition begins: `finished` need not be read again, `vanished` cannot be."""

    ledger: Ledger
    progress: Progress
    finished: Finished
    vanished: Vanished


class InHand:
    """The commands of one session of a partition."""

    def __init__(self, parts: SinkTaskContext, place: Place, begun: Begun) -> None:
        self._parts = parts
        self._place = place
        self._begun = begun
        self._ledger = begun.ledger
        self._progress = begun.progress
        self._footer = ProgressFooter(begun.ledger, begun.progress, parts.group)
        self._queues: dict[bytes, deque[Message]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._share = Share(parts.window)
        self._moved = asyncio.Event()
        self._leaving = False
        self._failed: asyncio.Future[None] = retrieved(asyncio.get_running_loop().create_future())

    async def run(self, producer: FencedProducer, membership: Membership, reader: PartitionReader) -> None:
        """Work until cancelled. Raises Fenced or TransactionLost."""
        parts, task_context = self._parts, self._parts.task_context
        writer = Outbox(producer, self._place, task_context.tell, task_context.clock, self._footer, limits=parts.limits)
        proof = MembershipProof(membership, self._place, parts.proof, task_context.clock.monotonic)
        handler = self._handler(writer, proof)
        writing = asyncio.create_task(writer.run())
        try:
            await run_together(
                wait_for(writing),
                watch(proof, self._place, parts.watch_interval, self._committed),
                self._renew(writer),
                self._work(reader, handler, writer),
                self._failure(),
            )
        finally:
            await self._leave(writing)

    def _handler(self, writer: Outbox, proof: MembershipProof) -> CommandHandler:
        parts, task_context = self._parts, self._parts.task_context
        context = SinkContext(
            parts.administration,
            parts.calls,
            self._ledger,
            intend=lambda intent, coordinates: self._intend(writer, intent, coordinates),
            prove=proof.fresh,
            slots=asyncio.Semaphore(parts.in_flight),
            missing=parts.missing,
            deadlines=parts.deadlines,
            tell=task_context.tell,
            clock=task_context.clock,
            partitions=parts.partitions,
        )
        letter_bytes = parts.limits.of(parts.topics.dead_letters)
        return CommandHandler(Executor(context), context, parts.topics, writer, self._finish, letter_bytes=letter_bytes)

    def _committed(self) -> int:
        """What the group may commit; said every second, and with it how large the ledger is."""
        self._parts.task_context.tell(LedgerCounted(self._parts.administration, self._place.partition, len(self._ledger)))
        return self._footer.offset

    async def _renew(self, writer: Outbox) -> None:
        while True:
            await asyncio.sleep(RENEWED_EVERY_S)
            await writer.submit([])

    async def _leave(self, writing: "asyncio.Task[None]") -> None:
        """Begin nothing new, and let what is under way end, for a moment: who comes next need not look for it then."""
        self._leaving = True
        try:
            if self._tasks and not writing.done():
                await asyncio.wait(list(self._tasks), timeout=self._parts.linger)
        finally:  # also where it is cancelled meanwhile: by a rebalance, and then by leaving
            await self._end(writing)

    async def _end(self, writing: "asyncio.Task[None]") -> None:
        try:
            await end([*self._tasks, writing])
        finally:
            self._share.give_all()

    async def _work(self, reader: PartitionReader, handler: CommandHandler, writer: Outbox) -> None:
        """First what cannot be read any more, then whatever comes. Reading that fails begins anew where it stood."""
        await answer(self._begun.vanished, self._parts, self._place, self._ledger, writer)
        current: PartitionReader | None = reader
        failures = 0
        while True:
            before = self._progress.next
            try:
                with cancel_wins():
                    await self._read_on(current, handler, writer)
            except ConnectorError:
                raise
            except Exception as error:
                failures = failures + 1 if self._progress.next == before else 1
                await self._wait_out(error, failures)
            current = None

    @asynccontextmanager
    async def _reading(self, reader: PartitionReader | None) -> AsyncIterator[PartitionReader]:
        if reader is not None:
            yield reader
            return
        async with reading_from(self._parts.task_context.cluster, self._place, self._progress.next) as again:
            again.start = self._progress.next
            yield again

    async def _read_on(self, reader: PartitionReader | None, handler: CommandHandler, writer: Outbox) -> None:
        async with self._reading(reader) as current:
            await self._feed(self._fed(current, writer), handler)

    def _fed(self, reader: PartitionReader, writer: Outbox) -> Feed:
        async def gone(following: int) -> None:
            """Once told, it is told no more: where the work stands is written at once."""
            self._progress.skip(following)
            await writer.submit([])

        return Feed(reader, self._parts.post(self._place), self._begun.finished, gone)

    async def _feed(self, feed: Feed, handler: CommandHandler) -> None:
        while True:
            while (room := WINDOW - len(self._progress)) <= 0 or self._share.room <= 0:
                self._moved.clear()
                await self._moved.wait()
            async for record in feed.slice(self._share.room, room):
                self._take(Message.of(record), size_of(record), handler)
            self._ledger.aged(self._parts.task_context.clock.monotonic(), self._parts.retention)

    def _take(self, message: Message, size: int, handler: CommandHandler) -> None:
        """Take a command in the order of offsets: behind the others of its key."""
        self._progress.begin(message.offset)
        if message.offset in self._begun.finished:
            self._progress.finish(message.offset)
            return
        self._share.take(message.offset, size)
        queue = self._queues.get(message.key or b"")
        if queue is not None:
            queue.append(message)
            return
        self._queues[message.key or b""] = queue = deque([message])
        task = asyncio.create_task(self._serve(message.key or b"", queue, handler))
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    async def _serve(self, key: bytes, queue: deque[Message], handler: CommandHandler) -> None:
        """One after the other; the next begins when the one before is committed."""
        while queue:
            await self._serve_one(queue[0], handler)
            queue.popleft()
        del self._queues[key]

    async def _serve_one(self, message: Message, handler: CommandHandler) -> None:
        """Until it has ended. What fails as nobody foresaw waits and is tried again as after a crash: only its key waits.

        Raises Fenced, Retry of a membership, or TransactionLost.
        """
        failures = 0
        while True:
            try:
                with cancel_wins():
                    await handler.serve(message)
            except TooLarge as error:
                failures += 1
                self._progress.reopen(message.offset)  # in the same step as it was finished: no transaction was made between
                await self._wait_out(error, failures, message)
            except Exception as error:
                if spreads(error) or isinstance(error, TransactionLost):
                    raise
                failures += 1
                await self._wait_out(error, failures, message)
            if message.offset not in self._progress:
                return

    async def _wait_out(self, error: Exception, failures: int, message: Message | None = None) -> None:
        clock = self._parts.task_context.clock
        pause = backoff(failures, clock.chance())
        what = in_a_line(error) if message is None else f"the command at offset {message.offset}: {in_a_line(error)}"
        self._parts.task_context.tell(PartitionFailed(*self._place, what, pause))
        await clock.sleep(pause)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None and not self._failed.done():
            self._failed.set_exception(error)

    async def _intend(self, writer: Outbox, intent: Intent, coordinates: str) -> None:
        if self._leaving:
            raise Fenced(f"{self._place} is being left")
        await writer.submit(self._ledger.write(intent, coordinates))

    async def _failure(self) -> None:
        await self._failed

    def _finish(self, offset: int) -> None:
        self._progress.finish(offset)
        self._share.give(offset)
        self._moved.set()
