"""Orders, packing slips and invoices as documents: what is open, and what one looks like after a step. All pure."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from math import floor
from typing import Any

from connector.sandbox.shop import facts
from connector.sandbox.shop.lines import vat_groups
from connector.sandbox.shop.wares import without_vat

Document = dict[str, Any]
Parts = Mapping[str, Decimal]  # lineId -> quantity

COMPLETE_STATES = {"NOTHING": "NOTHING", "PARTIAL": "PARTIAL-DELIVERY-PENDING", "COMPLETE": "PARTIAL"}


def lines_of(document: Document) -> list[Document]:
    return list(document["lineList"]["line"])


def payments_of(document: Document) -> list[Document]:
    return list(document["paymentList"]["payment"])


def ordered(line: Document) -> Decimal:
    return _counted(line["data"], "quantity", "decimalPlaces")


def delivered(line: Document) -> Decimal:
    return _counted(line["data"], "deliveredQuantity", "deliveredDecimalPlaces")


def open_parts(order: Document) -> dict[str, Decimal]:
    """What is left to deliver."""
    return {line["lineId"]: ordered(line) - delivered(line) for line in lines_of(order) if ordered(line) != delivered(line)}


def priced(line: Document, quantity: Decimal, price: int) -> Document:
    """The line for this quantity at this price in cents."""
    places, vat = places_of(quantity), line["data"]["vatPercentage"]
    incl = floor(price * quantity + Decimal("0.5"))
    amounts = {"quantity": int(quantity.scaleb(places)), "decimalPlaces": places or None, "price": price}
    sums = {"totalInclAmount": incl, "totalExclAmount": without_vat(incl, vat)}
    return {**line, "data": {**line["data"], **amounts, "priceExcl": without_vat(price, vat), **sums}}


def totals(lines: Iterable[Document]) -> Document:
    """Totals in cents and their VAT groups."""
    rows = [(data["vatCode"], data["totalInclAmount"], data["totalExclAmount"]) for data in (line["data"] for line in lines)]
    sums = {"totalInclAmount": sum(row[1] for row in rows), "totalExclAmount": sum(row[2] for row in rows)}
    return {**sums, "vatGroupList": {"vatGroup": vat_groups(rows)}}


def paid(document: Document) -> int:
    """Cents paid in all."""
    return sum(payment["amount"] for payment in payments_of(document))


def settled(order: Document) -> Document:
    """The order with those fields right that follow from its lines, payments and invoices."""
    lines, so_far = lines_of(order), paid(order)
    nothing_left = lines and not open_parts(order)
    some = any(delivered(line) for line in lines)
    delivery = "COMPLETE" if nothing_left else "PARTIAL" if some else "NOTHING"
    complete = "COMPLETE" if order["invoiceIds"]["id"] else COMPLETE_STATES[delivery]
    states = {"deliveryState": f"ORDER-DELIVERY-STATE-{delivery}", "completeState": f"ORDER-COMPLETE-STATE-{complete}"}
    total = order["totalInclAmount"]
    full = so_far >= total if total >= 0 else so_far <= total
    return {**order, "prepaidAmount": max(0, so_far), "fullyPaid": full, **states}


def with_lines(document: Document, lines: list[Document]) -> Document:
    return {**document, "lineList": {"line": lines}}


def with_delivery(order: Document, parts: Parts, slip_id: str) -> Document:
    """The order after a packing slip for these quantities."""
    slips = {"id": [*order["packingSlipIds"]["id"], slip_id]}
    return with_lines({**order, "packingSlipIds": slips}, [_delivered_more(line, parts) for line in lines_of(order)])


def slip_lines(order: Document, parts: Parts, slip_id: str) -> list[Document]:
    """The lines of a packing slip for these quantities; salesOrderLineId names the order's line."""
    return [
        _slip_line(line, parts[line["lineId"]], facts.uuid_text(slip_id, line["lineId"]))
        for line in lines_of(order)
        if line["lineId"] in parts
    ]


def cancelled_lines(order: Document, *, cancelled: bool) -> list[Document]:
    """The order's lines with all that is open cancelled, or nothing."""
    return [_cancelled(line, ordered(line) - delivered(line) if cancelled else Decimal(0)) for line in lines_of(order)]


def parts_as_json(parts: Parts) -> list[Document]:
    """How the effects ledger tells quantities."""
    return [{"lineId": line, "quantity": int(q.scaleb(places_of(q))), "decimalPlaces": places_of(q)} for line, q in parts.items()]


def places_of(quantity: Decimal) -> int:
    return max(0, -int(quantity.as_tuple().exponent))


def _counted(data: Document, amount: str, places: str) -> Decimal:
    return Decimal(data.get(amount) or 0).scaleb(-(data.get(places) or 0))


def _told(quantity: Decimal, amount: str, places: str) -> Document:
    return {amount: int(quantity.scaleb(places_of(quantity))), places: places_of(quantity) or None}


def _delivered_more(line: Document, parts: Parts) -> Document:
    total = delivered(line) + parts.get(line["lineId"], Decimal(0))
    return {**line, "data": {**line["data"], **_told(total, "deliveredQuantity", "deliveredDecimalPlaces")}}


def _slip_line(line: Document, quantity: Decimal, line_id: str) -> Document:
    part = priced(line, quantity, line["data"]["price"])
    data = {**part["data"], **_told(quantity, "deliveredQuantity", "deliveredDecimalPlaces")}
    return {**part, "lineId": line_id, "data": data, "salesOrderLineId": line["lineId"]}


def _cancelled(line: Document, quantity: Decimal) -> Document:
    return {**line, "data": {**line["data"], **_told(quantity, "cancelledQuantity", "cancelledDecimalPlaces")}}
