"""Where the JSON Schemas lie: `schemas/` in a checkout, `connector/_schemas` in an installed wheel."""

import os.path
from typing import Any

import orjson

PACKAGE = os.path.dirname(os.path.abspath(__file__))  # pathlib would cost the decoder's child a megabyte
FOLDERS = (os.path.join(PACKAGE, "_schemas"), os.path.join(os.path.dirname(PACKAGE), "schemas"))


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
