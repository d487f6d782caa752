"""The items of a page by its tags alone: whose they are and at which sync markers, also where the page is no XML. Pure.

Shares nothing with the decoder, so that an audit does not overlook what the decoder does. An item whose tags do not match counts,
without a name, and with the marker that stands in it. What is not the whole answer to what was asked is no page.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from connector.audit.markup import Tag, plain, tags, text

ABOVE = (b"Envelope", b"Body")
WHOLE = re.compile(r"[+-]?[0-9]{1,30}")
MARKER_END = 1 << 63
DEPTH_MAX = 1000
ANY = b"*"
Path = tuple[bytes, ...]


class NotAPageError(Exception):
    """An answer that is not all of a page of what was asked for. One line, without its data."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of an identity: where it stands in an item, what stands for it where it is empty, whether it is a whole number."""

    path: Path
    default: str | None
    whole: bool


@dataclass(frozen=True, slots=True)
class Shape:
    """Names: from the response to the items, and within an item.

    `markers` has the paths of all sync markers of an item; none: it is of a list without them. ANY stands for any name.
    """

    path: Path
    identity: Sequence[Part]
    markers: Sequence[Path] = ()
    deleted: Path | None = None
    wanted: Mapping[bytes, Sequence[Path]] = field(init=False)
    """The same paths by their last names."""

    def __post_init__(self) -> None:
        paths = {*(part.path for part in self.identity), *self.markers, *([self.deleted] if self.deleted else [])}
        object.__setattr__(self, "wanted", {path[-1]: [each for each in paths if each[-1] == path[-1]] for path in paths})


class RawItem(NamedTuple):
    """What can be told of an item; `xml` only where a list without markers was read."""

    marker: int | None
    identity: str | None
    deleted: bool = False
    xml: bytes = b""


def items(body: bytes, response: str, shape: Shape) -> list[RawItem]:
    """All items of an answer. Raises NotAPageError."""
    body = plain(body)
    return _Page(body, (*ABOVE, response.encode()), shape).read()


def item(xml: bytes, shape: Shape) -> RawItem | None:
    """An item that stands alone; None where there is no element."""
    xml = plain(xml)
    lone = _Page(xml, (), Shape((ANY,), shape.identity, shape.markers, shape.deleted))
    try:
        return next(iter(lone.read()), None)
    except NotAPageError:
        return _nameless(xml, shape)


class _Page:
    """One pass over the tags, with the names of the elements that are open."""

    def __init__(self, body: bytes, above: Path, shape: Shape) -> None:
        self._body = body
        self._above = (*above, *shape.path[:-1])
        self._shape = shape
        self._open: list[bytes] = []
        self._starts: list[int] = []
        self._found: list[RawItem] = []
        self._values: dict[Path, list[str | None]] = {}
        self._broken = False
        self._reached = 0

    def read(self) -> list[RawItem]:
        for tag in tags(self._body, {*self._above, *self._shape.path, *self._shape.wanted}):
            if tag.opens and tag.closes and len(self._open) > len(self._above):
                self._leaf(tag)
            else:
                self._tag(tag)
        if self._open or self._reached < len(self._above):
            missing = (*self._above, b"")[self._reached]
            raise NotAPageError("the answer is cut" if self._open else f"the answer has no {missing.decode(errors='replace')}")
        return self._found

    def _leaf(self, tag: Tag) -> None:
        if tag.name in self._shape.wanted:
            self._keep((*self._open[len(self._above) + 1 :], tag.name), text(tag.text))

    def _tag(self, tag: Tag) -> None:
        if tag.opens:
            self._opened(tag)
        if tag.closes:
            self._closed(tag)

    def _opened(self, tag: Tag) -> None:
        depth = len(self._open)
        if depth == 0 and self._reached:
            raise NotAPageError("the answer holds more than one envelope")
        if depth == DEPTH_MAX:
            raise NotAPageError(f"elements lie more than {DEPTH_MAX} deep")
        if depth < len(self._above):
            self._expect(tag.name, depth)
        elif depth == len(self._above):
            self._values, self._broken = {}, False
        self._open.append(tag.name)
        self._starts.append(tag.begin if depth == len(self._above) else tag.end)

    def _expect(self, name: bytes, depth: int) -> None:
        """Everything on the way to the items is what was asked for; a SOAP header, and elements beside a list, are neither."""
        on_the_way = self._open == list(self._above[:depth])
        if on_the_way and name == self._above[depth]:
            self._reached = max(self._reached, depth + 1)
        elif on_the_way and depth != 1 and depth < len(ABOVE) + 1:
            shown = name[:40].decode(errors="replace")
            raise NotAPageError(f"{shown} where {self._above[depth].decode()} was expected")

    def _closed(self, tag: Tag) -> None:
        if tag.name not in self._open:
            self._broken = True
            return
        while True:
            name, begin = self._open.pop(), self._starts.pop()
            if name != tag.name and len(self._open) < len(self._above):
                raise NotAPageError(f"the answer is cut before the end of {name[:40].decode(errors='replace')}")
            self._broken |= name != tag.name
            self._ended(name, begin, tag)
            if name == tag.name:
                return

    def _ended(self, name: bytes, begin: int, tag: Tag) -> None:
        depth = len(self._open)
        if depth > len(self._above) and name in self._shape.wanted:
            self._keep((*self._open[len(self._above) + 1 :], name), text(self._body[begin : tag.begin]))
        elif depth == len(self._above) and self._open == list(self._above):
            self._found += self._item(name, begin, tag)

    def _keep(self, path: Path, value: str | None) -> None:
        for wanted in self._shape.wanted[path[-1]]:
            if len(wanted) == len(path) and all(one in (ANY, other) for one, other in zip(wanted, path, strict=True)):
                self._values.setdefault(wanted, []).append(value)

    def _item(self, name: bytes, begin: int, tag: Tag) -> Iterator[RawItem]:
        """Where rows stand right under the response, elements of other names are no items."""
        expected, flat = self._shape.path[-1], len(self._shape.path) == 1
        if expected not in (ANY, name) and flat:
            return
        end = tag.end if name == tag.name else tag.begin
        if self._broken or expected not in (ANY, name):
            yield from _apart(self._body[begin:end], self._shape)
            return
        xml = b"" if self._shape.markers else self._body[begin:end]
        deleted = self._shape.deleted is not None and self._one(self._shape.deleted).strip() in ("true", "1")
        yield RawItem(self._marker(), self._identity(), deleted, xml)

    def _one(self, path: Path) -> str:
        """The text of an element that stands once."""
        found = self._values.get(path, ())
        return (found[0] or "") if len(found) == 1 else ""

    def _marker(self) -> int | None:
        found = [_whole(value) for path in self._shape.markers for value in self._values.get(path, ())]
        fine = [marker for marker in found if marker is not None and 0 <= marker < MARKER_END]
        return max(fine, default=None) if self._shape.markers else 0

    def _identity(self) -> str | None:
        parts = [self._part(part) for part in self._shape.identity]
        return "-".join(part for part in parts if part is not None) if None not in parts else None

    def _part(self, part: Part) -> str | None:
        value = self._one(part.path)
        if part.whole:
            number = _whole(value)
            value = "" if number is None else str(number)
        return value or part.default


def _whole(value: str | None) -> int | None:
    found = (value or "").strip(" \t\r\n")
    return int(found) if WHOLE.fullmatch(found) else None


def _apart(block: bytes, shape: Shape) -> Iterator[RawItem]:
    """Where an end tag is missing, more than one item may stand in what looks like one."""
    starts = [tag.begin for tag in tags(block, shape.path) if tag.opens and tag.name == shape.path[-1]]
    if len(starts) < 2:
        yield _nameless(block, shape)
        return
    for begin, end in zip(starts, [*starts[1:], len(block)], strict=True):
        yield item(block[begin:end], shape) or _nameless(block[begin:end], shape)


def _nameless(block: bytes, shape: Shape) -> RawItem:
    """An item whose tags do not match: the first thing in it that looks like its marker counts."""
    for path in shape.markers:
        if found := re.search(rb"<(?:[^\s<>/:]+:)?" + re.escape(path[-1]) + rb"(?:\s[^<>]*)?>\s*\+?([0-9]{1,18})\s*<", block):
            return RawItem(int(found[1]), None)
    return RawItem(None, None)
