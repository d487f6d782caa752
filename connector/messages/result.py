"""The result of a command, as `{a}.order-command-results` has it: written by workers, read by everybody. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any

from connector.messages.loose_json import object_in


class Outcome(StrEnum):
    """All that can become of a command."""

    SUCCEEDED = "succeeded"
    REJECTED = "rejected"
    UNKNOWN = "unknown"


INVALID, EXPIRED, CLIENT_FAULT, OUTCOME_UNKNOWN = "INVALID-COMMAND", "EXPIRED", "CLIENT-FAULT", "OUTCOME-UNKNOWN"
"""Reasons of our own; the others are result codes of the POS."""


@dataclass(frozen=True, slots=True)
class Result:
    """`outcome` is `succeeded`, `rejected` or `unknown`; `at` is RFC 3339; what the worker left out is None, 0 or False."""

    command_id: str
    command: str | None = None
    outcome: str = "unknown"
    reason: str | None = None
    message: str | None = None
    order_id: str | None = None
    ext_order_id: str | None = None
    invoice_id: str | None = None
    packing_slip_id: str | None = None
    sync_marker: int | None = None
    attempts: int = 0
    reconciled: bool = False
    duplicate: bool = False
    at: str | None = None
    published: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    """The result's JSON, under the names of the topic."""

    def encode(self) -> dict[str, Any]:
        """The fields under the names of the contract, in its order."""
        return {word: getattr(self, name) for name, word in NAMES.items()}

    @property
    def succeeded(self) -> bool:
        """Whether the command did what it says."""
        return self.outcome == Outcome.SUCCEEDED

    def says_more_than(self, before: "Result") -> bool:
        """Whether this later result of the same command replaces the one before: it does after a redrive.

        A duplicate repeats what was said. The refusal of a message that was never sent is about that message (the id was
        used again, for something else), where the command itself had been sent or had ended otherwise.
        """
        if self.duplicate:
            return before.duplicate
        never_sent = before.attempts == 0 and (before.outcome == Outcome.UNKNOWN or before.refuses)
        return before.duplicate or never_sent or not self.refuses

    @property
    def refuses(self) -> bool:
        """Whether a message was no valid command, so that nothing was sent for it."""
        return (self.outcome, self.reason, self.attempts) == (Outcome.REJECTED, INVALID, 0)


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.title() for word in rest)


NAMES = {row.name: _camel(row.name) for row in fields(Result) if row.name != "published"}
"""Attribute → its name in JSON: `ext_order_id` is `extOrderId`."""

TYPES: Mapping[str, type] = {"sync_marker": int, "attempts": int, "reconciled": bool, "duplicate": bool}
"""Attribute → what it holds, where that is no text."""


def decoded(value: bytes | None) -> Result | None:
    """The result in a record; None where it holds none, or what no worker writes. Never raises."""
    row = object_in(value)
    if row.get("outcome") not in [*Outcome] or row.get("commandId") is None:
        return None
    known = {name: row[word] for name, word in NAMES.items() if row.get(word) is not None}
    if any(type(found) is not TYPES.get(name, str) for name, found in known.items()):
        return None
    return Result(**known, published=row)


def as_duplicate(result: Mapping[str, Any], at: str) -> dict[str, Any]:
    """The fields of the original result once more, for a repeated command; also those that a later version wrote."""
    return {**result, "duplicate": True, "at": at}
