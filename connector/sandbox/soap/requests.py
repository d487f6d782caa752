"""Reading what a call asks for: fields by name, in the order of the schema, each of the type it must have."""

from collections.abc import Mapping
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from connector.sandbox.soap.soap import client, local

BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


@dataclass(frozen=True, slots=True)
class Fields:
    """What a request may hold, in order. `required` must be there; those not in `honoured` only if they say nothing."""

    order: tuple[str, ...]
    required: frozenset[str]
    honoured: frozenset[str]


def fields(text: str) -> Fields:
    """From a row of names: `!` marks a required one, `*` one that the sandbox honours."""
    names = text.split()
    return Fields(
        tuple(name.rstrip("!*") for name in names),
        frozenset(name.rstrip("!*") for name in names if "!" in name),
        frozenset(name.rstrip("!*") for name in names if "*" in name),
    )


@dataclass(frozen=True, slots=True)
class Asked:
    """The fields of a request as sent."""

    values: Mapping[str, list[ET.Element]]

    def number(self, name: str, default: int) -> int:
        text = self._text(name)
        return default if text is None else as_number(name, text)

    def text(self, name: str, default: str = "") -> str:
        found = self._text(name)
        return default if found is None else found

    def element(self, name: str) -> ET.Element | None:
        self._text(name)
        return self.values[name][0] if name in self.values else None

    def flag(self, name: str, *, default: bool) -> bool:
        text = self._text(name)
        if text is not None and text not in BOOLEANS:
            raise client(f"{name} must be a boolean, not '{text}'")
        return default if text is None else BOOLEANS[text]

    def texts(self, name: str) -> list[str]:
        """The texts of a repeated field, or of the elements inside a list wrapper."""
        return [text for element in self.values.get(name, []) for text in _texts(element)]

    def _text(self, name: str) -> str | None:
        found = self.values.get(name, [])
        if len(found) > 1:
            raise client(f"{name} stands there {len(found)} times")
        return (found[0].text or "").strip() if found else None


def read_request(element: ET.Element, expected: Fields) -> Asked:
    """Check a request against its fields. A filter that the sandbox does not honour is refused, never ignored."""
    last, values = -1, dict[str, list[ET.Element]]()
    for child in element:
        name = local(child)
        place = expected.order.index(name) if name in expected.order else -1
        if place < 0 or place < last:
            raise client(f"element '{name}' is {'out of order' if place >= 0 else 'unknown'}")
        if name not in expected.honoured and _says_something(child):
            raise client(f"the sandbox does not simulate the field '{name}'")
        last = place
        values.setdefault(name, []).append(child)
    if missing := expected.required - values.keys():
        raise client(f"required but missing: {', '.join(sorted(missing))}")
    return Asked(values)


def _says_something(element: ET.Element) -> bool:
    return len(element) > 0 or (element.text or "").strip() not in ("", "false", "0")


def _texts(element: ET.Element) -> list[str]:
    return [(child.text or "").strip() for child in element] if len(element) else [(element.text or "").strip()]


def as_number(name: str, text: str) -> int:
    """SoapFault: no integer."""
    try:
        return int(text)
    except ValueError as error:
        raise client(f"{name} must be an integer, not '{text}'") from error
