"""XML documents read safely in pieces, and written back without what must not leave."""

from collections.abc import Callable, Iterator
from xml.etree.ElementTree import Element, ParseError, TreeBuilder, XMLParser
from xml.parsers import expat

PIECE_BYTES = 1 << 16
"""Bytes parsed at a time: a larger piece keeps more elements alive at once and is slower."""
PROLOG_BYTES_MAX = 1 << 16
MARKUP = b"<!"
"""A DOCTYPE begins like this in every encoding that writes ASCII as ASCII; the others that expat reads have zero bytes."""


TRUNCATED = frozenset({3, 5, 6, 20})
"""What expat says at the end of what is only too short: no element, unclosed token, partial character, unclosed CDATA."""


class PageError(Exception):
    """An answer that cannot be read: garbled, truncated, with a DOCTYPE, or not the expected one. One line, without its data."""


class NotWellFormed(PageError):
    """An error in the middle: read with care, the rest of the page may be had."""


class TooLarge(PageError):
    """An item, or what stands between two, is larger than allowed."""


class Document:
    """XML in pieces. A DOCTYPE is refused before anything of it is expanded: a parser of its own reads the prolog first."""

    def __init__(self, *, prolog: bool = True, encoding: str | None = None) -> None:
        """`prolog`: False where the whole document is known to hold no DOCTYPE. `encoding`: what it is in, whatever it says."""
        builder = TreeBuilder()
        self._top = builder.start("", {})  # an element of our own around the root: the public way to see a tree while it grows
        self._parser = XMLParser(target=builder, encoding=encoding)  # noqa: S314 -- what defusedxml refuses needs a DOCTYPE
        self._prolog = _Prolog(encoding) if prolog else None
        self._failed = False

    def feed(self, data: bytes | memoryview) -> None:
        """At most PIECE_BYTES bytes. Raises PageError, NotWellFormed where it is that, and ever after."""
        self._translated(lambda: self._parser.feed(self._prolog.passed(data) if self._prolog else data))

    def close(self) -> Element:
        """The root element of the finished document. Raises PageError when it is truncated."""
        self._translated(self._parser.close, ending=True)
        return self._top[0]

    @property
    def root(self) -> Element | None:
        return self._top[0] if len(self._top) else None

    def _translated(self, step: Callable[[], object], *, ending: bool = False) -> None:
        if self._failed:
            raise PageError("the page has failed before")
        self._failed = True
        try:
            step()
        except (ParseError, expat.ExpatError, LookupError, TypeError, ValueError) as error:
            short = ending and getattr(error, "code", None) in TRUNCATED
            kind, what = (PageError, "truncated XML") if short else (NotWellFormed, "not well-formed XML")
            raise kind(f"{what}: {error}") from None  # a UnicodeError would hold the data
        self._failed = False


class _Prolog:
    """Holds back what comes before the root element until that has been seen without a DOCTYPE."""

    def __init__(self, encoding: str | None) -> None:
        self._held = b""
        self._root: list[str] = []
        self._parser: expat.XMLParserType | None = expat.ParserCreate(encoding)
        self._parser.StartElementHandler = lambda name, _, seen=self._root: seen.append(name)
        self._parser.StartDoctypeDeclHandler = _refuse_doctype

    def passed(self, data: bytes | memoryview) -> bytes | memoryview:
        """What may be parsed by now."""
        if self._parser is None:
            return data
        self._held += data
        for start in range(0, len(data), 4096):
            self._parser.Parse(bytes(data[start : start + 4096]))
            if self._root:
                self._parser = None
                return self._held
        if len(self._held) > PROLOG_BYTES_MAX:
            raise PageError(f"no element within the first {PROLOG_BYTES_MAX} bytes")
        return b""


def _refuse_doctype(*_: object) -> None:
    raise PageError("a DOCTYPE is not allowed")


def parse(body: bytes) -> Element:
    """The root element of a small answer. Raises PageError."""
    document = Document(prolog=MARKUP in body or b"\0" in body)
    for piece in pieces(body):
        document.feed(piece)
    return document.close()


def pieces(data: bytes) -> Iterator[memoryview]:
    """The same bytes in parts small enough for the parser's memory to stay flat."""
    view = memoryview(data)
    return (view[start : start + PIECE_BYTES] for start in range(0, len(view), PIECE_BYTES))


def without(element: Element, omit: frozenset[str]) -> bytes:
    """The element as XML, without the elements and attributes of these names. Not recursive: a bad item may be deep."""
    parts: list[str] = []
    todo: list[tuple[Element, str] | str] = [(element, "")]
    while todo:
        step = todo.pop()
        if isinstance(step, str):
            parts.append(step)
            continue
        node, outer = step
        namespace, _, name = node.tag.removeprefix("{").rpartition("}")
        todo.append(_escaped(node.tail or "") if node is not element else "")
        if name not in omit:
            parts.append(f"<{name}{_attributes(node, namespace, outer, omit)}>{_escaped(node.text or '')}")
            todo += [f"</{name}>", *((child, namespace) for child in reversed(node))]
    return "".join(parts).encode()


def _attributes(node: Element, namespace: str, outer: str, omit: frozenset[str]) -> str:
    text = f' xmlns="{_escaped(namespace)}"' if namespace != outer else ""
    for number, (key, value) in enumerate(node.items()):
        uri, _, name = key.removeprefix("{").rpartition("}")
        prefix, declared = (f"a{number}:", f' xmlns:a{number}="{_escaped(uri)}"') if uri else ("", "")
        text += f'{declared} {prefix}{name}="{_escaped(value)}"' if name not in omit else ""
    return text


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
