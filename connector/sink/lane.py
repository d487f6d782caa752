"""A lane of the sink: an owned partition of the command topic, its ledger, and the commands in hand.

Order is kept per key; different keys are worked on together, within a bound. What ends is written in one transaction with
whatever else ends at that moment: results, DONE, dead letters, and where the partition's work stands.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from connector.events import CommandsLost, LedgerRead
from connector.kafka.ownership import Membership, watch
from connector.kafka.reading import PartitionReader, read_back, reading_from
from connector.kafka.records import Place, Record
from connector.kafka.tenure import Office, Settled, together
from connector.kafka.transactions import FencedProducer
from connector.kafka.writer import Writer
from connector.sink.calls import Calls
from connector.sink.executor import Executor
from connector.sink.ledger import Intent, Ledger
from connector.sink.lookout import Patience, Tools
from connector.sink.progress import Progress
from connector.sink.publishing import Message, Topics
from connector.sink.serving import Desk

WINDOW = 1000
"""Commands of a partition in hand at most, most of them waiting for others of their key."""


@dataclass(frozen=True, slots=True)
class SinkParts:
    """What all command lanes of one administration in a worker share. Seconds; `in_flight`: calls of one partition at once."""

    office: Office
    administration: str
    topics: Topics
    calls: Calls
    missing: set[str]
    patience: Patience
    in_flight: int
    retention: float
    proof: float
    watch_interval: float = 1.0


class CommandLane:
    """The work on a command partition; see kafka.tenure.Work."""

    def __init__(self, parts: SinkParts) -> None:
        self._parts = parts

    async def __call__(self, place: Place, producer: FencedProducer, membership: Membership, settled: Settled) -> None:
        """Read the ledger back, then the commands from where their work stands, until cancelled."""
        parts, office = self._parts, self._parts.office
        ledger_place = Place(parts.topics.ledger, place.partition)
        ledger = Ledger(ledger_place, await read_back(office.arguments, *ledger_place))
        known = max(ledger.offset, await membership.committed(place))
        async with reading_from(office.arguments, place, known) as reader:
            if 0 < known < reader.first:
                office.tell(CommandsLost(parts.administration, place.partition, known, reader.first))
            office.tell(LedgerRead(parts.administration, place.partition, len(ledger)))
            settled()
            await _Tenure(parts, place, ledger, Progress(max(known, reader.first))).run(producer, membership, reader)


class _Tenure:
    """One tenure of a command partition."""

    def __init__(self, parts: SinkParts, place: Place, ledger: Ledger, progress: Progress) -> None:
        self._parts = parts
        self._place = place
        self._ledger = ledger
        self._progress = progress
        self._queues: dict[bytes, deque[Message]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._moved = asyncio.Event()
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(self, producer: FencedProducer, membership: Membership, reader: PartitionReader) -> None:
        """Work until cancelled. Raises Fenced or TransactionLost."""
        parts, office = self._parts, self._parts.office
        writer = Writer(producer, self._place, office.tell, office.clock, closing=self._closing)
        proof = Proof(membership, self._place, parts.proof, office.clock.monotonic)
        tools = Tools(
            parts.administration,
            parts.calls,
            self._ledger,
            intend=lambda intent, coordinates: _intend(self._ledger, writer, intent, coordinates),
            prove=proof.fresh,
            slots=asyncio.Semaphore(parts.in_flight),
            missing=parts.missing,
            patience=parts.patience,
            tell=office.tell,
            clock=office.clock,
        )
        desk = Desk(Executor(tools), tools, parts.topics, writer, self._finish)
        try:
            await together(
                writer.run(),
                watch(proof, self._place, parts.watch_interval, lambda: self._progress.lowest),
                self._feed(reader, desk),
                self._failure(),
            )
        finally:
            for task in self._tasks:
                task.cancel()
            if self._tasks:
                await asyncio.wait(self._tasks)

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

    async def _failure(self) -> None:
        await self._failed

    def _finish(self, offset: int) -> None:
        self._progress.finish(offset)
        self._moved.set()

    def _closing(self) -> Sequence[Record]:
        """Ends each transaction: everything that has finished so far is in it, or in one before."""
        return [self._ledger.lane(self._progress.lowest, self._progress.beyond)]


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


async def _intend(ledger: Ledger, writer: Writer, intent: Intent, coordinates: str) -> None:
    await writer.submit(ledger.write(intent, coordinates))
