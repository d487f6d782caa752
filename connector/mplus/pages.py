"""A page of items, read as its bytes arrive: XML in, JSON out. No I/O, and little to import: it also runs in a small process.

Memory stays flat however long the page is: each finished item is converted and cut off the tree.
"""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple
from xml.etree.ElementTree import Element

import orjson

from connector.mplus.decode import item_converter, local
from connector.mplus.document import PIECE, Document, PageError, pieces, without
from connector.mplus.envelope import FaultError, answer_of, integer_of, is_fault, read_fault, read_numbers, response_of
from connector.mplus.values import NAMESPACE, InvalidValue

__all__ = ["FaultError", "Item", "PageDecoder", "PageError", "PageSpec", "Undecodable", "read_fault", "read_numbers"]


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
    """A list: the highest marker of its members counts where the item itself has none."""
    deleted: str | None = None
    omit: frozenset[str] = frozenset()
    """Elements left out at any depth."""
    response: str | None = None
    """The response element's name, where the caller wants it checked."""
    careful: bool = False
    """Read item by item, with what XML forbids replaced, in a child process of its own: slow, for a page that failed."""
    charset: str | None = None
    """The encoding by the HTTP header: holds where the XML has neither declaration nor byte order mark."""


class Item(NamedTuple):
    """A decoded item; `value` is its JSON."""

    marker: int
    identity: str
    deleted: bool
    value: bytes


class Undecodable(NamedTuple):
    """An item that is not what its schema says; `raw` is its XML without the elements to omit. `stage`: see dead letters.

    `first`: where it stands for whatever lies at the markers from there to `marker`.
    """

    marker: int | None
    identity: str | None
    reason: str
    raw: bytes
    stage: str = "decode"
    first: int | None = None


class PageDecoder:
    """Bytes in, items out, as they complete. One page; not to be used again after an error."""

    def __init__(self, spec: PageSpec, *, max_item_bytes: int = 64 << 20) -> None:
        """`max_item_bytes`: also what may stand between two items. Raises KeyError for an unknown schema."""
        self._spec = spec
        self._items = _Items(spec)
        self._document = Document()
        self._max_item_bytes = max_item_bytes
        self._uncut = 0

    def feed(self, chunk: bytes) -> list[Item | Undecodable]:
        """The items that this chunk completes. Raises PageError."""
        found: list[Item | Undecodable] = []
        for piece in pieces(chunk):
            self._document.feed(piece)
            found += self._finished(len(piece))
        return found

    def close(self) -> list[Item | Undecodable]:
        """The remaining items. Raises PageError when the page is truncated or another response, FaultError for a fault."""
        response = answer_of(self._document.close())
        around = self._around(response)
        self._refuse_other_content(response)
        return self._items.decoded(list(around)) if around is not None else []

    def _finished(self, fed: int) -> list[Item | Undecodable]:
        root = self._document.root
        response = response_of(root) if root is not None else None
        around = self._around(response) if response is not None and not is_fault(response) else None
        elements = around[:-1] if around is not None else []
        self._uncut = 0 if elements else self._uncut + fed
        if self._uncut > self._max_item_bytes + PIECE:
            raise PageError(f"more than {self._max_item_bytes} bytes for one item")
        if around is not None:
            del around[:-1]
        return self._items.decoded(elements)

    def _around(self, response: Element) -> Element | None:
        """The element whose children are the items."""
        if self._spec.response is not None and response.tag != NAMESPACE + self._spec.response:
            raise PageError(f"{local(response.tag)} where {self._spec.response} was expected")
        around: Element | None = response
        for name in self._spec.path[:-1]:
            around = around.find(NAMESPACE + name) if around is not None else None
        return around

    def _refuse_other_content(self, response: Element) -> None:
        first = self._spec.path[0]
        lists = [child for child in response if child.tag == NAMESPACE + first]
        if len(lists) > 1 and len(self._spec.path) > 1:
            raise PageError(f"{local(response.tag)} holds more than one {first}")
        if len(response) and not lists and self._spec.response is None:
            raise PageError(f"{local(response.tag)} holds {local(response[0].tag)} and no {first}")


class _Items:
    """Elements → items, each by itself: one that cannot be converted holds up no other."""

    def __init__(self, spec: PageSpec) -> None:
        self._spec = spec
        self._tag = NAMESPACE + spec.path[-1]
        self._converter = item_converter(spec.schema, spec.omit)

    def decoded(self, elements: list[Element]) -> list[Item | Undecodable]:
        return [self._decoded(element) for element in elements if element.tag == self._tag or len(self._spec.path) > 1]

    def _decoded(self, element: Element) -> Item | Undecodable:
        try:
            self._refuse_other(element)
            value = self._converter.whole(element) or {}
            deleted = self._spec.deleted is not None and value.get(self._spec.deleted) is True
            return Item(self._marker(value), self._identity(value), deleted, orjson.dumps(value))
        except (InvalidValue, RecursionError, orjson.JSONEncodeError) as error:
            return self._undecodable(element, str(error))

    def _refuse_other(self, element: Element) -> None:
        if element.tag != self._tag:
            raise InvalidValue(f"{local(element.tag)} where {self._spec.path[-1]} was expected")

    def _marker(self, value: dict[str, Any]) -> int:
        spec = self._spec
        if spec.marker is None:
            return 0
        marker = value.get(spec.marker)
        if marker is None and spec.marker_within is not None:
            members = [member.get(spec.marker) for member in value.get(spec.marker_within) or () if isinstance(member, dict)]
            marker = max((member for member in members if isinstance(member, int)), default=None)
        if not isinstance(marker, int) or not 0 <= marker < 1 << 63:
            raise InvalidValue(f"no {spec.marker}")
        return marker

    def _identity(self, value: dict[str, Any]) -> str:
        return "-".join(_part(value, path, default) for path, default in self._spec.identity)

    def _undecodable(self, element: Element, reason: str) -> Undecodable:
        readable = self._readable(element) if element.tag == self._tag else {}
        marker = identity = None
        with suppress(InvalidValue):
            marker = self._marker(readable)
        with suppress(InvalidValue):
            identity = self._identity(readable)
        return Undecodable(marker, identity, reason, without(element, self._spec.omit))

    def _readable(self, element: Element) -> dict[str, Any]:
        """As `value`, of what can be read. Markers of members count even where the list as a whole does not."""
        marker, within = self._spec.marker, self._spec.marker_within
        readable = self._converter.readable(element)
        if marker is not None and within is not None and within not in readable:
            members = element.iterfind(f"{NAMESPACE}{within}/*/{NAMESPACE}{marker}")
            readable[within] = [{marker: integer_of(member)} for member in members]
        return readable


def _part(value: Any, path: str, default: str | None) -> str:
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    if isinstance(value, (int, str)) and value != "":
        return str(value)
    if default is None:
        raise InvalidValue(f"no {path}")
    return default
