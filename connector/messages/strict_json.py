"""Strict reading of JSON: what two readers may take for two things is refused, and its place is named. Pure.

What may not be there stays in the document as `Refused`, so that all of it is found at once and the rest can still be read.
"""

import json
import re
from collections import Counter
from dataclasses import dataclass
from typing import Any, TypeAlias

DEPTH_MAX, FLAWS_MAX, SHOWN_CHARS_MAX = 100, 20, 40
Path: TypeAlias = tuple[str | int, ...]
SURROGATE = re.compile("[\ud800-\udfff]")
NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
PLAIN_NAME = re.compile(rf"[A-Za-z0-9_-]{{1,{SHOWN_CHARS_MAX}}}")


class Unreadable(Exception):
    """The bytes are no JSON object; says in one line why."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Stands where something was that may not be there."""

    reason: str


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong at a place. `readable`: the value is clear all the same, and only cannot be sent."""

    path: Path
    reason: str
    readable: bool = False

    def __str__(self) -> str:
        return said(self.path, self.reason)


def read_object(value: bytes | None) -> dict[str, Any]:
    """The document, with `Refused` in it where `flaws` finds them. Raises Unreadable."""
    if not value:
        raise Unreadable("the message is empty")
    try:
        document = json.loads(
            _text(value), object_pairs_hook=_object, parse_int=_integer, parse_float=_float, parse_constant=_float
        )
    except json.JSONDecodeError as error:
        raise Unreadable(f"not JSON: {error}") from None
    except RecursionError:
        raise Unreadable(f"nested deeper than {DEPTH_MAX} levels") from None
    if not isinstance(document, dict):
        raise Unreadable("the message is JSON, but not an object")
    return document


def flaws(document: dict[str, Any]) -> list[Flaw]:
    """What may not be in the document, in its order; no more than FLAWS_MAX, whatever follows."""
    found: list[Flaw] = []
    _search(document, (), found)
    return found[:FLAWS_MAX]


def is_clean(text: str) -> bool:
    """Can XML carry it?"""
    return not NOT_XML.search(text)


def said(path: Path, reason: str) -> str:
    """`order.lineList[2].quantity: reason`."""
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{_name(part)}" for part in path).removeprefix(".")
    return f"{where}: {reason}" if where else reason


def shown(value: Any) -> str:
    """A value in a few words, on one line."""
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "an array"
    if isinstance(value, str):
        return repr(value if len(value) <= SHOWN_CHARS_MAX else value[:SHOWN_CHARS_MAX] + "…")
    return json.dumps(value)


def _search(value: dict[str, Any] | list[Any], path: Path, found: list[Flaw]) -> None:
    if len(path) >= DEPTH_MAX:
        found.append(Flaw(path[:1], f"nested deeper than {DEPTH_MAX} levels"))
        return
    for name, part in value.items() if isinstance(value, dict) else enumerate(value):
        if len(found) >= FLAWS_MAX:
            return
        if type(name) is str and SURROGATE.search(name):
            found.append(Flaw((*path, name), "its name holds half a surrogate pair"))
        if type(part) is str:
            if NOT_XML.search(part):
                found.append(_character(part, (*path, name)))
        elif type(part) is dict or type(part) is list:
            _search(part, (*path, name), found)
        elif type(part) is Refused:
            found.append(Flaw((*path, name), part.reason))


def _character(text: str, path: Path) -> Flaw:
    if found := SURROGATE.search(text):
        return Flaw(path, f"half a surrogate pair, U+{ord(found.group()):04X}")
    character = NOT_XML.findall(text)[0]
    return Flaw(path, f"character U+{ord(character):04X} cannot be sent in XML", readable=True)


def _name(part: str) -> str:
    return part if PLAIN_NAME.fullmatch(part) else json.dumps(part[:SHOWN_CHARS_MAX])


def _text(value: bytes) -> str:
    if value.startswith(b"\xef\xbb\xbf"):
        raise Unreadable("the message begins with a byte order mark")
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise Unreadable(f"not UTF-8: byte 0x{value[error.start]:02X} at position {error.start}") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        counts = Counter(name for name, _ in pairs)
        found |= {name: Refused("given more than once") for name, count in counts.items() if count > 1}
    return found


def _integer(digits: str) -> int | Refused:
    value = int(digits) if len(digits) <= 20 else 1 << 64  # int() of thousands of digits is slow, or an error
    return value if -(1 << 63) <= value < 1 << 63 else Refused(f"{_few(digits)} does not fit into 64 bits")


def _float(number: str) -> Refused:
    return Refused(f"{_few(number)} is not an integer")


def _few(digits: str) -> str:
    return digits if len(digits) <= SHOWN_CHARS_MAX else digits[:SHOWN_CHARS_MAX] + "…"
