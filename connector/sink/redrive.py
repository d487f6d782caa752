"""Judging a redriven dead letter by what travels in its headers, when the ledger no longer knows its command. Pure."""

from dataclasses import dataclass

from connector.kafka.records import header
from connector.messages.command import Command
from connector.messages.dead_letter import INTENT, STAGE, WRITTEN
from connector.sink.ledger.ledger import Intent, decode, encode
from connector.sink.records import Message

NEVER_SENT = ("parse", "validate")
"""Stages of messages that were no valid command: nothing was sent for them."""

REMEMBERED_SHARE = 0.9
"""The share of the ledger's retention within which a command is certainly still remembered."""


@dataclass(frozen=True, slots=True)
class RedrivenLetter:
    """A dead letter as far as its headers tell. `written`: seconds since 1970; `intent`: the last call of its command."""

    stage: str
    written: float | None
    intent: Intent | None

    def is_new(self, now: float, retention: float) -> bool:
        """Whether its command was never sent: it was invalid, and a redrive since then would be remembered. Seconds."""
        young = self.written is not None and now - self.written < retention * REMEMBERED_SHARE
        return self.stage in NEVER_SENT and young


def redriven_letter(message: Message, command: Command) -> RedrivenLetter:
    """What the headers of a redriven message say; whatever cannot be read says nothing."""
    written = header(message.headers, WRITTEN) or b""
    return RedrivenLetter(
        (header(message.headers, STAGE) or b"").decode(errors="replace"),
        int(written) / 1000 if written.isdigit() and len(written) < 20 else None,
        _intent(header(message.headers, INTENT), command),
    )


def intent_header(intent: Intent | None) -> bytes | None:
    """An INTENT as its dead letter carries it."""
    return None if intent is None else encode(intent)


def _intent(value: bytes | None, command: Command) -> Intent | None:
    try:
        intent = decode(value or b"null")
    except (TypeError, ValueError, KeyError, AttributeError):
        return None
    if not isinstance(intent, Intent) or not isinstance(intent.before, dict) or not isinstance(intent.attempt, int):
        return None
    same = (intent.command_id, intent.command) == (command.id, command.name) and intent.digest in command.digests
    return intent if same else None
