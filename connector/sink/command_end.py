"""How a command ended, and the result that is published for it. Pure."""

from dataclasses import dataclass
from typing import Any

from connector.kafka.records import cut
from connector.messages.command import Command
from connector.messages.result import Outcome, Result
from connector.sink.ledger.ledger import Intent

MESSAGE_CHARS_MAX = 1000


@dataclass(frozen=True, slots=True)
class CommandEnd:
    """`attempts`: calls sent to change something; `intent`: the last of them, of an unknown outcome."""

    outcome: Outcome
    reason: str
    message: str = ""
    order_id: str = ""
    ext_order_id: str = ""
    invoice_id: str = ""
    packing_slip_id: str = ""
    sync_marker: int | None = None
    attempts: int = 0
    reconciled: bool = False
    intent: Intent | None = None

    def result(self, command: Command, at: str) -> dict[str, Any]:
        """The fields of its result; `at` is RFC 3339."""
        result = Result(
            command.id,
            command.name,
            self.outcome.value,
            self.reason,
            cut(self.message, MESSAGE_CHARS_MAX),
            self.order_id or command.order_id or None,
            self.ext_order_id or command.ext_order_id or None,
            self.invoice_id or None,
            self.packing_slip_id or None,
            self.sync_marker,
            self.attempts,
            self.reconciled,
            at=at,
        )
        return result.encode()
