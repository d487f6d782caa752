"""The named types of a WSDL, read as fields and enum values. Only the constructs that the vendor's WSDL uses are known."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

XSD = "{http://www.w3.org/2001/XMLSchema}"


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
