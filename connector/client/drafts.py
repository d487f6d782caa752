"""A command as it is written: its id, its key and its JSON, or why no worker could answer it. Pure, but for making ids."""

import re
import uuid
from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from connector.errors import Reject

NAME_CHARS_MAX = 255
"""Characters of a commandId, a key, an extOrderId and an orderId, at most."""

RESERVED = ("redrive:", "lane:")
"""How no commandId may begin."""

ANSWERABLE = re.compile("[^\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]*")
"""What a commandId may hold: a result is published and remembered under it. As schemas/commands have it."""


class Ready(NamedTuple):
    """A command as it is written."""

    command_id: str
    key: str
    value: bytes


def ready(command: Mapping[str, Any], key: str | None = None) -> Ready:
    """The command with a commandId, its key and its JSON. Raises Reject for what no worker could carry out, or answer.

    `key`: of an order that is named by its orderId only, and has an extOrderId.
    """
    body = {"commandId": str(uuid.uuid4()), **command}
    key = order_key(body) if key is None else key
    if not key:
        raise _none("the command names no order: give its extOrderId, or its orderId where it has none")
    must_be_answerable(body["commandId"])
    for what, name in (("key", key), *_names(body)):
        if len(name) > NAME_CHARS_MAX:
            raise _none(f"{what} is longer than {NAME_CHARS_MAX} characters")
    try:
        key.encode()
        return Ready(body["commandId"], key, orjson.dumps(body))
    except (TypeError, UnicodeEncodeError) as error:
        raise _none(f"the command cannot be written as JSON: {error}") from error


def must_be_answerable(command_id: object) -> None:
    """Raises Reject for a commandId under which no worker can publish a result: awaiting it would never end."""
    if not isinstance(command_id, str) or not command_id:
        raise _none("commandId must be a text, and not empty")
    if len(command_id) > NAME_CHARS_MAX:
        raise _none(f"commandId is longer than {NAME_CHARS_MAX} characters: no result could be published under it")
    if command_id.startswith(RESERVED):
        raise _none(f"commandId {command_id!a} begins with {' or '.join(RESERVED)}, which the ledger keeps for itself")
    if not ANSWERABLE.fullmatch(command_id):
        raise _none(f"commandId {command_id!a} holds a character that XML cannot carry: no result could be published under it")


def order_key(command: Mapping[str, Any]) -> str:
    """The key: the order's extOrderId, else its orderId; empty where neither is there."""
    return next((name for _, name in _names(command) if name), "")


def _names(command: Mapping[str, Any]) -> list[tuple[str, str]]:
    """How the order is named: the field and its text, extOrderId first."""
    order = command.get("order")
    place = order if isinstance(order, Mapping) else command
    rows = ((field, place.get(field)) for field in ("extOrderId", "orderId"))
    return [(field, name) for field, name in rows if isinstance(name, str)]


def _none(why: str) -> Reject:
    return Reject(why, "INVALID-COMMAND")
