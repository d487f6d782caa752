"""Answering for commands that were begun and cannot be read any more: nobody else will."""

import asyncio
from collections.abc import Sequence

from connector.events.commands import CommandEnded, CommandTaken, MessageRefused
from connector.kafka.records import Place, Record
from connector.messages.result import OUTCOME_UNKNOWN, Outcome
from connector.sink.intake.vanished import Vanished, told, unknown
from connector.sink.ledger.ledger import Done, Intent, Ledger
from connector.sink.outbox import Outbox
from connector.sink.parts import SinkTaskContext


async def answer(vanished: Vanished, parts: SinkTaskContext, place: Place, ledger: Ledger, writer: Outbox) -> None:
    """Each gets its result and its DONE, before anything else of the partition. Raises TransactionLost."""
    stamp = parts.task_context.clock.stamp()
    ended = [(intent, unknown(intent, stamp)) for intent in vanished.intents]
    await asyncio.gather(*(writer.submit(_records(parts, place, ledger, pair, writer)) for pair in ended))
    for intent, done in ended:
        _tell(parts, place, intent, str(done.result["message"]))


def _records(
    parts: SinkTaskContext, place: Place, ledger: Ledger, ended: tuple[Intent, Done], writer: Outbox
) -> Sequence[Record]:
    """A letter that is too large for its topic goes without the INTENT; the ledger has it."""
    result, letter = told(parts.topics, place.partition, *ended)
    if not writer.takes(letter):
        letter = letter._replace(headers=letter.headers[:-1])
    return [*ledger.write(ended[1]), result, letter]


def _tell(parts: SinkTaskContext, place: Place, intent: Intent, message: str) -> None:
    """Tell the result as of any command that has ended so."""
    name, tell, outcome = parts.administration, parts.task_context.tell, Outcome.UNKNOWN.value
    tell(CommandTaken(name, intent.command))
    ended = (outcome, OUTCOME_UNKNOWN, message, intent.attempt, False, False, 0.0)
    tell(CommandEnded(name, intent.command, intent.command_id, *ended))
    tell(MessageRefused(name, "outcome", place.partition, intent.offset, message))
