"""One schema for the newer and the older type of an entity, and the types that a schema leads to."""

from collections.abc import Iterator

from schemas.complex_type import SCALARS, Schema
from schemas.xsd import UnsupportedXsdError


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


def reachable(schema: Schema) -> set[str]:
    """The refs that the properties lead to."""
    found: set[str] = set()
    todo = list(_references(schema["properties"]))
    while todo:
        ref = todo.pop()
        if ref not in found:
            found.add(ref)
            todo += _references(_resolve(schema, ref) if ref != "#" else {})
    return found
