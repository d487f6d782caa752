"""What a ledger record says that other commands must know: which order its command made, which packing slip, what is only queued.

Pure. A ledger of millions is read back at each start, so records are searched for these fields as this program writes them, which
takes half as long as decoding them; whatever is spelled otherwise is decoded.
"""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import orjson

INTENT, DONE = b'{"type":"INTENT","entry":{', b'{"type":"DONE","entry":{'
"""How records begin: of a call that may have been sent, and of a command that has ended."""

CREATES, SUCCEEDED, SLIP = b'"command":"createOrder"', b'"outcome":"succeeded",', b'"packingSlipId":"'
"""No text in JSON contains these bytes: its quotation marks are escaped."""

CREATED = re.compile(
    rb'"command":"createOrder","outcome":"succeeded","reason":"[^"\\]*","message":"[^"\\]*","orderId":"[^"\\]*",'
    rb'"extOrderId":"([^"\\]+)","invoiceId":null,"packingSlipId":null,"syncMarker":(null)?'
)
"""Fields in the result of a usual createOrder."""

HEAD_BYTES = 40
"""Bytes of a record before its result, at least."""


class Creation(NamedTuple):
    """The command that is known to have created an order, and the orderId that the order got."""

    command_id: str
    order_id: str


Told = tuple[bytes, bool, bytes]
"""The name of the order that a record's command made, whether that is only queued, and the packing slip that it made."""

NOTHING: Told = (b"", False, b"")


def told(value: bytes) -> Told:
    """What a ledger record's value tells."""
    at = value.find(SUCCEEDED, HEAD_BYTES)
    if at < 0:
        return NOTHING if value.startswith((DONE, INTENT)) else _decoded(value)
    created = CREATED.match(value, at - len(CREATES) - 1)
    if created is not None:
        name, queued = created.groups()
        return name, queued is not None, b""
    if not value.startswith(DONE) or value.find(CREATES, HEAD_BYTES) >= 0:
        return _decoded(value)
    slip = value.find(SLIP, HEAD_BYTES)
    return NOTHING if slip < 0 else _with_slip(value, slip + len(SLIP))


def _with_slip(value: bytes, start: int) -> Told:
    slip = value[start : value.index(b'"', start)]
    return _decoded(value) if b"\\" in slip else (b"", False, slip)


def creation(value: bytes) -> Creation:
    """What the record of a command that created an order tells of it."""
    entry = orjson.loads(value)["entry"]
    return Creation(entry["command_id"], entry["result"].get("orderId") or "")


def _decoded(value: bytes) -> Told:
    """Nothing, where a stranger wrote it."""
    try:
        row = orjson.loads(value)
        result: dict[str, Any] = row["entry"]["result"] if row.get("type") == "DONE" else {}
        if result.get("outcome") != "succeeded":
            return NOTHING
        slip = (result.get("packingSlipId") or "").encode()
        if result.get("command") != "createOrder":
            return b"", False, slip
        return (result.get("extOrderId") or "").encode(), result.get("syncMarker", 0) is None, slip
    except (ValueError, KeyError, TypeError, AttributeError):
        return NOTHING


class Facts:
    """What the records in memory say: by what it is about, the key of the record."""

    def __init__(self) -> None:
        self.creations: dict[bytes, bytes] = {}
        self.slips: dict[bytes, bytes] = {}
        self.queued: dict[bytes, bytes] = {}

    def learn(self, key: bytes, value: bytes) -> None:
        """Take in a record."""
        for facts, name in self._named(value):
            facts[name] = key

    def forget(self, key: bytes, value: bytes) -> None:
        """The opposite of learn; what another record says by now stays."""
        for facts, name in self._named(value):
            if facts.get(name) == key:
                del facts[name]

    def _named(self, value: bytes) -> Iterator[tuple[dict[bytes, bytes], bytes]]:
        name, queued, slip = told(value)
        if name:
            yield self.creations, name
        if queued:
            yield self.queued, name
        if slip:
            yield self.slips, slip
