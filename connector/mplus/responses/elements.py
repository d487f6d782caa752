"""XML element → JSON value, by closures compiled once from an entity's schema.

A wrapper list becomes an array, repeated elements become an array, an empty element None (text `""`, a list `[]`). An element
that the schema does not know keeps its place under its local name: text, an object of its elements, an array where it is
repeated; inside a wrapper list it is an object `{name: value}`. Text beside elements in an unknown element is kept as `#text`.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple, TypeAlias
from xml.etree.ElementTree import Element

from connector import schemas
from connector.mplus.responses.values import (
    BOOLEANS,
    DATE_TIMES,
    DATES,
    DECIMALS,
    INTEGERS,
    NAMESPACE,
    WHITESPACE,
    InvalidValue,
    Table,
    soap_date,
    soap_date_time,
)

NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
REMEMBERED_UNKNOWN = 1000
SOAP_DATES = {"SoapMplusDate": soap_date, "SoapMplusDateTime": soap_date_time}
TABLES: dict[tuple[str, str | None], Table[Any]] = {
    ("boolean", None): BOOLEANS,
    ("integer", "int32"): INTEGERS,
    ("integer", "int64"): INTEGERS,
    ("integer", "uint64"): INTEGERS,
    ("string", "date"): DATES,
    ("string", "date-time"): DATE_TIMES,
    ("string", "decimal"): DECIMALS,
}

Schema: TypeAlias = dict[str, Any]
Convert: TypeAlias = Callable[[Element], Any]


Field: TypeAlias = tuple[str | None, Convert | None, Table[Any] | None]
"""Name, and how the element is converted: by a function, else its text by a table, else it is text. Without a name it is left
out. A plain tuple: unpacking a named one costs twice as much."""


class Fields(dict[str, Field]):
    """Tag → field; makes up fields for elements that the schema does not know."""

    def __init__(self, omit: frozenset[str]) -> None:
        super().__init__()
        self.omit = omit
        self.repeated: dict[str, Convert] = {}

    def __missing__(self, tag: str) -> Field:
        name = local(tag)
        field: Field = (None, _nothing, None) if name in self.omit else (name, self.unknown, None)
        if len(self) < REMEMBERED_UNKNOWN and len(tag) < REMEMBERED_UNKNOWN:
            self[tag] = field
        return field

    def unknown(self, element: Element) -> Any:
        """The value of an element by its looks alone."""
        if not len(element):
            return text(element)
        found: dict[str, list[Any]] = {}
        for child in element:
            if (name := local(child.tag)) not in self.omit:
                found.setdefault(name, []).append(self.unknown(child))
        beside = "".join([element.text or "", *(child.tail or "" for child in element)]).strip(WHITESPACE)
        return {name: values if len(values) > 1 else values[0] for name, values in found.items()} | (
            {"#text": beside} if beside else {}
        )

    def array(self, name: str, elements: list[Element]) -> list[Any]:
        """The values of elements that share a name. Raises InvalidValue where the schema allows only one."""
        tag = elements[0].tag
        if tag in self.repeated and all(element.tag == tag for element in elements):
            return [self.repeated[tag](element) for element in elements]
        if any(self[element.tag][1] != self.unknown for element in elements):
            raise InvalidValue(f"more than one {name}")
        return [self.unknown(element) for element in elements]


class ItemConverter(NamedTuple):
    """`whole` raises InvalidValue; `readable` gives the top-level values that can be read of an item that is not convertible."""

    whole: Convert
    fields: Fields

    def readable(self, element: Element) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for child in element:
            name, convert, table = self.fields[child.tag]
            if name is not None and len(element.findall(child.tag)) == 1:
                try:
                    found[name] = _value(convert, table)(child)
                except (InvalidValue, RecursionError):
                    continue
        return found


def local(tag: str) -> str:
    """An element's name without its namespace."""
    return tag.rpartition("}")[2]


def text(element: Element) -> str | None:
    """Text exactly as it is; None only where the element says that it is nil."""
    return element.text if element.text is not None else (None if _is_nil(element) else "")


@cache
def item_converter(entity: str, omit: frozenset[str]) -> ItemConverter:
    """Compiled from the entity's schema. Raises KeyError for an entity without one."""
    fields = _Compiler(schemas.load(entity), omit).fields("#")
    return ItemConverter(_object(fields), fields)


class _Compiler:
    def __init__(self, schema: Schema, omit: frozenset[str]) -> None:
        self._schema = schema
        self._omit = omit
        self._compiled: dict[str, Fields] = {}

    def fields(self, ref: str) -> Fields:
        """The same object for the same type, filled only once: a type may contain itself."""
        if ref not in self._compiled:
            fields = self._compiled[ref] = Fields(self._omit)
            for name, schema in self._target(ref)["properties"].items():
                if name not in self._omit:
                    fields[NAMESPACE + name] = self._field(fields, name, schema)
        return self._compiled[ref]

    def _field(self, fields: Fields, name: str, schema: Schema) -> Field:
        if schema.get("type") == "array" and "wrapped" not in schema.get("xml", {}):
            fields.repeated[NAMESPACE + name] = _value(*self._kind(schema["items"]))
            return name, _nothing, None  # keeps the place until all of them are known
        return name, *self._kind(schema)

    def _kind(self, schema: Schema) -> tuple[Convert | None, Table[Any] | None]:
        if "$ref" in schema:
            target = self._target(schema["$ref"])
            return (_object(self.fields(schema["$ref"])), None) if "properties" in target else self._kind(target)
        if schema["type"] == "array":
            items = schema["items"]
            return _list(items["xml"]["name"], _value(*self._kind(items)), Fields(self._omit)), None
        if "x-mplus" in schema:
            return SOAP_DATES[schema["x-mplus"]], None
        kind = schema["type"] if isinstance(schema["type"], str) else schema["type"][0]
        return None, TABLES.get((kind, schema.get("format")))

    def _target(self, ref: str) -> Schema:
        target: Schema = self._schema if ref == "#" else self._schema["$defs"][ref.removeprefix("#/$defs/")]
        return target


def _object(fields: Fields) -> Convert:
    def convert(element: Element) -> dict[str | None, Any] | None:  # the hot loop: every name in it is a local on purpose
        value: dict[str | None, Any] = {}
        name: str | None = None
        try:
            for child in element:
                name, convert, table = fields[child.tag]
                if convert is not None:
                    value[name] = convert(child)
                elif len(child):
                    _refuse_elements()
                elif table is not None:
                    value[name] = table[child.text]
                else:
                    content = child.text
                    value[name] = content if content is not None else text(child)
        except InvalidValue as error:
            error.path.append(str(name))
            raise
        if element.text is not None:
            _refuse_text(element)
        if len(value) != len(element) or None in value or fields.repeated:
            _settle(value, element, fields)
        return value if len(element) else None

    return convert


def _list(member: str, value: Convert, others: Fields) -> Convert:
    tag = NAMESPACE + member

    def convert(element: Element) -> list[Any] | None:
        found: list[Any] = []
        try:
            for child in element:
                if child.tag == tag:
                    found.append(value(child))
                elif (name := local(child.tag)) not in others.omit:
                    found.append({name: others.unknown(child)})
        except InvalidValue as error:
            error.path.append(f"{member}[{len(found)}]")
            raise
        if element.text is not None:
            _refuse_text(element)
        return found if len(element) or not _is_nil(element) else None

    return convert


def _value(convert: Convert | None, table: Table[Any] | None) -> Convert:
    """One function for every kind of field."""
    if convert is not None:
        return convert

    def scalar(element: Element) -> Any:
        if len(element):
            _refuse_elements()
        return text(element) if table is None else table[element.text]

    return scalar


def _settle(value: dict[str | None, Any], element: Element, fields: Fields) -> None:
    """What the hot loop leaves: elements to leave out, and those that repeat. Raises InvalidValue for one that may not repeat."""
    value.pop(None, None)
    same: dict[str, list[Element]] = {}
    for child in element:
        if (name := fields[child.tag][0]) is not None:
            same.setdefault(name, []).append(child)
    for name, elements in same.items():
        if len(elements) > 1 or elements[0].tag in fields.repeated:
            value[name] = fields.array(name, elements)


def _refuse_text(element: Element) -> None:
    if (element.text or "").strip(WHITESPACE):
        raise InvalidValue("text where elements are expected")


def _refuse_elements() -> None:
    raise InvalidValue("elements where a value is expected")


def _is_nil(element: Element) -> bool:
    return element.get(NIL) in {"true", "1"}


def _nothing(_: Element) -> None:
    return None
