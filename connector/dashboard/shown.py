"""What the page shows, in parts with versions, so that a viewer gets only what changed. Pure."""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

Parts = Mapping[str, Any]
"""Name of a part → its JSON value; None where it is gone."""


class Shown:
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
