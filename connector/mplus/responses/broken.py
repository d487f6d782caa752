"""What can be said of an item that is not well-formed: marker and identity as they stand there, and its XML for a dead letter."""

import re
from xml.etree.ElementTree import Element, SubElement

from connector.mplus.responses.markup import TAG, local_name, sections
from connector.mplus.responses.pages import Items, PageSpec, Undecodable
from connector.mplus.responses.values import NAMESPACE, WHITESPACE

VALUE_CHARS_MAX = 4096
"""Characters of a marker or a part of an identity, at most."""
DEPTH_MAX = 100
ENTITIES = (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&apos;", "'"), ("&amp;", "&"))

_NUMBER = re.compile(r"\+?[0-9]{1,19}")

Path = tuple[str, ...]


class Clues:
    """Feed the text of an item, as much as there is; then ask. Memory does not grow with it."""

    def __init__(self, spec: PageSpec) -> None:
        self._spec = spec
        self._identity = [tuple(path.split(".")) for path, _ in spec.identity]
        self._found: dict[Path, str] = {}
        """Values by their places in the item; below () the highest marker."""
        self._loose: dict[Path, str] = {}
        """The same by their names alone: where a tag is broken, what follows is no longer in its place."""
        self._open: list[str] = []
        self._leaf = False
        self._carry = ""

    def feed(self, text: str) -> None:
        """Some more of it."""
        text = self._carry + text
        at = 0
        for tag in TAG.finditer(text):
            self._tag(tag, text[at : tag.start()] if tag.start() - at <= VALUE_CHARS_MAX else "")
            at = tag.end()
        rest = text[at:]
        self._leaf = self._leaf and len(rest) <= VALUE_CHARS_MAX
        self._carry = rest[-VALUE_CHARS_MAX:] if "<" in rest[-VALUE_CHARS_MAX:] or self._leaf else ""

    def undecodable(self, items: Items, reason: str) -> Undecodable:
        """With what was found."""
        item = Element(f"{NAMESPACE}{self._spec.path[-1]}")
        for path, value in (self._loose | self._found).items():
            element = item
            for name in path or (self._spec.marker or "",):
                known = element.find(NAMESPACE + name)
                element = SubElement(element, NAMESPACE + name) if known is None else known
            element.text = value
        return items.undecodable(item, reason)

    def told(self) -> str:
        """What was found, as XML."""
        values = [(path or (self._spec.marker or "",), value) for path, value in (self._loose | self._found).items()]
        return "".join(
            "".join(f"<{name}>" for name in path) + _escaped(value) + "".join(f"</{name}>" for name in reversed(path))
            for path, value in values
        )

    def _tag(self, tag: re.Match[str], before: str) -> None:
        name = local_name(tag[2])
        if not tag[1]:
            self._leaf = not tag[3].endswith("/")
            if self._leaf and len(self._open) < DEPTH_MAX:
                self._open.append(name)
        elif name in self._open:
            if self._leaf and self._open[-1] == name:
                self._value(tuple(self._open), before.strip(WHITESPACE))
            while self._open.pop() != name:
                pass
            self._leaf = False

    def _value(self, place: Path, text: str) -> None:
        if place[-1] == self._spec.marker and _NUMBER.fullmatch(text):
            in_place = len(place) == 2 or (len(place) > 3 and place[-3] == self._spec.marker_within)
            _higher(self._found if in_place else self._loose, text)
        for path in self._identity:
            if place[-len(path) :] == path:
                (self._found if place[1:] == path else self._loose).setdefault(path, _unescaped(text))


def _higher(found: dict[Path, str], text: str) -> None:
    if () not in found or int(found[()]) < int(text):
        found[()] = text


def _escaped(text: str) -> str:
    for entity, character in reversed(ENTITIES):
        text = text.replace(character, entity)
    return text


def _unescaped(text: str) -> str:
    for entity, character in ENTITIES:
        text = text.replace(entity, character)
    return text


def clues(spec: PageSpec, text: str) -> Clues:
    """The clues of a whole item."""
    found = Clues(spec)
    at = 0
    for start, end in sections(text):
        found.feed(text[at:start])
        at = end
    found.feed(text[at:])
    return found


def without(text: str, omit: frozenset[str]) -> str:
    """Without elements and attributes of these names, however broken: rather more is left out than anything of them kept."""
    if not omit:
        return text
    names = "|".join(map(re.escape, sorted(omit)))
    return _without_attributes(_without_elements(text, names), names)


def _without_elements(text: str, names: str) -> str:
    tag = re.compile(rf"<(/?)\s*(?:[^\s<>/:]+:)?({names})")
    kept: list[str] = []
    at = 0
    while (found := tag.search(text, at)) is not None:
        kept.append(text[at : found.start()])
        whole = TAG.match(text, found.start())
        if found[1]:  # its beginning is damaged, and may be anywhere before
            kept.clear()
            at = whole.end() if whole else found.end()
        elif whole and whole[3].endswith("/"):
            at = whole.end()
        else:
            end = re.compile(rf"</\s*(?:[^\s<>/:]+:)?{re.escape(found[2])}\s*>").search(text, found.end())
            at = end.end() if end else len(text)
    return "".join(kept) + text[at:]


def _without_attributes(text: str, names: str) -> str:
    attribute = re.compile(rf"""\s[^\s<>="']*(?:{names})\s*=\s*(?:"[^"<]*"|'[^'<]*'|[^<]*)""")

    def cleaned(part: re.Match[str]) -> str:
        tag = TAG.match(part[0])
        end = tag.end() if tag else len(part[0])
        return attribute.sub("", part[0][:end]) + part[0][end:]

    return re.sub("<[^<]*", cleaned, text)
