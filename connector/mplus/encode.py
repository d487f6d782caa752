"""JSON value of an order command → SOAP elements in the XSD's order, by closures compiled once from the command's schema.

What the XSD requires and the value lacks is sent as the schema's `default` says: an empty text or list. Pure.
"""

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from functools import cache, lru_cache
from typing import Any, TypeAlias

from connector import schemas
from connector.mplus.request import Fields, Value
from connector.mplus.responses.values import DAY_PARTS, MOMENT_PARTS, InvalidValue, shop_zone, shown

ENVELOPE = frozenset({"commandId", "command", "expiresAt", "extOrderId"})
REMEMBERED = 4096
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
MOMENT = re.compile(DAY.pattern + r"[Tt][0-9:]{8}(\.[0-9]+)?([Zz]|[+-](0[0-9]|1[0-3]):[0-5][0-9]|[+-]14:00)")
KINDS: Mapping[str, type] = {"integer": int, "boolean": bool, "string": str, "array": list, "object": dict}
NAMES = {int: "an integer", bool: "a boolean", str: "a string", list: "an array", dict: "an object"}

Schema: TypeAlias = dict[str, Any]
Encode: TypeAlias = Callable[[Any], Any]
Kind: TypeAlias = tuple[type, Encode | None]
"""What Python's JSON makes of the value, and how it is encoded; None where it is sent as it is."""
Property: TypeAlias = tuple[str, type, Encode | None, Fields, bool]
"""Name, kind, what is sent where it is absent, whether the element repeats. A plain tuple: it unpacks fastest."""


@cache
def fields(command: str, path: str = "") -> Callable[[Any], Fields]:
    """The encoder of a command's field (`order`, `paymentList`, `lineList`), or of all its fields that are not its envelope.

    It takes a value that is valid under the schema and raises ValueError, in one line, for what cannot be encoded. Raises
    KeyError for a command without a schema and for a field that it does not have.
    """
    schema = schemas.load(command, "commands")
    compiler = _Compiler(schema)
    if path:
        return _checked(*compiler.kind(schema["properties"][path]))
    request = {name: part for name, part in schema["properties"].items() if name not in ENVELOPE}
    encode = compiler.object("", {"properties": request, "required": [name for name in schema["required"] if name in request]})
    return lambda body: encode({name: part for name, part in body.items() if name not in ENVELOPE})


def day(text: str) -> date:
    """A date, `YYYY-MM-DD`. Raises InvalidValue."""
    try:
        return date.fromisoformat(text if DAY.fullmatch(text) else "")
    except ValueError:
        raise InvalidValue(f"{shown(text)} is not a date") from None


def moment(text: str) -> datetime:
    """A date and time with offset, RFC 3339. Raises InvalidValue, also for a leap second: the POS knows none."""
    try:
        return datetime.fromisoformat(text.upper() if MOMENT.fullmatch(text) else "")
    except ValueError:
        raise InvalidValue(f"{shown(text)} is not a date and time with offset") from None


@lru_cache(REMEMBERED)
def _soap_date(text: str) -> Fields:
    value = day(text)
    return tuple(zip(DAY_PARTS, (value.day, value.month, value.year), strict=True))


@lru_cache(REMEMBERED)
def _soap_date_time(text: str) -> Fields:
    """The POS knows whole seconds: a fraction is cut off."""
    value = moment(text)
    offset = value.utcoffset()
    minutes = int(offset.total_seconds() // 60) if offset else 0
    clock = (value.second, value.minute, value.hour, value.day, value.month, value.year)
    return tuple(zip(MOMENT_PARTS, (*clock, _is_summer(value), minutes), strict=True))


def _is_summer(value: datetime) -> bool:
    """Is this the shop's own summer time? Of the hour that comes twice the offset says which it is; elsewhere there is none."""
    walls = [value.replace(tzinfo=shop_zone(), fold=fold) for fold in (0, 1)]
    return any(wall.dst() and wall.utcoffset() == value.utcoffset() for wall in walls)


def _same(read: Callable[[str], object]) -> Encode:
    """An encoder of what is written in capitals."""

    def encode(text: str) -> str:
        read(text)
        return text.upper()

    return encode


SOAP_DATES: Mapping[str, Encode] = {"SoapMplusDate": _soap_date, "SoapMplusDateTime": _soap_date_time}
XSD_DATES: Mapping[str, Encode] = {"date": _same(day), "date-time": _same(moment)}


class _Compiler:
    def __init__(self, schema: Schema) -> None:
        self._definitions: Schema = schema.get("$defs", {})
        self._compiled: dict[str, Encode] = {}

    def kind(self, schema: Schema) -> Kind:
        if "$ref" in schema:
            return self._definition(schema["$ref"].removeprefix("#/$defs/"))
        if schema["type"] == "array":
            member, (type_, encode) = schema["items"].get("xml", {}).get("name"), self.kind(schema["items"])
            return list, _list(member, type_, encode) if "wrapped" in schema.get("xml", {}) else _repeated(type_, encode)
        if "x-mplus" in schema:
            return str, SOAP_DATES[schema["x-mplus"]]
        return KINDS[schema["type"]], XSD_DATES.get(schema.get("format", ""))

    def _definition(self, name: str) -> Kind:
        schema = self._definitions[name]
        if "properties" not in schema:
            return self.kind(schema)
        return dict, self._compiled.get(name) or self.object(name, schema)

    def object(self, name: str, schema: Schema) -> Encode:
        """The encoder of a type, known before it is filled: a type may contain itself."""
        properties: list[Property] = []
        encode = self._compiled[name] = _object(properties, frozenset(schema.get("required", ())))
        properties.extend(self._property(*item) for item in schema["properties"].items())
        return encode

    def _property(self, name: str, schema: Schema) -> Property:
        repeated = schema.get("type") == "array" and "wrapped" not in schema.get("xml", {})
        default = ((name, schema["default"]),) if "default" in schema else ()
        return name, *self.kind(schema), default, repeated


def _object(properties: list[Property], required: frozenset[str]) -> Encode:
    def encode_object(value: dict[str, Any]) -> Fields:  # the hot loop
        found: list[tuple[str, Value]] = []
        name, known = "", 0
        try:
            for name, type_, encode, default, repeated in properties:
                part: Any = value.get(name)
                if part is None:
                    found.extend(default)
                    continue
                known += 1
                if type(part) is not type_:
                    _refuse(type_)
                if repeated:
                    found.extend((name, each) for each in encode(part))  # type: ignore[misc]  # arrays always have one
                else:
                    found.append((name, part if encode is None else encode(part)))
        except InvalidValue as error:
            error.path.append(name)
            raise
        if known != len(value) or not required <= value.keys():
            _refuse_fields(value, {row[0] for row in properties}, required)
        return found

    return encode_object


def _list(member: str, type_: type, encode: Encode | None) -> Encode:
    repeated = _repeated(type_, encode)
    return lambda values: [(member, each) for each in repeated(values)]


def _repeated(type_: type, encode: Encode | None) -> Encode:
    checked = _checked(type_, encode)

    def encode_all(values: list[Any]) -> list[Any]:
        found: list[Any] = []
        try:
            for value in values:
                found.append(checked(value))  # noqa: PERF401 -- the count is the place of an error
        except InvalidValue as error:
            error.path.append(f"[{len(found)}]")
            raise
        return found

    return encode_all


def _checked(type_: type, encode: Encode | None) -> Encode:
    def encode_checked(value: Any) -> Any:
        if type(value) is not type_:
            _refuse(type_)
        return value if encode is None else encode(value)

    return encode_checked


def _refuse(type_: type) -> None:
    raise InvalidValue(f"not {NAMES[type_]}")


def _refuse_fields(value: dict[str, Any], known: set[str], required: frozenset[str]) -> None:
    wrong = [f"{name} is missing" for name in sorted(required - value.keys())]
    wrong += [f"{shown(name)} is unknown or null" for name in value if name not in known or value[name] is None]
    raise InvalidValue(", ".join(wrong[:5]))
