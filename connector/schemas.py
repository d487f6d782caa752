"""Where the JSON Schemas lie: `schemas/` in a checkout, `connector/_schemas` in an installed wheel."""

import os.path
from functools import cache
from typing import Any

import orjson

PACKAGE = os.path.dirname(os.path.abspath(__file__))  # pathlib would cost the decoder's child a megabyte
FOLDERS = (os.path.join(PACKAGE, "_schemas"), os.path.join(os.path.dirname(PACKAGE), "schemas"))


@cache
def names(kind: str) -> tuple[str, ...]:
    """What there are schemas of: of `commands` the names of all order commands."""
    found = {name for folder in FOLDERS if os.path.isdir(there := os.path.join(folder, kind)) for name in os.listdir(there)}
    return tuple(sorted(name.removesuffix(".json") for name in found if name.endswith(".json")))


def load(name: str, kind: str = "entities") -> dict[str, Any]:
    """The JSON Schema of an entity by its name in the singular; of `commands` and `results` by the command's name.

    Raises KeyError for a name without a schema.
    """
    for folder in FOLDERS:
        path = os.path.join(folder, kind, f"{name}.json")
        if os.path.isfile(path):
            with open(path, "rb") as file:
                schema: dict[str, Any] = orjson.loads(file.read())
            return schema
    raise KeyError(f"no schema for {name!r} among the {kind}")
