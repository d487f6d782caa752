"""How a command ended, and the result that is published for it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from connector.kafka.records import cut
from connector.messages.command import Command, Invalid
from connector.sink.ledger.ledger import Intent


class Outcome(StrEnum):
    """All that can become of a command."""

    SUCCEEDED = "succeeded"
    REJECTED = "rejected"
    UNKNOWN = "unknown"


MESSAGE_CHARS_MAX = 1000
INVALID, EXPIRED, CLIENT_FAULT, OUTCOME_UNKNOWN = "INVALID-COMMAND", "EXPIRED", "CLIENT-FAULT", "OUTCOME-UNKNOWN"


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


def result_of(command: Command, end: CommandEnd, at: str) -> dict[str, Any]:
    """The result's fields, as the contract names them; `at` is RFC 3339."""
    return {
        "commandId": command.id,
        "command": command.name,
        "outcome": end.outcome.value,
        "reason": end.reason,
        "message": cut(end.message, MESSAGE_CHARS_MAX),
        "orderId": end.order_id or command.order_id or None,
        "extOrderId": end.ext_order_id or command.ext_order_id or None,
        "invoiceId": end.invoice_id or None,
        "packingSlipId": end.packing_slip_id or None,
        "syncMarker": end.sync_marker,
        "attempts": end.attempts,
        "reconciled": end.reconciled,
        "duplicate": False,
        "at": at,
    }


def as_duplicate(result: Mapping[str, Any], at: str) -> dict[str, Any]:
    """The original result once more, for a repeated command."""
    return {**result, "duplicate": True, "at": at}


def rejected(message: Invalid, at: str) -> dict[str, Any] | None:
    """The result of a message that is no command; None where it does not say whose."""
    if message.command_id is None:
        return None
    return {
        "commandId": message.command_id,
        "command": message.name,
        "outcome": Outcome.REJECTED.value,
        "reason": INVALID,
        "message": message.problem,
        "orderId": message.order_id,
        "extOrderId": message.ext_order_id,
        "invoiceId": None,
        "packingSlipId": None,
        "syncMarker": None,
        "attempts": 0,
        "reconciled": False,
        "duplicate": False,
        "at": at,
    }
