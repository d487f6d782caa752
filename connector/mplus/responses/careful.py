"""A page read item by item, with what XML forbids replaced: slow, for a page that the fast decoder cannot read.

Each item is parsed by itself, within the opening tags of what is around it. A good one is what the fast decoder would make of it;
one that is not well-formed, or larger than allowed, costs itself. What is around the items must be well-formed.
"""

import re
from collections.abc import Callable
from xml.etree.ElementTree import Element

from connector.mplus.responses.broken import Clues, clues, without
from connector.mplus.responses.characters import Characters, allowed
from connector.mplus.responses.document import PIECE_BYTES, Document, NotWellFormed, PageError, TooLarge, pieces
from connector.mplus.responses.envelope import answer_of, is_fault, response_of
from connector.mplus.responses.expected import Expected
from connector.mplus.responses.markup import TAG, sections
from connector.mplus.responses.pages import MAX_ITEM_BYTES, TOO_LARGE, Item, Items, PageDecoder, PageSpec, Undecodable
from connector.mplus.responses.parts import Rest
from connector.mplus.responses.splitting import Splitter

UTF_8 = "utf-8"

_CUT = re.compile("&[#0-9A-Za-z]{0,64}$")
"""A reference, so far."""


class CarefulDecoder:
    """Bytes in, items out, as PageDecoder does it."""

    def __init__(self, spec: PageSpec, *, max_item_bytes: int = MAX_ITEM_BYTES) -> None:
        """`max_item_bytes`: without what is left out. Raises KeyError for an unknown schema."""
        self._characters = Characters(spec.charset)
        self._page = _Page(spec, self._characters, max_item_bytes)
        self._splitter = Splitter(spec, self._page, max_item_bytes)
        self._failed = False

    def feed(self, chunk: bytes) -> list[Item | Undecodable]:
        """The items that this chunk completes. Raises PageError."""
        return self._read(lambda: self._fed(chunk))

    def close(self) -> list[Item | Undecodable]:
        """The remaining items. Raises PageError when the page is truncated or another response, FaultError for a fault."""
        return self._read(self._ended)

    def _fed(self, chunk: bytes) -> None:
        for piece in pieces(chunk):
            self._splitter.feed(self._characters.decoded(bytes(piece)))

    def _ended(self) -> None:
        self._splitter.feed(self._characters.decoded(b"", final=True))
        self._splitter.close()
        self._page.close()

    def _read(self, step: Callable[[], object]) -> list[Item | Undecodable]:
        if self._failed:
            raise PageError("the page has failed before")
        self._failed = True
        step()
        self._failed = False
        found, self._page.found = self._page.found, []
        return found


class _Page:
    """The parts of a page, as the splitter finds them."""

    def __init__(self, spec: PageSpec, characters: Characters, max_item_bytes: int) -> None:
        self.found: list[Item | Undecodable] = []
        self.size = characters.size
        self._spec = spec
        self._characters = characters
        self._max_item_bytes = max_item_bytes
        self._items = Items(spec)
        self._expected = Expected(spec.path, spec.response)
        self._outline = Document(encoding=UTF_8)
        self._outline_bytes = 0
        self._held = ""
        self._before = self._behind = ""
        name = rf"(?:[^\s<>/:]+:)?{re.escape(spec.path[-1])}"
        self._end, self._begin = re.compile(rf"</{name}\s*>"), re.compile(rf"<{name}[\s/>]")

    def close(self) -> None:
        """Raises PageError for what is not a whole page."""
        self._outline_feed(self._held)
        response = answer_of(self._outline.close())
        self._expected.refuse_other(response, self._items.seen, self._items.foreign)

    def around(self, text: str) -> None:
        """See Reader."""
        text = self._held + text
        cut = _CUT.search(text)
        self._held = cut[0] if cut else ""
        self._outline_feed(text.removesuffix(self._held))

    def _outline_feed(self, text: str) -> None:
        data = allowed(text).encode()
        self._outline_bytes += len(data)
        if self._outline_bytes > self._max_item_bytes + PIECE_BYTES:
            raise TooLarge(f"more than {self._max_item_bytes} bytes around the items")
        for piece in pieces(data):
            self._outline.feed(piece)

    def is_list(self, tags: list[str]) -> bool:
        """See Reader."""
        before = allowed("".join(tags))
        behind = "".join(f"</{tag[2]}>" for tag in map(TAG.match, reversed(tags)) if tag)
        try:
            root = _parsed(before, behind)
        except PageError:
            return False  # it is broken as a whole: the parser of what is around the items says so
        response = response_of(root)
        if response is None or is_fault(response) or _innermost(root) is not self._expected.around(response):
            return False
        self._before, self._behind = before, behind
        return True

    def item(self, text: str) -> str:
        """See Reader."""
        mended = allowed(text)
        try:
            (element,) = self._within(mended)
        except PageError as error:
            return self._broken(text, error)
        except ValueError:
            return self._broken(text, NotWellFormed("more than one element"))
        for found in self._items.decoded([element]):
            changed = isinstance(found, Undecodable) and mended != text
            self.found.append(found._replace(raw=self._raw(text)) if changed else found)  # type: ignore[call-arg]
        return ""

    def between(self, text: str) -> None:
        """See Reader."""
        if not text.strip():
            return
        try:
            self.found += self._items.decoded(list(self._within(allowed(text))))
        except PageError as error:
            self._undecodable(text, error)

    def too_large(self, parts: list[str]) -> Rest:
        """See Reader."""
        seen = _TooLarge(self, Clues(self._spec))
        for part in parts:
            seen.feed(part)
        return seen

    def left_out(self) -> Clues:
        """See Reader."""
        return Clues(self._spec)

    def unread(self, seen: Clues) -> None:
        """An item too large has ended."""
        found = seen.undecodable(self._items, f"more than {self._max_item_bytes} bytes for one item")
        self.found.append(found._replace(raw=b"", stage=TOO_LARGE))

    def _within(self, text: str) -> Element:
        return _innermost(_parsed(self._before, text, self._behind), len(self._spec.path) + 1)

    def _broken(self, text: str, error: PageError) -> str:
        """A section without an end may have swallowed the items behind it: those are read once more."""
        end = next(filter(None, (self._boundary(text, *section) for section in sections(text))), len(text))
        self._undecodable(text[:end], error)
        return text[end:]

    def _boundary(self, text: str, start: int, end: int) -> int:
        """Where in a section the next item seems to begin, behind the end of one; 0: nowhere."""
        ended = self._end.search(text, start, end)
        begins = self._begin.search(text, ended.end(), end) if ended else None
        return begins.start() if begins else 0

    def _undecodable(self, text: str, error: PageError) -> None:
        reason = str(error).partition(": line")[0].replace("truncated", "not well-formed")
        found = clues(self._spec, allowed(text)).undecodable(self._items, reason)
        self.found.append(found._replace(raw=self._raw(text)))

    def _raw(self, text: str) -> bytes:
        return self._characters.back(without(text, self._spec.omit))


class _TooLarge:
    def __init__(self, page: _Page, seen: Clues) -> None:
        self._page = page
        self._seen = seen
        self.feed = seen.feed

    def end(self) -> None:
        self._page.unread(self._seen)


def _parsed(*texts: str) -> Element:
    document = Document(prolog=False, encoding=UTF_8)
    for text in texts:
        for start in range(0, len(text), PIECE_BYTES // 4):  # a character has at most four bytes
            document.feed(text[start : start + PIECE_BYTES // 4].encode())
    return document.close()


def _innermost(root: Element, depth: int | None = None) -> Element:
    """The element so far down, or as far as it goes."""
    while len(root) and depth != 0:
        root, depth = root[0], None if depth is None else depth - 1
    return root


AnyDecoder = PageDecoder | CarefulDecoder


def page_decoder(spec: PageSpec) -> AnyDecoder:
    """The decoder for such a page. Raises KeyError for an unknown schema."""
    return CarefulDecoder(spec) if spec.careful else PageDecoder(spec)
