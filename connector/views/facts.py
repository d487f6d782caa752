"""What events, commands and results say about an order: facts, as small JSON objects. Pure.

A fact carries `rank`: of two about the same thing the higher one holds. For documents of the POS that is the epoch (how
often its markers began anew after a restore) and the sync marker.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from connector.kafka.records import cut, number
from connector.messages.cloudevents import CE_ID, CE_SYNC_MARKER
from connector.messages.result import INVALID
from connector.views.records import InputRecord, Json, milliseconds

CANCELLED_SLIP = "PACKING-SLIP-STATE-CANCELLED"
CANCELLED_ORDER, PARTLY_CANCELLED_ORDER = "ORDER-CANCEL-STATE-COMPLETE", "ORDER-CANCEL-STATE-PARTIAL"
DELIVERED_ORDER = "ORDER-DELIVERY-STATE-COMPLETE"
NONE = -1
NAME_CHARS_MAX, MESSAGE_CHARS_MAX = 255, 1000
"""Characters: of ids, names and reasons by the contract, and of what a result explains."""
DOCUMENTS_MAX = 200
"""Packing slips of an order, and invoices, that are kept: those of the highest rank."""

WORD = re.compile("[A-Za-z]{1,40}")
"""What commands and outcomes are called."""

HANDLED_INVOICE = "INVOICE-STATE-HANDLED"
PAID_INVOICES = frozenset({"INVOICE-STATE-PAID", HANDLED_INVOICE})
"""States in which nothing is outstanding: it was paid, or credited."""


def rank(record: InputRecord) -> list[int]:
    """Epoch and sync marker. Raises ValueError for what is no event of ours."""
    last, marker = record.header(CE_ID).rpartition(b":")[2], number(record.header(CE_SYNC_MARKER), NONE)
    if not last or marker == NONE:
        raise ValueError(f"no event of this connector: {CE_ID} or {CE_SYNC_MARKER} is missing")
    return [max(0, number(last[1:], 0)) if last[:1] == b"e" else 0, marker]


def order_fact(record: InputRecord) -> Json:
    """The order's own record: as it is at this marker."""
    order = record.document()
    payments, total = list(_payments(order)), _cents(order.get("totalInclAmount"))
    return {
        "fact": "order",
        "rank": rank(record),
        "at": record.at,
        "orderId": _text(order["orderId"]),
        "extOrderId": order.get("extOrderId") or None,
        "entered": _moment(order),
        "total": total,
        "paid": _paid(total, sum(payment["amount"] for payment in payments), _cents(order.get("prepaidAmount")) or 0),
        "payments": payments,
        "fullyPaid": order.get("fullyPaid") is True,
        "delivered": order.get("deliveryState") == DELIVERED_ORDER,
        "cancelled": order.get("cancelState") == CANCELLED_ORDER,
        "partlyCancelled": order.get("cancelState") == PARTLY_CANCELLED_ORDER,
        "slips": _names(order.get("packingSlipIds")),
        "invoices": _names(order.get("invoiceIds")),
        "relationNumber": order.get("relationNumber"),
        "relationName": order.get("relationName") or None,
    }


def slip_facts(record: InputRecord) -> Iterator[tuple[str, Json]]:
    """Facts of a packing slip: the orderId that it delivers, and what it says."""
    slip = record.document()
    fact = {**_document(record, "slip", slip, "packingSlip"), "void": slip.get("state") == CANCELLED_SLIP}
    if order_id := slip.get("orderId"):
        yield _text(order_id), {**fact, "orderId": order_id}


def invoice_facts(record: InputRecord) -> Iterator[tuple[str, Json]]:
    """Facts of an invoice: each order that it covers, and what it says."""
    invoice = record.document()
    fact = {
        **_document(record, "invoice", invoice, "invoice"),
        "amount": _cents(invoice.get("totalInclAmount")),
        "settled": invoice.get("state") in PAID_INVOICES,
        "handled": invoice.get("state") == HANDLED_INVOICE,
        "paidAmount": _cents(invoice.get("paidAmount")),
        "paidAt": max((row["at"] for row in _payments(invoice) if row["at"]), key=lambda at: milliseconds(at) or 0, default=None),
    }
    orders = _orders(invoice)
    return ((order_id, {**fact, "orderId": order_id, "orders": len(orders)}) for order_id in orders)


def revenue_fact(record: InputRecord) -> Json:
    """What an invoice is about, once for all its orders."""
    invoice = record.document()
    about = {"id": _text(invoice["invoiceId"]), "total": _cents(invoice.get("totalInclAmount")), "entered": _moment(invoice)}
    return {"fact": "revenue", "rank": rank(record), "at": record.at, "cancelled": False, "orders": _orders(invoice), **about}


def _orders(invoice: Json) -> list[str]:
    """The orders that an invoice names."""
    return [_text(order_id) for order_id in dict.fromkeys(invoice.get("orderIds") or ()) if order_id]


def withdrawn(invoice: Json, order_id: str) -> Json:
    """The fact that an invoice is about an order no more."""
    about = {"at": invoice["at"], "id": invoice["id"], "rank": invoice["rank"], "orderId": order_id}
    return {"fact": "invoice", "number": None, "entered": None, "amount": 0, "orders": 1, "void": True, **about, **NOT_PAID}


NOT_PAID: Json = {"settled": False, "handled": False, "paidAmount": None, "paidAt": None}


def command_fact(record: InputRecord) -> Json | None:
    """An order command as it was given; None for what does not say what it is, as the contract has it: it is rejected."""
    command = record.document()
    if not (_short(command.get("commandId")) and _word(command.get("command"))):
        return None
    order = command.get("order")
    relation = order.get("relationNumber") if isinstance(order, Mapping) else None
    return {
        "fact": "command",
        "place": record.offset,
        "commandId": command["commandId"],
        "command": command["command"],
        "at": record.written,  # a producer may say any time
        "relationNumber": relation if isinstance(relation, int) else None,
        "prepay": command.get("prepay") is True,
        "pays": bool(command.get("paymentList")),
        "partly": bool(command.get("lineList")),
    }


def result_fact(record: InputRecord) -> Json:
    """How a command ended. Raises ValueError for what is no result."""
    result = record.document()
    if not (_short(result.get("commandId")) and _word(result.get("outcome")) and _word(result.get("command") or "none")):
        raise ValueError("no result: commandId, command or outcome is none")
    names = {name: result[name] if _short(result.get(name)) else None for name in ("reason", "orderId", "extOrderId")}
    marker, at = result.get("syncMarker"), result.get("at")
    return {
        "fact": "result",
        "place": record.offset,
        "commandId": result["commandId"],
        "command": result.get("command"),
        "outcome": result["outcome"],
        **names,
        "message": cut(str(result.get("message") or ""), MESSAGE_CHARS_MAX),
        "syncMarker": marker if isinstance(marker, int) else None,
        "duplicate": result.get("duplicate") is True,
        "refuses": (result["outcome"], result.get("reason"), result.get("attempts")) == ("rejected", INVALID, 0),
        "at": at if milliseconds(at) is not None else record.written,
    }


def _short(name: object) -> bool:
    return isinstance(name, str) and 0 < len(name) <= NAME_CHARS_MAX


def _word(name: object) -> bool:
    return isinstance(name, str) and WORD.fullmatch(name) is not None


def _document(record: InputRecord, kind: str, document: Json, name: str) -> Json:
    number = document.get(f"{name}Number")
    return {
        "fact": kind,
        "rank": rank(record),
        "at": record.at,
        "id": _text(document[f"{name}Id"]),
        "number": _year_number(number) if isinstance(number, Mapping) else None,
        "entered": _moment(document),
    }


def _payments(document: Mapping[str, Any]) -> Iterator[Json]:
    rows: Iterable[Any] = document.get("paymentList") or ()
    for row in rows:
        yield {"id": row.get("paymentId") or None, "at": _moment(row), "amount": _cents(row.get("amount")) or 0}


def _paid(total: int | None, payments: int, prepaid: int) -> int:
    """Cents, of which the POS tells two figures: the one that has come further. What a return order pays is negative."""
    return min(payments, prepaid) if (total or 0) < 0 else max(payments, prepaid)


def _names(ids: object) -> list[str] | None:
    """The last documents of an order; None where it does not tell."""
    return [each for each in ids if isinstance(each, str)][-DOCUMENTS_MAX:] if isinstance(ids, list) else None


def _moment(document: Mapping[str, Any]) -> str | None:
    found = document.get("entryTimestamp")
    return found if milliseconds(found) is not None else None


def _year_number(number: Mapping[str, Any]) -> str | None:
    parts = [str(number[part]) for part in ("year", "number") if number.get(part)]
    return "-".join(parts) or None


def _cents(amount: object) -> int | None:
    if amount is not None and (not isinstance(amount, int) or isinstance(amount, bool)):
        raise ValueError("an amount that is no integer")
    return amount


def _text(identity: object) -> str:
    if not isinstance(identity, str) or not identity:
        raise ValueError("an identity that is no text")
    return identity
