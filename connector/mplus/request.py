"""SOAP 1.1 requests, document/literal. Pure: values in, bytes out."""

import re
from collections.abc import Sequence
from xml.sax.saxutils import escape

Value = str | int | bool | Sequence[tuple[str, "Value"]]
Fields = Sequence[tuple[str, Value]]
"""Elements in the XSD's order; a sequence as value nests, and an empty one is an empty element."""

NAMESPACE = "urn:mplusqapi"
_HEAD = (
    '<?xml version="1.0" encoding="utf-8"?>'
    '<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>'
    f'<%s xmlns="{NAMESPACE}">'
)
_TAIL = "</%s></soap:Body></soap:Envelope>"
CARRIAGE_RETURN = {"\r": "&#13;"}
"""Sent as it is, an XML reader would make a line feed of it."""

_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")


def request(operation: str, fields: Fields) -> bytes:
    """The envelope of one call. Raises ValueError for characters that XML 1.0 cannot carry."""
    return f"{_HEAD % operation}{_elements(fields)}{_TAIL % operation}".encode()


def _elements(fields: Fields) -> str:
    return "".join(f"<{name}>{_content(value)}</{name}>" for name, value in fields)


def _content(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return _text(value)
    return _elements(value)


def _text(value: str) -> str:
    if found := _ILLEGAL.search(value):
        raise ValueError(f"character U+{ord(found.group()):04X} cannot be sent in XML")
    return escape(value, CARRIAGE_RETURN)
