"""What a dead letter of an unknown outcome had sent to the POS, in words, and what to look at. Pure."""

from collections.abc import Mapping
from typing import Any

import orjson

from connector.cli.letters.text import words
from connector.messages.loose_json import object_in
from connector.sink.commands.table import SPECS

SHOWN_CHARS_MAX = 300
"""Characters that are shown of each fact: the bytes may be anybody's."""


def intended(value: bytes | None) -> list[str]:
    """Lines about the header mplus_intent; none where it is not there, or cannot be read."""
    entry = _entry(value)
    if not entry.get("operation"):
        return []
    lines = [f"sent to the POS: {_call(entry)}"]
    if before := _told(entry, "before"):
        lines.append(f"how it stood before: {before}")
    spec = SPECS.get(str(entry.get("command")))
    return [*lines, f"look at: {spec.look_at}"] if spec and spec.look_at else lines


def _call(entry: Mapping[str, Any]) -> str:
    """Which operation, when, how often, and for which order."""
    at, attempt = _told(entry, "at") or "an unknown time", _told(entry, "attempt") or "?"
    names = (("orderId", _told(entry, "order_id")), ("extOrderId", _told(entry, "ext_order_id")))
    named = ", ".join(f"{field} {text}" for field, text in names if text)
    return f"{_told(entry, 'operation')} at {at}, call {attempt}" + (f", for the order with {named}" if named else "")


def _entry(value: bytes | None) -> Mapping[str, Any]:
    """The intent, alone or as the ledger has it."""
    row = object_in(value)
    inner = row.get("entry", row)
    return inner if isinstance(inner, dict) else {}


def _told(entry: Mapping[str, Any], field: str) -> str:
    """A fact on one line; "" where there is none."""
    fact = entry.get(field)
    if fact in (None, "", {}):
        return ""
    text = words(fact.encode() if isinstance(fact, str) else orjson.dumps(fact))
    return text if len(text) <= SHOWN_CHARS_MAX else text[: SHOWN_CHARS_MAX - 1] + "…"
