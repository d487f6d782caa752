"""Serving one message of the command topic to its end: a command, a repeated one, a redriven one, or no command at all."""

import asyncio
from collections.abc import Callable, Sequence
from weakref import WeakValueDictionary

from connector.errors import Fenced, Retry, TransactionLost
from connector.events import CommandDropped, CommandEnded, CommandTaken, MessageRefused
from connector.kafka.records import Record
from connector.kafka.writer import Writer
from connector.sink.course import Course
from connector.sink.executor import Executor
from connector.sink.intake import Command, Invalid, read
from connector.sink.ledger import Done, Intent
from connector.sink.lookout import Tools
from connector.sink.publishing import Message, Topics, dead_letter, result_record
from connector.sink.results import INVALID, OUTCOME_UNKNOWN, Ending, Outcome, again, refusal, result_of
from connector.tracing import continued, note

REPEATED = "this commandId was used before, for something else"


class Desk:
    """Serves messages of one partition. `finish` notes that an offset is finished, right before its records are submitted."""

    def __init__(self, executor: Executor, tools: Tools, topics: Topics, writer: Writer, finish: Callable[[int], None]) -> None:
        self._executor = executor
        self._tools = tools
        self._topics = topics
        self._writer = writer
        self._finish = finish
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def serve(self, message: Message) -> None:
        """Until everything about it is committed. Raises Fenced or TransactionLost."""
        taken = read(message.key, message.value)
        if isinstance(taken, Invalid):
            await self._refuse(message, taken)
            return
        lock = self._locks.setdefault(taken.id, asyncio.Lock())
        where = {"administration": self._tools.administration, "command_id": taken.id}
        async with lock:  # equal ids under different keys, one after the other
            with continued(taken.name, message.headers, **where):
                await self._serve(message, taken)

    async def _refuse(self, message: Message, what: Invalid) -> None:
        records = [dead_letter(self._topics, message, what.stage, INVALID, what.problem)]
        records += self._tools.ledger.redrive(message.coordinates)
        result = refusal(what, self._tools.clock.stamp())
        if result is not None:
            records.append(result_record(self._topics, message, result))
        await self._commit(message, records)
        self._refused(message, what.stage, what.problem)

    async def _serve(self, message: Message, command: Command) -> None:
        """What is known of this commandId decides."""
        entry = await self._tools.ledger.entry(command.id)
        again_asked = bool(message.coordinates) and not await self._tools.ledger.redriven(message.coordinates)
        if entry is None or (isinstance(entry, Intent) and entry.digest == command.digest):
            await self._carry_out(message, command, entry)
        elif entry.digest != command.digest:
            await self._reject_repeated(message, command)
        elif isinstance(entry, Done) and entry.offset == message.offset:
            await self._commit(message, [])  # delivered once more: everything about it is published
        elif isinstance(entry, Done) and again_asked and _lettered(entry):
            await self._carry_out(message, command, entry.intent, redriven=entry.intent is not None)
        elif isinstance(entry, Done):
            await self._repeat(message, command, entry)

    async def _carry_out(self, message: Message, command: Command, entry: Intent | None, *, redriven: bool = False) -> None:
        tools, started = self._tools, self._tools.clock.monotonic()
        course = Course(command, message.offset, message.coordinates, entry, redriven=redriven)
        tools.tell(CommandTaken(tools.administration, command.name))
        try:
            ending = await self._ending(course)
            await self._end(message, command, ending)
        except BaseException:
            tools.tell(CommandDropped(tools.administration, command.name, command.id))
            raise
        self._told(command, ending, started)

    async def _ending(self, course: Course) -> Ending:
        try:
            return await self._executor.carry_out(course)
        except (Fenced, TransactionLost, Retry):
            raise
        except Exception as error:  # a mistake of ours must not stop the lane, and is not hidden
            why = f"the connector failed on this command: {type(error).__name__}: {error}"
            return course.ends(Outcome.UNKNOWN, OUTCOME_UNKNOWN, why[:1000])

    async def _end(self, message: Message, command: Command, ending: Ending) -> None:
        result = result_of(command, ending, self._tools.clock.stamp())
        done = Done(command.id, message.offset, command.digest, result, ending.intent)
        records = [*self._tools.ledger.write(done, message.coordinates), result_record(self._topics, message, result)]
        stage = "outcome" if ending.outcome is Outcome.UNKNOWN else "validate" if ending.reason == INVALID else ""
        if stage:
            records.append(dead_letter(self._topics, message, stage, ending.reason, ending.message))
        await self._commit(message, records)
        if stage:
            self._refused(message, stage, ending.message)

    async def _reject_repeated(self, message: Message, command: Command) -> None:
        ending = Ending(Outcome.REJECTED, INVALID, REPEATED)
        await self._commit(message, [result_record(self._topics, message, result_of(command, ending, self._tools.clock.stamp()))])
        self._told_at_once(command, ending)

    async def _repeat(self, message: Message, command: Command, done: Done) -> None:
        result = again(done.result, self._tools.clock.stamp())
        await self._commit(message, [result_record(self._topics, message, result)])
        ending = Ending(Outcome(result["outcome"]), result["reason"], result["message"], attempts=result["attempts"])
        self._told_at_once(command, ending, duplicate=True)

    async def _commit(self, message: Message, records: Sequence[Record]) -> None:
        self._finish(message.offset)
        await self._writer.submit(records)

    def _refused(self, message: Message, stage: str, reason: str) -> None:
        self._tools.tell(MessageRefused(self._tools.administration, stage, message.partition, message.offset, reason))

    def _told_at_once(self, command: Command, ending: Ending, *, duplicate: bool = False) -> None:
        self._tools.tell(CommandTaken(self._tools.administration, command.name))
        self._told(command, ending, self._tools.clock.monotonic(), duplicate=duplicate)

    def _told(self, command: Command, ending: Ending, started: float, *, duplicate: bool = False) -> None:
        tools = self._tools
        note(outcome=ending.outcome.value, reason=ending.reason, attempts=ending.attempts, duplicate=duplicate)
        tools.tell(
            CommandEnded(
                tools.administration,
                command.name,
                command.id,
                ending.outcome.value,
                ending.reason,
                ending.message,
                ending.attempts,
                ending.reconciled,
                duplicate,
                tools.clock.monotonic() - started,
            )
        )


def _lettered(done: Done) -> bool:
    """Whether it went to the dead letters, from which it may be redriven: one that was invalid is tried as new."""
    return bool(done.result["outcome"] == Outcome.UNKNOWN or done.result["reason"] == INVALID)
