"""Tags found in bytes that need not be well-formed XML: where elements begin and end, and what text stands in them. Pure.

No parser, on purpose: this is for the audit, which must not fail, or be blind, where the connector's own parser is.
"""

import codecs
import re
from collections.abc import Container, Iterator
from html import unescape
from typing import NamedTuple

NAME = rb"(?:[^\s<>/:!?\"'=]+:)?([^\s<>/:!?\"'=]+)"
REST = rb"(?:\s(?:[^<>\"']|\"[^\"<]*\"|'[^'<]*')*?)?"
TOKEN = re.compile(
    rb"<(?P<leaf>" + NAME + rb")" + REST + rb"(?<!/)>(?P<text>[^<]*)</(?P=leaf)\s*>"
    rb"|<(?P<slash>/?)" + NAME + REST + rb"(?P<alone>/?)>"
)
"""An element that holds only text, or a tag, by local name."""

ASIDE = re.compile(rb"<!--|<!\[CDATA\[|<\?")
ENDS = {b"<!--": b"-->", b"<![CDATA[": b"]]>", b"<?": b"?>"}
DECLARED = re.compile(rb"""^\s*<\?xml[^>]*?\sencoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
REFERENCE = re.compile(r"&(?:#(\d+|[xX][0-9a-fA-F]+)|(amp|lt|gt|quot|apos));")
MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
ZEROS = {b"<\0": "utf-16-le", b"\0<": "utf-16-be"}


class Tag(NamedTuple):
    """A start tag, an end tag, or an element with nothing but text in it; `begin` and `end` are places in the bytes."""

    name: bytes
    begin: int
    end: int
    opens: bool
    closes: bool
    text: bytes = b""


def tags(body: bytes, leaves: Container[bytes] = ()) -> Iterator[Tag]:
    """The tags in plain text, in order, and those elements with nothing but text in them that have these names.

    What looks like a tag and is none is passed over.
    """
    for found in TOKEN.finditer(body):
        _, leaf, content, slash, name, alone = found.groups()
        if name is not None:
            yield Tag(name, found.start(), found.end(), not slash, bool(slash or alone))
        elif leaf is not None and leaf in leaves:
            yield Tag(leaf, found.start(), found.end(), opens=True, closes=True, text=content)


def plain(body: bytes) -> bytes:
    """The same in UTF-8, without comments and instructions, and with CDATA written as other text is.

    What begins like one of them and does not end is text. In time that grows with the bytes alone, whatever they are.
    """
    body, parts, at, endless = utf8(body), list[bytes](), 0, set[bytes]()
    for found in ASIDE.finditer(body) if b"<!" in body or b"<?" in body else ():
        begins = found[0]
        if found.start() < at or begins in endless:
            continue
        end = body.find(ENDS[begins], found.end())
        if end < 0:
            endless.add(begins)
            continue
        parts += [body[at : found.start()], _escaped(body[found.end() : end]) if begins == b"<![CDATA[" else b""]
        at = end + len(ENDS[begins])
    return b"".join([*parts, body[at:]]) if parts else body


def _escaped(text: bytes) -> bytes:
    return text.replace(b"&", b"&amp;").replace(b"<", b"&lt;").replace(b">", b"&gt;")


def utf8(body: bytes) -> bytes:
    """The same text in UTF-8, whatever its mark or declaration says it is in; what cannot be read is replaced."""
    mark, encoding = next(((mark, name) for mark, name in MARKS if body.startswith(mark)), (b"", ""))
    encoding = encoding or ZEROS.get(body[:2]) or _declared(body)
    body = body[len(mark) :]
    return body if encoding == "utf-8" else body.decode(encoding, errors="replace").encode(errors="replace")


def _declared(body: bytes) -> str:
    found = DECLARED.match(body[:1000])
    name = found[1].decode() if found else "utf-8"
    try:
        text = b"<a>".decode(name)
    except (LookupError, ValueError):
        return "utf-8"
    return codecs.lookup(name).name if text == "<a>" else "utf-8"


def text(content: bytes) -> str | None:
    """What stands between two tags, as an XML reader would have it, with U+FFFD for what XML forbids; None: elements do."""
    if TOKEN.search(content):
        return None
    found = content.decode(errors="replace").replace("\r\n", "\n").replace("\r", "\n")
    return ILLEGAL.sub("\ufffd", REFERENCE.sub(_character, found) if "&" in found else found)


def _character(found: re.Match[str]) -> str:
    digits = found[1]
    if digits is None:
        return unescape(found[0])
    number = int(digits[1:], 16) if digits[0] in "xX" else int(digits[:9])
    return chr(number) if number < 0x110000 else "\ufffd"
