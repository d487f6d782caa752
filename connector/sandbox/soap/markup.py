"""Writing XML elements from plain values. A mapping's order is the order of the elements."""

from collections.abc import Mapping
from decimal import Decimal

Value = object  # None | bool | int | Decimal | str | Mapping[str, Value] | list[Value] | tuple[Value, ...]

WORDS = ("false", "true")
DIGITS = ("0", "1")


def element(name: str, value: Value, booleans: tuple[str, str] = WORDS) -> str:
    """The element(s) `name` holding `value`: a list repeats the element, None leaves it out."""
    if value is None:
        return ""
    if isinstance(value, list | tuple):
        return "".join([element(name, each, booleans) for each in value])
    # Never <x/>, although it means the same: the vendor's own clients read it as null, and die of it where a text is required.
    return f"<ns:{name}>{_content(value, booleans)}</ns:{name}>"


def _content(value: Value, booleans: tuple[str, str]) -> str:
    if isinstance(value, str):
        return escape(value)
    if isinstance(value, bool):
        return booleans[value]
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, Mapping):
        return "".join([element(name, each, booleans) for name, each in value.items()])
    raise TypeError(f"cannot be written as XML: {value!r}")


def escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
