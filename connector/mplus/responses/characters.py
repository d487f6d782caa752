"""A document's characters: which encoding they are in, bytes → text that can be turned back, and what XML 1.0 does not allow."""

import codecs
import re

from connector.mplus.responses.document import NotWellFormed, PageError
from connector.mplus.responses.markup import sections

REPLACEMENT = "\ufffd"
DECLARATION_BYTES_MAX = 1024
"""Bytes within which an XML declaration must end."""
MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
UNMARKED = ((b"<\0", "utf-16-le"), (b"\0<", "utf-16-be"))
ASCII = bytes(range(32, 127))

_DECLARATION = re.compile(rb"""<\?xml\s[^>]*?\sencoding\s*=\s*["']([A-Za-z][A-Za-z0-9._-]*)["']""")
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_REFERENCE = re.compile(r"&#(?:x([0-9A-Fa-f]+)|([0-9]+));")


def declared(start: bytes) -> str | None:
    """The encoding that a document's own beginning tells; "" where it tells none; None while more of it is needed."""
    for mark, name in (*MARKS, *UNMARKED):
        if start.startswith(mark):
            return name
    if len(start) < DECLARATION_BYTES_MAX and b"<?xml "[: len(start)] == start[:6].replace(b"\t", b" ") and b"?>" not in start:
        return None
    if len(start) < 3 and any(mark.startswith(start) for mark, _ in (*MARKS, *UNMARKED)):
        return None
    found = _DECLARATION.match(start)
    return found[1].decode() if found else ""


def known(name: str) -> str | None:
    """The codec of that name, if documents can be in it: one byte a character, ASCII as ASCII, or UTF-8."""
    try:
        codec = codecs.lookup(name).name
        if codec in {"utf-8", "ascii"}:
            return "utf-8"
        every = bytes(range(256)).decode(codec, "replace")
        return codec if len(every) == 256 and ASCII.decode(codec, "replace") == ASCII.decode() else None
    except (LookupError, ValueError, UnicodeError):
        return None


def encoding_for(charset: str | None, told: str) -> str | None:
    """What to tell a parser: the charset of the HTTP header counts where the document itself tells nothing."""
    return None if told or charset is None else known(charset)


class Characters:
    """Bytes in pieces → text. Bytes that are none of the encoding come as lone surrogates, so that nothing is lost."""

    def __init__(self, charset: str | None) -> None:
        self._charset = charset
        self._held = b""
        self._codec = ""
        self._errors = "surrogateescape"
        self._decoder: codecs.IncrementalDecoder | None = None

    def decoded(self, data: bytes, *, final: bool = False) -> str:
        """The text that is whole by now. Raises PageError for an unknown encoding, and at the end for half a character."""
        if self._decoder is None:
            self._held += data
            told = declared(self._held)
            if told is None and not final:
                return ""
            data, self._held = self._held, b""
            self._decoder = self._begun(told or "")
            data = next((data.removeprefix(mark) for mark, _ in MARKS if data.startswith(mark)), data)
        try:
            return self._decoder.decode(data, final)
        except UnicodeDecodeError:
            raise PageError("truncated XML: it ends within a character") from None

    def back(self, text: str) -> bytes:
        """The bytes that the text came from."""
        return text.encode(self._codec, self._errors)

    def size(self, text: str) -> int:
        """How many bytes it came from."""
        return len(text) if text.isascii() and not self._codec.startswith("utf-16") else len(self.back(text))

    def _begun(self, told: str) -> codecs.IncrementalDecoder:
        if told.startswith("utf-16-"):
            self._codec, self._errors = told, "surrogatepass"
        else:
            codec = known(told) if told else (self._charset and known(self._charset)) or "utf-8"
            if codec is None:
                raise NotWellFormed(f"unknown encoding {told[:40]}")
            self._codec = codec
        return codecs.getincrementaldecoder(self._codec)(self._errors)


def allowed(text: str) -> str:
    """The text with U+FFFD for every character that XML 1.0 does not allow, as it is or as a numeric reference."""
    if "&#" in text:
        parts, at = [], 0
        for start, end in sections(text):
            parts += [_REFERENCE.sub(_referenced, text[at:start]), text[start:end]]
            at = end
        text = "".join(parts) + _REFERENCE.sub(_referenced, text[at:])
    return _FORBIDDEN.sub(REPLACEMENT, text)


def _referenced(match: re.Match[str]) -> str:
    digits = (match[1] or match[2]).lstrip("0")
    number = int(digits or "0", 16 if match[1] else 10) if len(digits) < 10 else 1 << 32
    return match[0] if number < 0x110000 and not _refused(number) else REPLACEMENT


def _refused(number: int) -> bool:
    return _FORBIDDEN.match(chr(number)) is not None
