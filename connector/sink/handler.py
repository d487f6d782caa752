"""Serving one message of the command topic to its end: a command, a repeated one, a redriven one, or no command at all."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from weakref import WeakValueDictionary

from connector.errors import Fenced, Retry, TransactionLost
from connector.events.commands import CommandDropped, CommandEnded, CommandTaken, MessageRefused
from connector.kafka.records import Record
from connector.kafka.writing.writer import Writer
from connector.messages.command import Command, Invalid, read
from connector.messages.result import CLIENT_FAULT, INVALID, OUTCOME_UNKNOWN, Outcome, as_duplicate
from connector.messages.topics import Topics
from connector.sink.command_end import CommandEnd
from connector.sink.context import SinkContext
from connector.sink.execution import Execution
from connector.sink.executor import Executor
from connector.sink.ledger.ledger import Done, Intent
from connector.sink.outbox import TooLarge
from connector.sink.records import LETTER_BYTES, Message, dead_letter, result_record
from connector.sink.redrive import intent_header, redriven_letter
from connector.tracing import continued, note

PROBLEM_CHARS_MAX = 1000
ORDER_TOO_LARGE = "the order is larger than the ledger can note: it must be changed at the POS"
UNEXPECTED = "unexpected"
"""The stage of what failed by a mistake of ours."""

REPEATED = "this commandId was used before, for something else"


class CommandHandler:
    """Serves messages of one partition. `finish` notes that an offset is finished, right before its records are submitted."""

    def __init__(
        self,
        executor: Executor,
        context: SinkContext,
        topics: Topics,
        writer: Writer,
        finish: Callable[[int], None],
        *,
        letter_bytes: int | None = None,
    ) -> None:
        self._executor = executor
        self._context = context
        self._topics = topics
        self._letter = partial(dead_letter, topics, most=letter_bytes or LETTER_BYTES)
        self._writer = writer
        self._finish = finish
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def serve(self, message: Message) -> None:
        """Until everything about it is committed. Raises Fenced or TransactionLost; nothing else, whatever the message holds."""
        taken: Command | Invalid | None = None
        try:
            taken = read(message.key, message.value, message.partition, self._context.partitions)
            if isinstance(taken, Invalid):
                await self._refuse(message, taken)
            else:
                await self._serve(message, taken)
        except (Fenced, TransactionLost, Retry):
            raise
        except Exception as error:  # a mistake of ours costs this message, and is not hidden
            await self._give_up(message, taken, error)

    async def _refuse(self, message: Message, what: Invalid) -> None:
        records = [self._letter(message, what.stage, INVALID, what.problem)]
        records += self._context.ledger.redrive(message.coordinates)
        result = what.result(self._context.clock.stamp())
        if result is not None:
            records.append(result_record(self._topics, message, result))
        await self._commit(message, records)
        self._refused(message, what.stage, what.problem)

    async def _give_up(self, message: Message, taken: Command | Invalid | None, error: Exception) -> None:
        """Tell what is not known: nobody else can."""
        why = _failed(error)
        records = [self._letter(message, UNEXPECTED, OUTCOME_UNKNOWN, why)]
        if isinstance(taken, Command):
            end = CommandEnd(Outcome.UNKNOWN, OUTCOME_UNKNOWN, why)
            records.append(result_record(self._topics, message, end.result(taken, self._context.clock.stamp())))
        await self._commit(message, records)
        self._refused(message, UNEXPECTED, why)

    async def _serve(self, message: Message, command: Command) -> None:
        """Equal ids under different keys, one after the other, each in its trace."""
        lock = self._locks.setdefault(command.id, asyncio.Lock())
        where = {"administration": self._context.administration, "command_id": command.id}
        async with lock:
            with continued(command.name, message.headers, **where):
                await self._by_ledger(message, command)

    async def _by_ledger(self, message: Message, command: Command) -> None:
        """What is known of this commandId decides."""
        entry = await self._context.ledger.entry(command.id)
        again_asked = bool(message.coordinates) and not await self._context.ledger.redriven(message.coordinates)
        execution = Execution(command, message.offset, message.coordinates, entry if isinstance(entry, Intent) else None)
        if entry is None and message.coordinates:
            await self._carry_out(message, execution, forgotten=not self._is_new(message, execution))
        elif entry is None or (isinstance(entry, Intent) and entry.digest in command.digests):
            await self._carry_out(message, execution)
        elif entry.digest not in command.digests:
            await self._reject_repeated(message, command)
        elif isinstance(entry, Done) and entry.offset == message.offset:
            await self._commit(message, [])  # delivered once more: everything about it is published
        elif isinstance(entry, Done) and again_asked and _lettered(entry):
            execution.intent, execution.redriven = entry.intent, entry.intent is not None
            await self._carry_out(message, execution, forgotten=entry.forgotten)
        elif isinstance(entry, Done):
            await self._repeat(message, command, entry)

    def _is_new(self, message: Message, execution: Execution) -> bool:
        """Whether a redriven command that the ledger does not know was never sent; if not, its INTENT is that of the letter."""
        letter = redriven_letter(message, execution.command)
        if letter.is_new(self._context.clock.wall().timestamp(), self._context.deadlines.ledger):
            return True
        execution.intent = letter.intent
        return False

    async def _carry_out(self, message: Message, execution: Execution, *, forgotten: bool = False) -> None:
        context, command = self._context, execution.command
        started = context.clock.monotonic()
        context.tell(CommandTaken(context.administration, command.name))
        try:
            end, stage = await self._outcome(execution, forgotten=forgotten)
            await self._publish_end(message, command, end, stage, forgotten=forgotten)
            context.calls.told(command.id)
        except BaseException:
            context.tell(CommandDropped(context.administration, command.name, command.id))
            raise
        self._told(command, end, started)

    async def _outcome(self, execution: Execution, *, forgotten: bool) -> tuple[CommandEnd, str]:
        """How the command ends, and the stage of its dead letter, empty for none."""
        work = self._executor.judge if forgotten else self._executor.carry_out
        try:
            end = await work(execution)
        except (Fenced, TransactionLost, Retry):
            raise
        except TooLarge:
            return _too_large(execution), "" if execution.unsent else "outcome"
        except Exception as error:  # as in serve: here the INTENT is known
            return execution.ends(Outcome.UNKNOWN, OUTCOME_UNKNOWN, _failed(error)), UNEXPECTED
        stage = "outcome" if end.outcome is Outcome.UNKNOWN else "validate" if end.reason == INVALID else ""
        return end, stage

    async def _publish_end(self, message: Message, command: Command, end: CommandEnd, stage: str, *, forgotten: bool) -> None:
        result = end.result(command, self._context.clock.stamp())
        done = Done(command.id, message.offset, command.digest, result, end.intent, forgotten)
        records = [*self._context.ledger.write(done, message.coordinates), result_record(self._topics, message, result)]
        if stage:
            intent = intent_header(end.intent)
            records.append(self._letter(message, stage, end.reason, end.message, intent=intent))
        await self._commit(message, records)
        if stage:
            self._refused(message, stage, end.message)

    async def _reject_repeated(self, message: Message, command: Command) -> None:
        end = CommandEnd(Outcome.REJECTED, INVALID, REPEATED)
        await self._commit(message, [result_record(self._topics, message, end.result(command, self._context.clock.stamp()))])
        self._told_at_once(command, end)

    async def _repeat(self, message: Message, command: Command, done: Done) -> None:
        result = as_duplicate(done.result, self._context.clock.stamp())
        await self._commit(message, [result_record(self._topics, message, result)])
        end = CommandEnd(Outcome(result["outcome"]), result["reason"], result["message"], attempts=result["attempts"])
        self._told_at_once(command, end, duplicate=True)

    async def _commit(self, message: Message, records: Sequence[Record]) -> None:
        self._finish(message.offset)
        await self._writer.submit(records)

    def _refused(self, message: Message, stage: str, reason: str) -> None:
        self._context.tell(MessageRefused(self._context.administration, stage, message.partition, message.offset, reason))

    def _told_at_once(self, command: Command, end: CommandEnd, *, duplicate: bool = False) -> None:
        self._context.tell(CommandTaken(self._context.administration, command.name))
        self._told(command, end, self._context.clock.monotonic(), duplicate=duplicate)

    def _told(self, command: Command, end: CommandEnd, started: float, *, duplicate: bool = False) -> None:
        context = self._context
        note(outcome=end.outcome.value, reason=end.reason, attempts=end.attempts, duplicate=duplicate)
        context.tell(
            CommandEnded(
                context.administration,
                command.name,
                command.id,
                end.outcome.value,
                end.reason,
                end.message,
                end.attempts,
                end.reconciled,
                duplicate,
                context.clock.monotonic() - started,
            )
        )


def _failed(error: Exception) -> str:
    return f"the connector failed on this command: {type(error).__name__}: {error}"[:PROBLEM_CHARS_MAX]


def _too_large(execution: Execution) -> CommandEnd:
    """How the order stands cannot be noted, so that nothing may be sent for it."""
    outcome, reason = (Outcome.REJECTED, CLIENT_FAULT) if execution.unsent else (Outcome.UNKNOWN, OUTCOME_UNKNOWN)
    return replace(execution.ends(outcome, reason, ORDER_TOO_LARGE), intent=None)


def _lettered(done: Done) -> bool:
    """Whether it went to the dead letters, from which it may be redriven: one that was invalid is tried as new."""
    return bool(done.result["outcome"] == Outcome.UNKNOWN or done.result["reason"] == INVALID)
