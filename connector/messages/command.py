"""A record of the command topic → a command, or what is wrong with it. Pure."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from itertools import chain, islice
from typing import Any

import jsonschema_rs
import orjson

from connector import schemas
from connector.kafka.records import cut, partition_of
from connector.messages.result import INVALID, Outcome, Result
from connector.messages.schema_errors import worded
from connector.messages.strict_json import FLAWS_MAX, Flaw, Unreadable, flaws, is_clean, read_object, shown
from connector.mplus.encode import day, moment
from connector.mplus.responses.values import InvalidValue

CREATE = "createOrder"
ASTRAY = (
    "the record lies in partition {}, but the key of its order belongs in {}: its producer must use Java's default partitioner "
    "(librdkafka: partitioner=murmur2_random)"
)
PROBLEM_CHARS_MAX, NAME_CHARS_MAX, TOLD_WHOLE_BYTES_MAX = 1000, 255, 32_768


def names() -> tuple[str, ...]:
    """The order commands: those that have a schema."""
    return schemas.names("commands")


def holds_order(name: str) -> bool:
    """Whether the command carries an order, by its schema."""
    return "order" in schemas.load(name, "commands")["properties"]


@dataclass(frozen=True, slots=True)
class Command:
    """A valid command. `key` is the record's; an id is "" where the order is not named by it, and also taken from `order`.

    One that names its order by orderId alone may stand under any key: whose that is the order itself tells. `digest` is the same
    for the same JSON content, however it is spelled and in whatever order its fields stand, and whenever it expires.
    `digests`: also that of a version in which `expiresAt` counted.
    """

    id: str
    name: str
    key: str
    order_id: str
    ext_order_id: str
    body: Mapping[str, Any]
    digest: str
    expires_at: datetime | None
    digests: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Invalid:
    """What is no command. `stage`: "parse" or "validate"; `problem`: one line; the rest as far as it could be read."""

    stage: str
    problem: str
    command_id: str | None = None
    name: str | None = None
    ext_order_id: str | None = None
    order_id: str | None = None

    def result(self, at: str) -> dict[str, Any] | None:
        """The fields of its result; `at` is RFC 3339. None where it does not say whose."""
        if self.command_id is None:
            return None
        outcome, ids = Outcome.REJECTED.value, (self.order_id, self.ext_order_id)
        return Result(self.command_id, self.name, outcome, INVALID, self.problem, *ids, at=at).encode()


def read(
    key: bytes | None, value: bytes | None, partition: int | None = None, partitions: int | None = None
) -> Command | Invalid:
    """The command in a record. Never raises: what is wrong is said, all of it at once where that can be.

    `partition`: where it lies, of so many; None: anywhere is right.
    """
    try:
        document = read_object(value)
    except Unreadable as error:
        return Invalid("parse", str(error))
    found = flaws(document)
    if unclear := [flaw for flaw in found if not flaw.readable]:
        return _invalid("parse", [str(flaw) for flaw in unclear], document)
    problems = chain(_problems(document, found, len(value or b"")), _misplaced(key, document, partition, partitions))
    if told := list(islice(problems, FLAWS_MAX)):  # the flaws first: see strict
        return _invalid("validate", told, document)
    return _command((key or b"").decode(), document)


def _problems(document: dict[str, Any], found: list[Flaw], size: int) -> Iterator[str]:
    yield from map(str, found)
    name = document.get("command")
    if name in names():
        places = {flaw.path for flaw in found}
        errors = _errors(_validator(name), document, size)
        yield from (worded(error) for error in errors if tuple(error.instance_path) not in places)
    else:
        yield "command is missing" if name is None else f"command: {shown(name)} is none of {', '.join(names())}"


def _errors(rules: Any, document: dict[str, Any], size: int) -> Iterable[Any]:
    """All errors of a message of usual size; of a huge one the first, for each of them copies the value that it is about."""
    if rules.is_valid(document):
        return []
    if size <= TOLD_WHOLE_BYTES_MAX:
        return rules.iter_errors(document)  # type: ignore[no-any-return]
    try:
        rules.validate(document)
    except jsonschema_rs.ValidationError as error:
        return [error]
    return []


def _misplaced(key: bytes | None, document: dict[str, Any], partition: int | None, partitions: int | None) -> Iterator[str]:
    """Order is kept per key, in its partition: what lies elsewhere would run beside the others of its order."""
    if wrong := _wrong_key(key, _named(document, "extOrderId"), by_order_id=bool(_named(document, "orderId"))):
        yield wrong
    elif partition is not None and partitions is not None and _a_name(key) and partition_of(key, partitions) != partition:
        yield ASTRAY.format(partition, partition_of(key, partitions))


def _wrong_key(key: bytes | None, ext_order_id: str, *, by_order_id: bool) -> str:
    """Empty where it is right, or where nothing says whose it is."""
    if ext_order_id and key != ext_order_id.encode():
        has = "no key" if key is None else f"the key {_few(key)}"
        return f"the record has {has}, but its order's is {shown(ext_order_id)}"
    if ext_order_id or not by_order_id or _a_name(key):
        return ""
    return "the record has no key" if key is None else f"the record's key, {_few(key)}, is no name of an order"


def _a_name(key: bytes | None) -> bool:
    if not key or len(key) > 4 * NAME_CHARS_MAX:
        return False
    try:
        return _readable(key.decode()) is not None
    except UnicodeDecodeError:
        return False


def _few(key: bytes) -> str:
    return shown(key[: 4 * NAME_CHARS_MAX].decode(errors="replace"))


def _command(key: str, document: dict[str, Any]) -> Command:
    digest = _digest({name: value for name, value in document.items() if name != "expiresAt"})
    return Command(
        id=document["commandId"],
        name=document["command"],
        key=key,
        order_id=_named(document, "orderId"),
        ext_order_id=_named(document, "extOrderId"),
        body=document,
        digest=digest,
        expires_at=moment(document["expiresAt"]) if "expiresAt" in document else None,
        digests=frozenset({digest, _digest(document) if "expiresAt" in document else digest}),
    )


def _digest(content: dict[str, Any]) -> str:
    return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]


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
        cut(problem, PROBLEM_CHARS_MAX),
        command_id=_command_id(document),
        name=name if name in names() else None,
        ext_order_id=_readable(_named(document, "extOrderId")),
        order_id=None if name == CREATE else _readable(_named(document, "orderId")),  # there it is another order's
    )


def _command_id(document: dict[str, Any]) -> str | None:
    """Only where it is one by the schema's own rule: a result is published under it."""
    id_ = document.get("commandId")
    return id_ if isinstance(id_, str) and _readable(id_) and _id_rule().is_valid(id_) else None


def _readable(name: str) -> str | None:
    return name if 0 < len(name) <= NAME_CHARS_MAX and is_clean(name) else None


@cache
def _validator(command: str) -> Any:
    formats = {"date": _reads(day), "date-time": _reads(moment)}
    return jsonschema_rs.Draft202012Validator(schemas.load(command, "commands"), validate_formats=True, formats=formats)


@cache
def _id_rule() -> Any:
    return jsonschema_rs.Draft202012Validator(schemas.load(CREATE, "commands")["properties"]["commandId"])


def _reads(read_text: Callable[[str], object]) -> Callable[[str], bool]:
    def reads(text: str) -> bool:
        try:
            read_text(text)
        except InvalidValue:
            return False
        return True

    return reads
