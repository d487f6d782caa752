"""Writes schemas/entities/*.json from a WSDL: `python schemas/generate.py path/to/some.wsdl`.

One self-contained JSON Schema (2020-12) per entity. Properties stand in the XSD's order. The `xml` keyword is OpenAPI's: a
wrapper list is an array with `wrapped`, whose items carry their element's name. `x-mplus` names the vendor's own date types,
which are elements with parts and not text. An empty element is null, except text (`""`, so enums allow it too) and lists (`[]`).
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias
from xml.etree import ElementTree

Schema: TypeAlias = dict[str, Any]


class Entity(NamedTuple):
    """The complex type behind an entity, and the type that older administrations answer with."""

    type: str
    older: str | None = None


ENTITIES = {
    "activity": Entity("Activity"),
    "article": Entity("Product"),
    "articleGroup": Entity("ChangedArticleGroup"),
    "deliveryMethod": Entity("DeliveryMethod"),
    "employee": Entity("Employee"),
    "invoice": Entity("Invoice"),
    "order": Entity("Order"),
    "orderCategory": Entity("OrderCategory"),
    "packingSlip": Entity("PackingSlip"),
    "proposal": Entity("Proposal"),
    "purchaseDelivery": Entity("PurchaseDeliveryV2", older="PurchaseDelivery"),
    "purchaseOrder": Entity("PurchaseOrderV2", older="PurchaseOrder"),
    "receipt": Entity("Receipt"),
    "relation": Entity("Relation"),
    "relationPoints": Entity("GetRelationPoints"),
    "stock": Entity("ArticleStockHistory"),
}
LEFT_OUT = frozenset({"imageData", "thumbData", "password", "rfid"})  # by default, so that no schema may require them
INT32, INT64 = ("byte", "int", "short", "unsignedByte", "unsignedShort"), ("integer", "long", "unsignedInt")
XSD = "{http://www.w3.org/2001/XMLSchema}"
SCALARS: dict[str, Schema] = {
    "string": {"type": "string"},
    "base64": {"type": "string", "contentEncoding": "base64"},
    "base64Binary": {"type": "string", "contentEncoding": "base64"},
    "boolean": {"type": ["boolean", "null"]},
    "decimal": {"type": ["string", "null"], "format": "decimal"},
    "date": {"type": ["string", "null"], "format": "date"},
    "dateTime": {"type": ["string", "null"], "format": "date-time"},
    "SoapMplusDate": {"type": ["string", "null"], "format": "date", "x-mplus": "SoapMplusDate"},
    "SoapMplusDateTime": {"type": ["string", "null"], "format": "date-time", "x-mplus": "SoapMplusDateTime"},
    **{name: {"type": ["integer", "null"], "format": "int32"} for name in INT32},
    **{name: {"type": ["integer", "null"], "format": "int64"} for name in INT64},
    "unsignedLong": {"type": ["integer", "null"], "format": "uint64"},
}


class UnsupportedXsdError(Exception):
    """The WSDL uses a construct that this generator does not know: nothing is written."""


class Field(NamedTuple):
    name: str
    type: str
    required: bool
    repeated: bool


class Types:
    """The named types of one WSDL, read as fields and enum values."""

    def __init__(self, wsdl: Path) -> None:
        self._named = {node.get("name", ""): node for node in _named_types(wsdl)}

    def enum(self, name: str) -> list[str] | None:
        """The values of an enumeration; None for a type that is none."""
        node = self._node(name)
        if node.tag != f"{XSD}simpleType":
            return None
        return [value.get("value", "") for value in node.iter(f"{XSD}enumeration")]

    def base(self, name: str) -> str:
        """What a simple type restricts."""
        restriction = next(self._node(name).iter(f"{XSD}restriction"), None)
        if restriction is None:
            raise UnsupportedXsdError(f"simple type {name} is not a restriction")
        return _local(restriction.get("base", ""))

    def fields(self, name: str) -> list[Field]:
        """All elements in document order, those of the extended type first."""
        return list(self._fields(self._node(name)))

    def _node(self, name: str) -> ElementTree.Element:
        if name not in self._named:
            raise UnsupportedXsdError(f"type {name} is not in the WSDL")
        return self._named[name]

    def _fields(self, node: ElementTree.Element) -> Iterator[Field]:
        for child in node:
            match child.tag.removeprefix(XSD):
                case "element":
                    yield _field(child)
                case "extension":
                    yield from self.fields(_local(child.get("base", "")))
                    yield from self._fields(child)
                case "sequence" | "all" | "complexContent":
                    yield from self._fields(child)
                case "annotation" | "attribute":
                    pass
                case construct:
                    raise UnsupportedXsdError(f"{construct} inside a complex type")


def _named_types(wsdl: Path) -> Iterator[ElementTree.Element]:
    for schema in ElementTree.parse(wsdl).getroot().iter(f"{XSD}schema"):  # noqa: S314 -- the user's own file
        yield from (node for node in schema if node.tag in {f"{XSD}complexType", f"{XSD}simpleType"})


def _field(element: ElementTree.Element) -> Field:
    name, type_ = element.get("name"), element.get("type")
    if name is None or type_ is None:
        raise UnsupportedXsdError(f"element {name or element.get('ref')} without a named type")
    return Field(name, _local(type_), element.get("minOccurs", "1") != "0", element.get("maxOccurs", "1") not in {"0", "1"})


def _local(qname: str) -> str:
    return qname.rpartition(":")[2]


class EntitySchema:
    """The schema of one complex type; every complex type and enum that it meets becomes one of the `$defs`."""

    def __init__(self, types: Types, root: str) -> None:
        self._types = types
        self._root = root
        self._defs: dict[str, Schema] = {}
        self._refers_to_root = False

    def build(self) -> Schema:
        body = self._object(self._root)
        root_type = body["type"] if self._refers_to_root else "object"  # inside itself it can be an empty element
        return {"title": self._root, **body, "type": root_type, "$defs": self._defs}

    def _object(self, name: str) -> Schema:
        fields = self._types.fields(name)
        return {
            "type": ["object", "null"],
            "properties": {field.name: self._property(field) for field in fields},
            "required": [field.name for field in fields if field.required and field.name not in LEFT_OUT],
        }

    def _property(self, field: Field) -> Schema:
        schema = self._type(field.type)
        if field.repeated:
            return {"type": "array", "items": schema}
        if "wrapped" in schema.get("xml", {}):
            return {**schema, "xml": {"wrapped": True, "name": field.name}}
        return schema

    def _type(self, name: str) -> Schema:
        if name in SCALARS:
            return SCALARS[name]
        if (values := self._types.enum(name)) is not None:
            return self._enum(name, values)
        match self._types.fields(name):
            case [member] if member.repeated:
                items = self._property(member._replace(repeated=False))
                return {"type": "array", "items": {**items, "xml": {"name": member.name}}, "xml": {"wrapped": True}}
        return self._reference(name)

    def _enum(self, name: str, values: list[str]) -> Schema:
        if not values:
            return self._type(self._types.base(name))
        self._defs[name] = {"type": "string", "enum": [*values, ""]}
        return {"$ref": f"#/$defs/{name}"}

    def _reference(self, name: str) -> Schema:
        if name == self._root:
            self._refers_to_root = True
            return {"$ref": "#"}
        if name not in self._defs:
            self._defs[name] = {}  # a type may contain itself
            self._defs[name] = self._object(name)
        return {"$ref": f"#/$defs/{name}"}


class Merge:
    """Adds what only an older type has, so that instances of both decode fully: nothing is required but what both require.

    Where one name is a number in the older type and text in the newer one, it is text (`purchasePrice` of purchase lines).
    """

    def __init__(self, newer: Schema, older: Schema) -> None:
        self._newer, self._older = newer, older
        self._done: set[tuple[str, str]] = set()

    def merged(self) -> Schema:
        self._newer["$defs"] = self._older["$defs"] | self._newer["$defs"]
        self._objects(self._newer, self._older)
        return self._newer

    def _objects(self, newer: Schema, older: Schema) -> None:
        for name, schema in older["properties"].items():
            if name in newer["properties"]:
                self._properties(newer["properties"][name], schema)
            else:
                newer["properties"][name] = schema
        newer["required"] = [name for name in newer["required"] if name in older["required"]]

    def _properties(self, newer: Schema, older: Schema) -> None:
        if newer == SCALARS["string"] and not {"items", "$ref"} & older.keys():
            return
        if newer.get("type") != older.get("type") or ("$ref" in newer) != ("$ref" in older):
            raise UnsupportedXsdError(f"{self._newer['title']} and {self._older['title']} use one name for two kinds of field")
        if "items" in newer:
            self._properties(newer["items"], older["items"])
        elif "$ref" in newer and newer["$ref"] != older["$ref"] and (newer["$ref"], older["$ref"]) not in self._done:
            self._done.add((newer["$ref"], older["$ref"]))
            self._objects(_resolve(self._newer, newer["$ref"]), _resolve(self._older, older["$ref"]))


def _resolve(root: Schema, ref: str) -> Schema:
    schema: Schema = root["$defs"][ref.removeprefix("#/$defs/")] if ref != "#" else root
    return schema


def _references(schema: object) -> Iterator[str]:
    if isinstance(schema, dict):
        yield from [schema["$ref"]] if isinstance(schema.get("$ref"), str) else []
        schema = list(schema.values())
    for child in schema if isinstance(schema, list) else []:
        yield from _references(child)


def _reachable(schema: Schema) -> set[str]:
    """The refs that the properties lead to."""
    found: set[str] = set()
    todo = list(_references(schema["properties"]))
    while todo:
        ref = todo.pop()
        if ref not in found:
            found.add(ref)
            todo += _references(_resolve(schema, ref) if ref != "#" else {})
    return found


def _entity(types: Types, entity: str) -> Schema:
    type_, older = ENTITIES[entity]
    schema = EntitySchema(types, type_).build()
    if older:
        schema = Merge(schema, EntitySchema(types, older).build()).merged()
    reachable = _reachable(schema)
    defs = {name: _tidy(body) for name, body in sorted(schema.pop("$defs").items()) if f"#/$defs/{name}" in reachable}
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": f"urn:mplus-connector:entity:{entity}"}
    return {**head, **_tidy(schema), **({"$defs": defs} if defs else {})}


def _tidy(schema: Schema) -> Schema:
    return {key: value for key, value in schema.items() if not (key == "required" and value == [])}


def generate(wsdl: Path) -> dict[str, str]:
    """File name → content for every entity. Raises UnsupportedXsdError when the WSDL lacks a type or is too unlike today's."""
    types = Types(wsdl)
    return {f"{entity}.json": _text(_entity(types, entity)) for entity in ENTITIES}


def _text(schema: Schema) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("usage: python schemas/generate.py path/to/some.wsdl")
    try:
        files = generate(Path(sys.argv[1]))
    except (OSError, ElementTree.ParseError, UnsupportedXsdError) as error:
        sys.exit(f"no schema written: {error}")
    for name, content in files.items():
        (Path(__file__).parent / "entities" / name).write_text(content)


if __name__ == "__main__":
    main()
