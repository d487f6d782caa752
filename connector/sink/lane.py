"""A lane of the sink: an owned partition of the command topic, its ledger, and the commands in hand.

Order is kept per key; different keys are worked on together, within a bound. What ends is written in one transaction with
whatever else ends at that moment: results, DONE, dead letters, and where the partition's work stands.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from connector.errors import Fenced
from connector.events import CommandsLost, LedgerCounted
from connector.kafka.connection import retrieved
from connector.kafka.ownership import Membership, watch
from connector.kafka.reading import PartitionReader, reading_from
from connector.kafka.records import Place, Record
from connector.kafka.tenure import Office, Settled, joined, together
from connector.kafka.transactions import FencedProducer
from connector.kafka.writer import Writer
from connector.sink.calls import Calls
from connector.sink.executor import Executor
from connector.sink.ledger import Intent, Ledger
from connector.sink.ledger_reading import read_back
from connector.sink.lookout import Patience, Tools
from connector.sink.progress import Progress
from connector.sink.publishing import Message, Topics
from connector.sink.serving import Desk

WINDOW = 1000
"""Commands of a partition in hand at most, most of them waiting for others of their key."""


@dataclass(frozen=True, slots=True)
class SinkParts:
    """What all command lanes of one administration in a worker share. Seconds; `in_flight`: calls of one partition at once;
    `proof`: how long a proof of membership is good; `linger`: for calls under way when the partition is left.
    """

    office: Office
    administration: str
    topics: Topics
    calls: Calls
    missing: set[str]
    patience: Patience
    in_flight: int
    retention: float
    proof: float
    linger: float
    watch_interval: float = 1.0


class CommandLane:
    """The work on a command partition; see kafka.tenure.Work."""

    def __init__(self, parts: SinkParts) -> None:
        self._parts = parts

    async def __call__(self, place: Place, producer: FencedProducer, membership: Membership, settled: Settled) -> None:
        """Read the ledger back, then the commands from where their work stands, until cancelled."""
        parts, office = self._parts, self._parts.office
        ledger_place = Place(parts.topics.ledger, place.partition)
        ledger = await read_back(office.arguments, ledger_place, office.clock.monotonic(), office.turns)
        known = max(ledger.offset, await membership.committed(place))
        async with reading_from(office.arguments, place, known) as reader:
            if 0 < known < reader.first:
                office.tell(CommandsLost(parts.administration, place.partition, known, reader.first))
            office.tell(LedgerCounted(parts.administration, place.partition, len(ledger)))
            settled()
            progress = Progress(max(known, reader.first), ledger.finished)
            await _Tenure(parts, place, ledger, progress).run(producer, membership, reader)


class _Tenure:
    """One tenure of a command partition."""

    def __init__(self, parts: SinkParts, place: Place, ledger: Ledger, progress: Progress) -> None:
        self._parts = parts
        self._place = place
        self._ledger = ledger
        self._progress = progress
        self._standing = Standing(ledger, progress)
        self._queues: dict[bytes, deque[Message]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._moved = asyncio.Event()
        self._leaving = False
        self._failed: asyncio.Future[None] = retrieved(asyncio.get_running_loop().create_future())

    async def run(self, producer: FencedProducer, membership: Membership, reader: PartitionReader) -> None:
        """Work until cancelled. Raises Fenced or TransactionLost."""
        parts, office = self._parts, self._parts.office
        writer = Writer(producer, self._place, office.tell, office.clock, closing=self._standing)
        proof = Proof(membership, self._place, parts.proof, office.clock.monotonic)
        tools = Tools(
            parts.administration,
            parts.calls,
            self._ledger,
            intend=lambda intent, coordinates: self._intend(writer, intent, coordinates),
            prove=proof.fresh,
            slots=asyncio.Semaphore(parts.in_flight),
            missing=parts.missing,
            patience=parts.patience,
            tell=office.tell,
            clock=office.clock,
        )
        desk = Desk(Executor(tools), tools, parts.topics, writer, self._finish)
        writing = asyncio.create_task(writer.run())
        try:
            await together(
                joined(writing),
                watch(proof, self._place, parts.watch_interval, self._committed),
                self._feed(reader, desk),
                self._failure(),
            )
        finally:
            await self._leave(writing)

    def _committed(self) -> int:
        """What the group may commit; said every second, and with it how large the ledger is."""
        self._parts.office.tell(LedgerCounted(self._parts.administration, self._place.partition, len(self._ledger)))
        return self._standing.offset

    async def _leave(self, writing: "asyncio.Task[None]") -> None:
        """Begin nothing new, and let what is under way end, for a moment: who comes next need not look for it then."""
        self._leaving = True
        if self._tasks and not writing.done():
            await asyncio.wait(list(self._tasks), timeout=self._parts.linger)
        for task in [*self._tasks, writing]:
            task.cancel()
        await asyncio.wait([*self._tasks, writing])

    async def _feed(self, reader: PartitionReader, desk: Desk) -> None:
        while True:
            while (room := WINDOW - len(self._progress)) <= 0:
                self._moved.clear()
                await self._moved.wait()
            for record in await reader.next(room):
                self._take(Message.of(record), desk)
            self._ledger.aged(self._parts.office.clock.monotonic(), self._parts.retention)

    def _take(self, message: Message, desk: Desk) -> None:
        """In the order of offsets: behind the others of its key."""
        self._progress.begin(message.offset)
        if message.offset in self._ledger.finished:
            self._progress.finish(message.offset)
            return
        queue = self._queues.get(message.key or b"")
        if queue is not None:
            queue.append(message)
            return
        self._queues[message.key or b""] = queue = deque([message])
        task = asyncio.create_task(self._serve(message.key or b"", queue, desk))
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    async def _serve(self, key: bytes, queue: deque[Message], desk: Desk) -> None:
        """One after the other; the next begins when the one before is committed."""
        while queue:
            await desk.serve(queue[0])
            queue.popleft()
        del self._queues[key]

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None and not self._failed.done():
            self._failed.set_exception(error)

    async def _intend(self, writer: Writer, intent: Intent, coordinates: str) -> None:
        if self._leaving:
            raise Fenced(f"{self._place} is being left")
        await writer.submit(self._ledger.write(intent, coordinates))

    async def _failure(self) -> None:
        await self._failed

    def _finish(self, offset: int) -> None:
        self._progress.finish(offset)
        self._moved.set()


class Standing:
    """Where the work of the partition stands, written with each transaction; see kafka.writer.Closing.

    `offset` is what the group may commit: below it everything is committed, not only finished.
    """

    def __init__(self, ledger: Ledger, progress: Progress) -> None:
        self._ledger = ledger
        self._progress = progress
        self._written = self.offset = progress.lowest

    def records(self) -> Sequence[Record]:
        """Everything that has finished so far is in this transaction, or in one before."""
        self._written = self._progress.lowest
        return [self._ledger.lane(self._written, self._progress.beyond)]

    def committed(self) -> None:
        """See Closing."""
        self.offset = self._written


class Proof:
    """Remembers when this worker was last seen to be the owner: a group member cannot lose a partition faster than `valid`."""

    def __init__(self, membership: Membership, place: Place, valid: float, now: Callable[[], float]) -> None:
        self._membership = membership
        self._place = place
        self._valid = valid
        self._now = now
        self._at = now()

    async def prove(self, place: Place, offset: int | None = None) -> None:
        """See Membership."""
        asked = self._now()
        await self._membership.prove(place, offset)
        self._at = asked

    async def committed(self, place: Place) -> int:
        """See Membership."""
        return await self._membership.committed(place)

    async def fresh(self) -> None:
        """Prove it, unless that was done just now. Raises Fenced or Retry."""
        if self._now() - self._at > self._valid:
            await self.prove(self._place)
