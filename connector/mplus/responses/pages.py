"""A page of items, read as its bytes arrive: XML in, JSON out. No I/O, and little to import: it also runs in a small process.

Memory stays flat however long the page is: each finished item is converted and cut off the tree.
"""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple
from xml.etree.ElementTree import Element

import orjson

from connector.mplus.responses.characters import declared, encoding_for
from connector.mplus.responses.document import PIECE_BYTES, Document, NotWellFormed, PageError, TooLarge, pieces, without
from connector.mplus.responses.elements import item_converter, local
from connector.mplus.responses.envelope import FaultError, answer_of, integer_of, is_fault, read_fault, read_numbers, response_of
from connector.mplus.responses.expected import Expected
from connector.mplus.responses.values import NAMESPACE, InvalidValue

__all__ = [
    "FaultError",
    "Item",
    "NotWellFormed",
    "PageDecoder",
    "PageError",
    "PageSpec",
    "TooLarge",
    "Undecodable",
    "read_fault",
    "read_numbers",
]
MAX_ITEM_BYTES = 64 << 20
DECODE, TOO_LARGE = "decode", "too-large"
"""Stages of a dead letter."""


@dataclass(frozen=True, slots=True)
class PageSpec:
    """Where a page's items lie and what names them."""

    path: tuple[str, ...]
    """From the response element to the items: ("orderList", "order"), or ("relationPointsLst",) where no list is around them."""
    schema: str
    identity: tuple[tuple[str, str | None], ...]
    """Paths in the decoded item with their defaults, joined by "-"."""
    marker: str | None
    """None: this list has no markers, and 0 stands for them."""
    marker_within: str | None = None
    """A list: the highest of its members' markers and the item's own counts."""
    deleted: str | None = None
    omit: frozenset[str] = frozenset()
    """Elements left out at any depth."""
    response: str | None = None
    """The response element's name; None: not checked, as by a test. The list around the items must be there in any case."""
    charset: str | None = None
    """The encoding that the HTTP header names: what the page is in where it does not say so itself."""
    careful: bool = False
    """Read item by item, with what XML forbids replaced, in a child process of its own: slow, for a page that failed."""


class Item(NamedTuple):
    """A decoded item; `value` is its JSON."""

    marker: int
    identity: str
    deleted: bool
    value: bytes


class Undecodable(NamedTuple):
    """An item that is not what its schema says; `raw` is its XML without the elements to omit.

    `stage`: `too-large` for one that was passed over unread; its raw is empty. `first`: where it stands for whatever lies at the
    markers from there to `marker`.
    """

    marker: int | None
    identity: str | None
    reason: str
    raw: bytes
    stage: str = DECODE
    first: int | None = None


class PageDecoder:
    """Bytes in, items out, as they complete. One page; not to be used again after an error."""

    def __init__(self, spec: PageSpec, *, max_item_bytes: int = MAX_ITEM_BYTES) -> None:
        """`max_item_bytes`: also what may stand between two items. Raises KeyError for an unknown schema."""
        self._items = Items(spec)
        self._expected = Expected(spec.path, spec.response)
        self._charset = spec.charset
        self._document = Document() if spec.charset is None else None
        self._held = b""
        self._max_item_bytes = max_item_bytes
        self._uncut = 0

    def feed(self, chunk: bytes) -> list[Item | Undecodable]:
        """The items that this chunk completes. Raises PageError."""
        found: list[Item | Undecodable] = []
        document = self._document or self._begun(chunk)
        if document is not None:
            chunk, self._held = self._held + chunk, b""
            for piece in pieces(chunk):
                document.feed(piece)
                found += self._finished(document.root, len(piece))
        return found

    def close(self) -> list[Item | Undecodable]:
        """The remaining items. Raises PageError when the page is truncated or another response, FaultError for a fault."""
        response = answer_of((self._document or self._whole()).close())
        around = self._expected.around(response)
        found = self._items.decoded(list(around)) if around is not None else []
        self._expected.refuse_other(response, self._items.seen, self._items.foreign)
        return found

    def _begun(self, chunk: bytes) -> Document | None:
        """Once the page has told its encoding, or that it does not."""
        told = declared(self._held + chunk)
        if told is None:
            self._held += chunk
        else:
            self._document = Document(encoding=encoding_for(self._charset, told))
        return self._document

    def _whole(self) -> Document:
        document = Document()
        document.feed(self._held)
        return document

    def _finished(self, root: Element | None, fed: int) -> list[Item | Undecodable]:
        response = response_of(root) if root is not None else None
        around = self._expected.around(response) if response is not None and not is_fault(response) else None
        elements = around[:-1] if around is not None else []
        self._uncut = 0 if elements else self._uncut + fed
        if self._uncut > self._max_item_bytes + PIECE_BYTES:
            raise TooLarge(f"more than {self._max_item_bytes} bytes for one item")
        if around is not None:
            del around[:-1]
        return self._items.decoded(elements)


class Items:
    """Elements → items, each by itself: one that cannot be converted holds up no other."""

    def __init__(self, spec: PageSpec) -> None:
        self._spec = spec
        self._name = spec.path[-1]
        self._tag = NAMESPACE + spec.path[-1]
        self._converter = item_converter(spec.schema, spec.omit)
        self.seen = 0
        """Items by their name, whatever their namespace."""
        self.foreign = 0
        """Elements that lie in another namespace, they themselves or all that they hold."""

    def decoded(self, elements: list[Element]) -> list[Item | Undecodable]:
        """What the children of the element around them are, but for those that may stand between rows."""
        return [self._decoded(element) for element in elements if self._is_item(element)]

    def _is_item(self, element: Element) -> bool:
        if element.tag == self._tag or local(element.tag) == self._name:
            self.seen += 1
            return True
        return len(self._spec.path) > 1

    def _decoded(self, element: Element) -> Item | Undecodable:
        try:
            self._refuse_other(element)
            value = self._converter.whole(element) or {}
            deleted = self._spec.deleted is not None and value.get(self._spec.deleted) is True
            return Item(self._marker(value), self._identity(value), deleted, orjson.dumps(value))
        except (InvalidValue, RecursionError, orjson.JSONEncodeError) as error:
            return self.undecodable(element, str(error))

    def _refuse_other(self, element: Element) -> None:
        if element.tag != self._tag:
            raise InvalidValue(f"{local(element.tag)} where {self._spec.path[-1]} was expected")

    def _marker(self, value: dict[str, Any]) -> int:
        spec = self._spec
        if spec.marker is None:
            return 0
        marker = value.get(spec.marker)
        if spec.marker_within is not None:
            members = [member.get(spec.marker) for member in value.get(spec.marker_within) or () if isinstance(member, dict)]
            marker = max((one for one in (marker, *members) if isinstance(one, int)), default=None)
        if not isinstance(marker, int) or not 0 <= marker < 1 << 63:
            raise InvalidValue(f"no {spec.marker}")
        return marker

    def _identity(self, value: dict[str, Any]) -> str:
        return "-".join(_part(value, path, default) for path, default in self._spec.identity)

    def undecodable(self, element: Element, reason: str) -> Undecodable:
        """An element that is no item, with what can be read of it."""
        self.foreign += _foreign(element) and local(element.tag) == self._name
        readable = self._readable(element) if element.tag == self._tag else {}
        marker = identity = None
        with suppress(InvalidValue):
            marker = self._marker(readable)
        with suppress(InvalidValue):
            identity = self._identity(readable)
        return Undecodable(marker, identity, reason, without(element, self._spec.omit))

    def _readable(self, element: Element) -> dict[str, Any]:
        """The same as `value`, of what can be read. Markers of members count even where the list as a whole does not."""
        marker, within = self._spec.marker, self._spec.marker_within
        readable = self._converter.readable(element)
        if marker is not None and within is not None and within not in readable:
            members = element.iterfind(f"{NAMESPACE}{within}/*/{NAMESPACE}{marker}")
            readable[within] = [{marker: integer_of(member)} for member in members]
        return readable


def _foreign(element: Element) -> bool:
    """Is the element, or everything in it, of another namespace?"""
    return not element.tag.startswith(NAMESPACE) or (
        len(element) > 0 and not any(child.tag.startswith(NAMESPACE) for child in element)
    )


def _part(value: Any, path: str, default: str | None) -> str:
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    if isinstance(value, (int, str)) and value != "":
        return str(value)
    if default is None:
        raise InvalidValue(f"no {path}")
    return default
