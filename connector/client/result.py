"""The result of a command, as `{a}.order-command-results` has it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import orjson


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

    @property
    def succeeded(self) -> bool:
        """Whether the command did what it says."""
        return self.outcome == "succeeded"


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.title() for word in rest)


NAMES = {row.name: _camel(row.name) for row in fields(Result) if row.name != "published"}
"""Attribute → its name in JSON: `ext_order_id` is `extOrderId`."""


def decoded(value: bytes | None) -> Result | None:
    """The result in a record; None where it holds none."""
    try:
        row = orjson.loads(value or b"")
    except orjson.JSONDecodeError:
        return None
    if not isinstance(row, dict) or not isinstance(row.get("commandId"), str):
        return None
    known = {name: row[word] for name, word in NAMES.items() if row.get(word) is not None}
    return Result(**known, published=row)
