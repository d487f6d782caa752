"""Reading the orders, payments and deliveries that callers send. Each reader raises SoapFault for what the schema forbids."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Any
from xml.etree import ElementTree as ET

from connector.sandbox.shop import catalogue
from connector.sandbox.soap import markup
from connector.sandbox.soap import order_fields as rows
from connector.sandbox.soap.requests import Asked, as_number, fields, read_request
from connector.sandbox.soap.soap import client, local

ORDER_TYPES = tuple(row[0] for row in catalogue.ORDER_TYPES)
Read = Callable[[ET.Element], markup.Value]


@dataclass(frozen=True, slots=True)
class SentLine:
    """None: the caller leaves it to the POS."""

    line_id: str
    article: int
    text: str | None
    quantity: Decimal | None
    price: int | None


@dataclass(frozen=True, slots=True)
class SentOrder:
    """`fields` is what the caller decides and the POS takes over as it is; the counters are 0 where they are not sent."""

    order_id: str
    ext_order_id: str
    kind: str
    relation: int | None
    counter: int
    version: int | None
    fields: Mapping[str, markup.Value]
    lines: list[SentLine] | None


def read_order(element: ET.Element | None) -> SentOrder:
    if element is None:
        raise client("required but missing: order")
    asked = read_request(element, fields(rows.ORDER))
    kind = asked.text("orderType", ORDER_TYPES[0])
    if kind not in ORDER_TYPES:
        raise client(f"orderType must not be '{kind}'")
    lines = asked.element("lineList")
    return SentOrder(
        asked.text("orderId"),
        asked.text("extOrderId"),
        kind,
        _optional(asked, "relationNumber"),
        asked.number("changeCounter", 0),
        _optional(asked, "versionNumber"),
        {name: read(inside) for name, read in DECIDED.items() if (inside := asked.element(name)) is not None},
        None if lines is None else [_line(line) for line in _inside(lines, rows.LINES)],
    )


def read_payments(element: ET.Element | None) -> list[dict[str, Any]]:
    """The fields sent of each payment."""
    return [] if element is None else [_payment(payment) for payment in _inside(element, rows.PAYMENTS)]


def read_delivery(element: ET.Element) -> tuple[Asked, list[tuple[str, Decimal]]]:
    """The delivery, and how much of which line."""
    asked = read_request(element, fields(rows.DELIVERY))
    lines = [read_request(line, fields(rows.DELIVERY_LINE)) for line in _inside(asked.values["lineList"][0], rows.LINES)]
    return asked, [(line.text("lineId"), _quantity(line)) for line in lines]


def _inside(element: ET.Element, row: str) -> list[ET.Element]:
    """The elements of a list."""
    return [child for found in read_request(element, fields(row)).values.values() for child in found]


def _line(element: ET.Element) -> SentLine:
    asked = read_request(element, fields(rows.LINE))
    if (preparations := asked.element("preparationList")) is not None and not asked.text("lineId") and len(preparations):
        raise client("the sandbox does not simulate a preparationList on a new line")
    inside = asked.element("data")
    data = Asked({}) if inside is None else read_request(inside, fields(rows.LINE_DATA))
    return SentLine(
        asked.text("lineId"),
        asked.number("articleNumber", 0),
        asked.text("text") or None,
        _quantity(data) if "quantity" in data.values else None,
        _optional(data, "price"),
    )


def _payment(element: ET.Element) -> dict[str, Any]:
    asked = read_request(element, fields(rows.PAYMENT))
    texts = {name: asked.text(name) for name in PAYMENT_TEXTS if name in asked.values}
    return {"method": asked.text("method"), "amount": asked.number("amount", 0), **texts}


def _quantity(asked: Asked) -> Decimal:
    return Decimal(asked.number("quantity", 0)).scaleb(-asked.number("decimalPlaces", 0))


def _optional(asked: Asked, name: str) -> int | None:
    return asked.number(name, 0) if name in asked.values else None


def _text(element: ET.Element) -> markup.Value:
    return (element.text or "").strip()


def _number(element: ET.Element) -> markup.Value:
    return as_number(local(element), element.text or "")


def _address(element: ET.Element) -> markup.Value:
    return {name: _text(found[0]) for name, found in read_request(element, fields(rows.ADDRESS)).values.items()}


def _numbers(row: str) -> Read:
    def read(element: ET.Element) -> markup.Value:
        asked = read_request(element, fields(row))
        return {name: asked.flag(name, default=False) if name == "isdst" else asked.number(name, 0) for name in asked.values}

    return read


PAYMENT_TEXTS = ("description", "giftcardNumber", "externalPaymentId", "externalReference")
DECIDED: Mapping[str, Read] = MappingProxyType(
    {
        "employeeNumber": _number,
        "deliveryAddress": _address,
        "invoiceAddress": _address,
        "entryBranchNumber": _number,
        "financialBranchNumber": _number,
        "workplaceNumber": _number,
        "reference": _text,
        "activityId": _text,
        "deliveryMethod": _text,
        "deliveryDate": _numbers(rows.DATE),
        "deliveryPeriodBegin": _numbers(rows.MOMENT),
        "deliveryPeriodEnd": _numbers(rows.MOMENT),
        "paymentMethod": _text,
        "orderCategoryNumber": _number,
    }
)
