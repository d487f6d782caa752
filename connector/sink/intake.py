"""A record of the command topic → a command, or what is wrong with it. Pure."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from itertools import islice
from typing import Any

import jsonschema_rs
import orjson

from connector.mplus import schema as schemas
from connector.mplus.encode import day, moment
from connector.mplus.values import InvalidValue
from connector.sink.strict import MOST_FLAWS, Flaw, Unreadable, flaws, is_clean, read_object, shown
from connector.sink.wording import worded

COMMANDS = ("createOrder", "updateOrder", "cancelOrder", "payOrder", "deliverOrder")
LONGEST_PROBLEM, LONGEST_NAME, LARGEST_TOLD_WHOLE = 1000, 255, 32_768


@dataclass(frozen=True, slots=True)
class Command:
    """A valid command. `key` is the record's; an id is "" where the order is not named by it, and also taken from `order`.

    `digest` is the same for the same JSON content, however it is spelled and in whatever order its fields stand.
    """

    id: str
    name: str
    key: str
    order_id: str
    ext_order_id: str
    body: Mapping[str, Any]
    digest: str
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Invalid:
    """What is no command. `stage`: "parse" or "validate"; `problem`: one line; the rest as far as it could be read."""

    stage: str
    problem: str
    command_id: str | None = None
    name: str | None = None
    ext_order_id: str | None = None
    order_id: str | None = None


def read(key: bytes | None, value: bytes | None) -> Command | Invalid:
    """The command in a record. Never raises: what is wrong is said, all of it at once where that can be."""
    try:
        document = read_object(value)
    except Unreadable as error:
        return Invalid("parse", str(error))
    found = flaws(document)
    if unclear := [flaw for flaw in found if not flaw.readable]:
        return _invalid("parse", [str(flaw) for flaw in unclear], document)
    if problems := list(islice(_problems(key, document, found, len(value or b"")), MOST_FLAWS)):  # the flaws first: see strict
        return _invalid("validate", problems, document)
    return _command(document)


def _problems(key: bytes | None, document: dict[str, Any], found: list[Flaw], size: int) -> Iterator[str]:
    yield from map(str, found)
    name = document.get("command")
    if name in COMMANDS:
        places = {flaw.path for flaw in found}
        errors = _errors(_validator(name), document, size)
        yield from (worded(error) for error in errors if tuple(error.instance_path) not in places)
    else:
        yield "command is missing" if name is None else f"command: {shown(name)} is none of {', '.join(COMMANDS)}"
    yield from _wrong_key(key, _named(document, "extOrderId") or _named(document, "orderId"))


def _errors(rules: Any, document: dict[str, Any], size: int) -> Iterable[Any]:
    """All errors of a message of usual size; of a huge one the first, for each of them copies the value that it is about."""
    if rules.is_valid(document):
        return []
    if size <= LARGEST_TOLD_WHOLE:
        return rules.iter_errors(document)  # type: ignore[no-any-return]
    try:
        rules.validate(document)
    except jsonschema_rs.ValidationError as error:
        return [error]
    return []


def _wrong_key(key: bytes | None, expected: str) -> Iterator[str]:
    if expected and key != expected.encode():
        has = "no key" if key is None else f"the key {shown(key.decode(errors='replace'))}"
        yield f"the record has {has}, but its order's is {shown(expected)}"


def _command(document: dict[str, Any]) -> Command:
    ext_order_id, order_id = _named(document, "extOrderId"), _named(document, "orderId")
    return Command(
        id=document["commandId"],
        name=document["command"],
        key=ext_order_id or order_id,
        order_id=order_id,
        ext_order_id=ext_order_id,
        body=document,
        digest=hashlib.sha256(orjson.dumps(document, option=orjson.OPT_SORT_KEYS)).hexdigest()[:32],
        expires_at=moment(document["expiresAt"]) if "expiresAt" in document else None,
    )


def _named(document: dict[str, Any], field: str) -> str:
    """How the order is named, "" where it is not by this field."""
    order = document.get("order")
    name = (order if isinstance(order, dict) else document).get(field)
    return name if isinstance(name, str) else ""


def _invalid(stage: str, problems: list[str], document: dict[str, Any]) -> Invalid:
    problem = "; ".join(problems)
    name = document.get("command")
    return Invalid(
        stage,
        problem if len(problem) <= LONGEST_PROBLEM else problem[: LONGEST_PROBLEM - 1] + "…",
        command_id=_command_id(document),
        name=name if name in COMMANDS else None,
        ext_order_id=_readable(_named(document, "extOrderId")),
        order_id=_readable(_named(document, "orderId")),
    )


def _command_id(document: dict[str, Any]) -> str | None:
    """Only where it is one by the schema's own rule: a result is published under it."""
    id_ = document.get("commandId")
    return id_ if isinstance(id_, str) and _readable(id_) and _id_rule().is_valid(id_) else None


def _readable(name: str) -> str | None:
    return name if 0 < len(name) <= LONGEST_NAME and is_clean(name) else None


@cache
def _validator(command: str) -> Any:
    formats = {"date": _reads(day), "date-time": _reads(moment)}
    return jsonschema_rs.Draft202012Validator(schemas.load(command, "commands"), validate_formats=True, formats=formats)


@cache
def _id_rule() -> Any:
    return jsonschema_rs.Draft202012Validator(schemas.load(COMMANDS[0], "commands")["properties"]["commandId"])


def _reads(read_text: Callable[[str], object]) -> Callable[[str], bool]:
    def reads(text: str) -> bool:
        try:
            read_text(text)
        except InvalidValue:
            return False
        return True

    return reads
