"""What the page shows, in parts with versions, so that a viewer gets only what changed. Pure."""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

Parts = Mapping[str, Any]
"""Name of a part → its JSON value; None where it is gone."""

TEXT_CHARS_MAX, NAME_CHARS_MAX = 500, 255
"""Characters of a text on the page, and of a name."""

NUMBER_MAX = 1 << 52
"""The largest number shown: thousands of them still add up to one that JSON can carry."""


def text(value: object, most: int = NAME_CHARS_MAX) -> str:
    """What a record says, which may be anything and of any length; None is empty."""
    if value is None:
        return ""
    found = value[: 4 * most].decode(errors="replace") if isinstance(value, bytes) else str(value)
    return found if len(found) <= most else found[: most - 1] + "…"


def whole(value: object) -> int:
    """A whole number of a sensible size. Raises ValueError for anything else."""
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > NUMBER_MAX:
        raise ValueError("not a whole number of a sensible size")
    return value


EXACT_MAX = (1 << 53) - 1
"""The largest whole number that a browser's JSON.parse does not round."""


def exact(value: Any) -> Any:
    """The same JSON, with whole numbers that a browser would round as text."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > EXACT_MAX:
        return str(value)
    if isinstance(value, dict):
        return {name: exact(each) for name, each in value.items()}
    return [exact(each) for each in value] if isinstance(value, list) else value


class PageParts:
    """`version` is that of the last change of any part."""

    def __init__(self) -> None:
        self.version = 0
        self._parts: OrderedDict[str, tuple[int, Any]] = OrderedDict()

    def put(self, name: str, value: Any) -> None:
        """Show a part. The same value again is no change."""
        there = self._parts.get(name)
        if there is not None and there[1] == value:
            return
        self.version += 1
        self._parts[name] = (self.version, value)
        self._parts.move_to_end(name)

    def since(self, version: int) -> dict[str, Any]:
        """The parts that changed after this version: all of them after 0."""
        found: dict[str, Any] = {}
        for name in reversed(self._parts):
            changed, value = self._parts[name]
            if changed <= version:
                break
            found[name] = value
        return found
