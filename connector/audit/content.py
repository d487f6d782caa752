"""What a slow list's row holds, compared without the decoder: by the texts in it, from its XML and from its event. Pure."""

import hashlib
from collections.abc import Iterator
from typing import Any

import orjson

from connector.audit.markup import plain, tags, text

SPELLINGS = {"true": "1", "false": "0"}
"""XML knows two for each."""


def of_xml(xml: bytes) -> int:
    """The version of a row of the source: 7 bytes of a hash."""
    return _version(_leaves(plain(xml)))


def of_event(value: bytes) -> int:
    """The version of an event's value, of which anybody may have written anything."""
    try:
        row = orjson.loads(value)
    except orjson.JSONDecodeError:
        return _version([("", value.decode(errors="replace"))])
    return _version(_texts("", row))


def _leaves(xml: bytes) -> list[tuple[str, str]]:
    """Texts by the names of the elements right below the row's own."""
    found: list[tuple[str, str]] = []
    open_: list[tuple[bytes, int]] = []
    for tag in tags(xml, _All()):
        if tag.opens and not tag.closes:
            open_.append((tag.name, tag.end))
        elif tag.opens and open_:
            found.append(_leaf([name for name, _ in open_] + [tag.name], tag.text))
        elif open_:
            name, begin = open_.pop()
            if open_ and (content := text(xml[begin : tag.begin])) is not None and content.strip():
                found.append(_leaf([name for name, _ in open_] + [name], xml[begin : tag.begin]))
    return found


class _All(frozenset[bytes]):
    def __contains__(self, _: object) -> bool:
        return True


def _leaf(path: list[bytes], content: bytes) -> tuple[str, str]:
    return path[1].decode(errors="replace"), text(content) or ""


def _texts(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _texts(name or key, each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(name, each)
    elif value is not None:
        yield name, str(value)


def _version(leaves: list[tuple[str, str]] | Iterator[tuple[str, str]]) -> int:
    """What is empty counts as absent, and a number or a truth as its text: XML does not tell them apart."""
    plain = ((name, _plain(content)) for name, content in leaves)
    rows = sorted(((name, content) for name, content in plain if content), key=lambda row: row[0])
    return int.from_bytes(hashlib.blake2b(orjson.dumps(rows), digest_size=7).digest(), "big")


def _plain(content: str) -> str:
    stripped = content.strip().lower()
    digits = stripped.lstrip("+-")
    if digits.isascii() and digits.isdigit() and len(digits) < 30:
        return str(int(stripped)) if stripped.count("+") + stripped.count("-") < 2 else stripped
    return SPELLINGS.get(stripped, content.strip())
