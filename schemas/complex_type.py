"""A complex type as a JSON Schema: what the schemas of items and those of commands have in common, and an item's own.

Properties stand in the XSD's order. The `xml` keyword is OpenAPI's: a wrapper list is an array with `wrapped`, whose items carry
their element's name. `x-mplus` names the vendor's own date types, which are elements with parts and not text.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, TypeAlias

from schemas.xsd import Field, Types

Schema: TypeAlias = dict[str, Any]

LEFT_OUT = frozenset({"imageData", "thumbData", "password", "rfid"})  # by default, so that no schema may require them
INT32, INT64 = ("byte", "int", "short", "unsignedByte", "unsignedShort"), ("integer", "long", "unsignedInt")
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


class ComplexType(ABC):
    """Makes schemas of types; every complex type and enum that it meets becomes one of `defs`."""

    scalars: Mapping[str, Schema]

    def __init__(self, types: Types) -> None:
        self.types = types
        self.defs: dict[str, Schema] = {}

    @abstractmethod
    def object(self, name: str) -> Schema:
        """The schema of a type that is neither a scalar nor a wrapper list."""

    @abstractmethod
    def enum(self, values: list[str]) -> Schema:
        """The schema of an enumeration."""

    def property(self, field: Field) -> Schema:
        schema = self._type(field.type)
        if field.repeated:
            return {"type": "array", "items": schema}
        if "wrapped" in schema.get("xml", {}):
            return {**schema, "xml": {"wrapped": True, "name": field.name}}
        return schema

    def _type(self, name: str) -> Schema:
        if name in self.scalars:
            return self.scalars[name]
        if (values := self.types.enum(name)) is not None:
            return self._enum(name, values)
        match self.types.fields(name):
            case [member] if member.repeated:
                items = self.property(member._replace(repeated=False))
                return {"type": "array", "items": {**items, "xml": {"name": member.name}}, "xml": {"wrapped": True}}
        return self.reference(name)

    def _enum(self, name: str, values: list[str]) -> Schema:
        if not values:
            return self._type(self.types.base(name))
        self.defs[name] = self.enum(values)
        return {"$ref": f"#/$defs/{name}"}

    def reference(self, name: str) -> Schema:
        if name not in self.defs:
            self.defs[name] = {}  # a type may contain itself
            self.defs[name] = self.object(name)
        return {"$ref": f"#/$defs/{name}"}


class EntityType(ComplexType):
    """An item as it is decoded: an empty element is null, except text (`""`, so enums allow it too) and lists (`[]`)."""

    scalars = SCALARS

    def __init__(self, types: Types, root: str) -> None:
        super().__init__(types)
        self._root = root
        self._refers_to_root = False

    def build(self) -> Schema:
        body = self.object(self._root)
        root_type = body["type"] if self._refers_to_root else "object"  # inside itself it can be an empty element
        return {"title": self._root, **body, "type": root_type, "$defs": self.defs}

    def object(self, name: str) -> Schema:
        fields = self.types.fields(name)
        return {
            "type": ["object", "null"],
            "properties": {field.name: self.property(field) for field in fields},
            "required": [field.name for field in fields if field.required and field.name not in LEFT_OUT],
        }

    def enum(self, values: list[str]) -> Schema:
        return {"type": "string", "enum": [*values, ""]}

    def reference(self, name: str) -> Schema:
        if name != self._root:
            return super().reference(name)
        self._refers_to_root = True
        return {"$ref": "#"}
