"""Reading JSON that anybody may have written. Pure."""

from typing import Any

import orjson


def object_in(value: bytes | None) -> dict[str, Any]:
    """The JSON object in a record's value; empty where it is none."""
    try:
        found = orjson.loads(value or b"")
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}
