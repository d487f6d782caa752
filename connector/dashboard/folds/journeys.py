"""Where each order's journey lies, the orders that moved last, and what no one has solved. Pure.

A journey itself is read when somebody asks for it.
"""

import heapq
from collections import OrderedDict
from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

import orjson

from connector.dashboard.folds.advice import for_result
from connector.dashboard.parts import NAME_CHARS_MAX, TEXT_CHARS_MAX, PageParts, exact, text
from connector.messages.result import Outcome

ORDERS_MAX = 500_000
"""Orders of an administration that can be found: the last that moved. About 250 bytes each."""
LATEST = 10
"""Orders shown per administration."""
OPEN_MAX = 20
"""Unknown outcomes shown per administration; all are counted."""
SHOWN = ("key", "orderId", "extOrderId", "state", "partly", "total", "updatedAt")
OFFSET_BITS = 48
KEY_BYTES_MAX = 4 * NAME_CHARS_MAX
"""Bytes: no order is called anything longer."""


class RecordLocation(NamedTuple):
    """Where a record lies in its topic."""

    partition: int
    offset: int


class Index:
    """The journeys of one administration. A location is packed into one integer: there may be many."""

    def __init__(self, most: int = ORDERS_MAX) -> None:
        self._most = most
        self._by_key: OrderedDict[bytes, int] = OrderedDict()  # a dict searches for its first entry past all deleted ones
        self._keys: OrderedDict[bytes, bytes] = OrderedDict()

    def __len__(self) -> int:
        return len(self._by_key)

    def put(self, key: bytes, order_id: str | None, location: RecordLocation) -> None:
        """The latest record of a key."""
        self._by_key[key] = location.partition << OFFSET_BITS | location.offset
        self._by_key.move_to_end(key)  # the first is the one that moved longest ago
        if order_id and (own := order_id.encode()) != key:
            self._keys[own] = key
            self._keys.move_to_end(own)
        for crowded in (self._by_key, self._keys):
            if len(crowded) > self._most:
                crowded.popitem(last=False)

    def drop(self, key: bytes) -> None:
        """A tombstone came."""
        self._by_key.pop(key, None)

    def find(self, name: str) -> tuple[bytes, RecordLocation] | None:
        """The key and location of an order, by its extOrderId or orderId."""
        key = name.encode()
        now = self._keys.get(key)  # an order that was given its extOrderId later has an old journey under its orderId
        key = now if now is not None and now in self._by_key else key
        packed = self._by_key.get(key)
        return None if packed is None else (key, RecordLocation(packed >> OFFSET_BITS, packed & (1 << OFFSET_BITS) - 1))


class Journeys:
    """Parts `orders/{administration}`: how many there are, and those that moved last; and `open/{administration}`: commands
    whose outcome is unknown until a later result tells it, however long ago that was."""

    def __init__(self, shown: PageParts, administrations: Iterable[str]) -> None:
        self._shown = shown
        self.indexes = {name: Index() for name in administrations}
        self._latest: dict[str, dict[bytes, dict[str, Any]]] = {name: {} for name in self.indexes}
        self._open: dict[str, dict[bytes, list[dict[str, Any]]]] = {name: {} for name in self.indexes}

    def take(self, administration: str, key: bytes | None, value: bytes | None, location: RecordLocation) -> None:
        """A record of the journeys' topic. Raises ValueError, AttributeError."""
        if key is None or len(key) > KEY_BYTES_MAX:
            return
        if value is None:
            self.indexes[administration].drop(key)
            self._latest[administration].pop(key, None)
            self._open[administration].pop(key, None)
            return
        journey = orjson.loads(value)
        self.indexes[administration].put(key, journey.get("orderId"), location)
        latest = self._latest[administration]
        latest[key] = {name: _shown(journey.get(name)) for name in SHOWN}
        if len(latest) > LATEST:
            del latest[min(latest, key=lambda each: str(latest[each]["updatedAt"]))]
        if unknown := [_open(key, row) for row in journey.get("commands") or () if row.get("outcome") == Outcome.UNKNOWN]:
            self._open[administration][key] = unknown
        else:
            self._open[administration].pop(key, None)

    def tick(self) -> None:
        """Show how it stands."""
        for name, index in self.indexes.items():
            latest = sorted(self._latest[name].values(), key=lambda row: str(row["updatedAt"]), reverse=True)
            self._shown.put(f"orders/{name}", {"count": len(index), "latest": latest})
            found = [row for rows in self._open[name].values() for row in rows]
            newest = heapq.nlargest(OPEN_MAX, found, key=lambda row: row["at"])
            self._shown.put(f"open/{name}", {"count": len(found), "latest": newest})


def _open(key: bytes, command: dict[str, Any]) -> dict[str, Any]:
    """A failure, as it is shown."""
    return {
        "at": _moment(command.get("endedAt")),
        "commandId": text(command.get("commandId")),
        "command": text(command.get("command")),
        "order": text(key),
        "outcome": Outcome.UNKNOWN,
        "reason": text(command.get("reason")),
        "message": text(command.get("message"), TEXT_CHARS_MAX),
        "advice": for_result(Outcome.UNKNOWN, ""),
    }


def _moment(told: object) -> float:
    """Epoch seconds; 0 where it is no time."""
    try:
        return datetime.fromisoformat(str(told)).timestamp()
    except ValueError:
        return 0.0


def _shown(value: object) -> object:
    return exact(value) if value is None or isinstance(value, int | float) else text(value)
