"""What is wrong under a command's schema, in words: the place, a few characters of the value, what it should be. Pure."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from connector.messages.strict_json import said, shown

ARTICLES = {"integer": "an integer", "boolean": "a boolean", "string": "a string", "array": "an array", "object": "an object"}
FORMATS = {"date": "a date such as 2026-07-31", "date-time": "a date and time such as 2026-07-31T10:00:00+02:00"}
NAMED_MAX = 12


def worded(error: Any) -> str:
    """One line about a jsonschema_rs.ValidationError, without the large value that its own message would show."""
    say = WORDS.get(error.kind.name, _otherwise)
    return said(tuple(error.instance_path), say(error))


def _type(error: Any) -> str:
    return f"{shown(error.instance)} is not {' or '.join(ARTICLES[name] for name in error.kind.types)}"


def _enum(error: Any) -> str:
    if error.kind.options == [""]:
        return f"{shown(error.instance)} must be left out: the POS gives it"
    return f"{shown(error.instance)} is none of {_some(error.kind.options)}"


def _unknown(error: Any) -> str:
    return f"unknown: {_some([shown(name) for name in error.kind.unexpected])}"


def _some(names: Sequence[Any]) -> str:
    return ", ".join(map(str, names[:NAMED_MAX])) + (", …" if len(names) > NAMED_MAX else "")


def _pattern(error: Any) -> str:
    """The schemas have two: of decimal numbers, and of what XML cannot carry, which `strict` has said before."""
    number = "[0-9]" in error.kind.pattern
    return f"{shown(error.instance)} {'is not a decimal number such as 12.50' if number else 'holds what cannot be sent in XML'}"


def _otherwise(error: Any) -> str:
    return f"{shown(error.instance)} breaks the rule {error.kind.name!r} of the schema"


WORDS: Mapping[str, Callable[[Any], str]] = {
    "type": _type,
    "enum": _enum,
    "required": lambda error: f"{error.kind.property} is missing",
    "additionalProperties": _unknown,
    "anyOf": lambda _: "orderId or extOrderId must be given",
    "not": lambda error: f"{shown(error.instance)} begins with what only the connector's own keys do",
    "minimum": lambda error: f"{shown(error.instance)} is less than {error.kind.limit}",
    "maximum": lambda error: f"{shown(error.instance)} is more than {error.kind.limit}",
    "minLength": lambda _: "is empty",
    "minItems": lambda _: "is empty",
    "maxLength": lambda error: f"is longer than {error.kind.limit} characters",
    "format": lambda error: f"{shown(error.instance)} is not {FORMATS.get(error.kind.format, error.kind.format)}",
    "pattern": _pattern,
}
