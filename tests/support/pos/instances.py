"""XML instances of the WSDL's own types with every field filled, by a walk of the XSD that shares nothing with the schemas."""

import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from xml.sax.saxutils import escape

import pytest
from lxml import etree

XS = "{http://www.w3.org/2001/XMLSchema}"
NS = "{urn:mplusqapi}"
TYPES = {
    "activity": "Activity",
    "article": "Product",
    "articleGroup": "ChangedArticleGroup",
    "deliveryMethod": "DeliveryMethod",
    "employee": "Employee",
    "invoice": "Invoice",
    "order": "Order",
    "orderCategory": "OrderCategory",
    "packingSlip": "PackingSlip",
    "proposal": "Proposal",
    "purchaseDelivery": "PurchaseDeliveryV2",
    "purchaseOrder": "PurchaseOrderV2",
    "receipt": "Receipt",
    "relation": "Relation",
    "relationPoints": "GetRelationPoints",
    "stock": "ArticleStockHistory",
}
OLDER = {"purchaseDelivery": "PurchaseDelivery", "purchaseOrder": "PurchaseOrder"}
TEXTS = ("Koffie", " spatie om ", "a<b & c>d", "é€𝄞", "regel 1\nregel 2", "0", "true", "-", "'\"", "2026-01-01")


class Element(NamedTuple):
    name: str
    type: str
    repeated: bool
    optional: bool


class Xsd:
    """The named types of a WSDL."""

    def __init__(self, wsdl: Path) -> None:
        root: Any = etree.parse(str(wsdl)).getroot()
        self._types = {node.get("name"): node for node in root.iter(f"{XS}complexType", f"{XS}simpleType") if node.get("name")}

    def elements(self, type_: str) -> list[Element]:
        """Of a complex type, in order."""
        return [
            Element(
                node.get("name"),
                node.get("type").split(":")[1],
                node.get("maxOccurs") == "unbounded",
                node.get("minOccurs") == "0",
            )
            for node in self._types[type_].iter(f"{XS}element")
        ]

    def values(self, type_: str) -> list[str] | None:
        """Of an enumeration; None for any other type."""
        node = self._types.get(type_)
        return (
            [value.get("value") for value in node.iter(f"{XS}enumeration")]
            if node is not None and node.tag == f"{XS}simpleType"
            else None
        )

    def is_wrapper(self, type_: str) -> bool:
        """Does the type hold nothing but one repeated element?"""
        elements = self.elements(type_)
        return len(elements) == 1 and elements[0].repeated


def wsdl() -> Path:
    """The WSDL named by MPLUS_WSDL; skips the test without one."""
    path = os.environ.get("MPLUS_WSDL")
    if not path:
        pytest.skip("MPLUS_WSDL names no WSDL: the vendor's is not part of this repository")
    return Path(path)


class Instances:
    """Makes instances. `chance_of_empty` is that of every element to be empty; recursion ends `depth` levels down."""

    def __init__(self, xsd: Xsd, seed: int, *, depth: int = 2, chance_of_empty: float = 0.0) -> None:
        self._xsd = xsd
        self._dice = random.Random(seed)
        self._depth = depth
        self._chance_of_empty = chance_of_empty

    def item(self, name: str, type_: str) -> str:
        """An element of that type, in the vendor's namespace under the prefix `ns`."""
        return f"<ns:{name}>{self._content(type_, ())}</ns:{name}>"

    def _element(self, element: Element, above: tuple[str, ...]) -> str:
        times = self._dice.randint(1, 3) if element.repeated else 1
        return "".join(self._once(element, above) for _ in range(times))

    def _once(self, element: Element, above: tuple[str, ...]) -> str:
        if self._dice.random() < self._chance_of_empty:
            return self._dice.choice((f"<ns:{element.name}/>", f"<ns:{element.name}></ns:{element.name}>"))
        return f"<ns:{element.name}>{self._content(element.type, above)}</ns:{element.name}>"

    def _content(self, type_: str, above: tuple[str, ...]) -> str:
        if type_ in SCALARS:
            return SCALARS[type_](self._dice)
        if (values := self._xsd.values(type_)) is not None:
            return self._dice.choice(values) if values else escape(self._dice.choice(TEXTS))
        if above.count(type_) >= self._depth:
            return ""
        return "".join(self._element(element, (*above, type_)) for element in self._xsd.elements(type_))


def _whole(low: int, high: int) -> Callable[[random.Random], str]:
    def text(dice: random.Random) -> str:
        return (
            dice.choice(("{}", "{}", "{}", " {}\n", "+{}", "00{}"))
            .format(dice.choice((low, high, dice.randint(0, high), 0, 7)))
            .replace("+-", "-")
            .replace("00-", "-")
        )

    return text


def _decimal(dice: random.Random) -> str:
    return dice.choice(("12.340000", "-0.5", ".5", "+7", "0", "12345678901234567890.123456789", " 1.50 ", "3."))


def _date_time(dice: random.Random) -> str:
    day = f"2026-{dice.randint(1, 12):02d}-{dice.randint(1, 28):02d}"
    return dice.choice(
        (f"{day}T10:20:30", f"{day}T10:20:30Z", f"{day}T01:02:03.123+02:00", " 0000-00-00T00:00:00 ", f"{day}T23:59:59-05:30")
    )


def _date(dice: random.Random) -> str:
    return dice.choice(("2026-02-28", "2024-02-29", "2026-07-01Z", "2026-07-01+02:00", "0000-00-00", " 1999-12-31 "))


def _parts(**values: object) -> str:
    return "".join(f"<ns:{name}>{value}</ns:{name}>" if value is not None else f"<ns:{name}/>" for name, value in values.items())


def _soap_date(dice: random.Random) -> str:
    return dice.choice(
        (_parts(day=dice.randint(1, 28), mon="02", year=2026), _parts(year=2024, mon=2, day=29), _parts(day=0, mon=0, year=0))
    )


def _soap_date_time(dice: random.Random) -> str:
    day: dict[str, object] = {"day": dice.randint(1, 28), "mon": dice.randint(1, 12), "year": dice.choice((1999, 2026))}
    clock: dict[str, object] = {"sec": dice.randint(0, 59), "min": " 05 ", "hour": dice.randint(0, 23)}
    return dice.choice(
        (
            _parts(**clock, **day, isdst="true", timezone=dice.choice((120, 60, 0, -300, 330))),
            _parts(sec=dice.randint(0, 59), min=7, hour=9, **day, isdst=1, timezone=120),
            _parts(**clock, **day, isdst="false"),
            _parts(**day, **clock, isdst=None, timezone=None),
            _parts(sec=0, min=0, hour=0, day=0, mon=0, year=0, isdst="false", timezone=0),
            _parts(sec=5, min=30, hour=2, day=25, mon=10, year=2026, isdst=dice.choice(("true", "0"))),
        )
    )


SCALARS: dict[str, Callable[[random.Random], str]] = {
    "string": lambda dice: escape(dice.choice(TEXTS)),
    "base64": lambda dice: "aGFsbG8=",
    "boolean": lambda dice: dice.choice(("true", "false", "1", "0", " true ")),
    "int": _whole(-(1 << 31), (1 << 31) - 1),
    "long": _whole(-(1 << 63), (1 << 63) - 1),
    "short": _whole(-(1 << 15), (1 << 15) - 1),
    "unsignedInt": _whole(0, (1 << 32) - 1),
    "unsignedLong": _whole(0, (1 << 64) - 1),
    "decimal": _decimal,
    "date": _date,
    "dateTime": _date_time,
    "SoapMplusDate": _soap_date,
    "SoapMplusDateTime": _soap_date_time,
}
