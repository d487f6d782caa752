"""Orders' histories as records of the topics that `views` reads: a command, its result, the order's records, its documents."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import orjson

from connector.messages.cloudevents import CloudEvents

BEGIN = datetime(2026, 11, 21, 10, tzinfo=UTC)
TOTAL, DEPOSIT = 1995, 500


class Made(NamedTuple):
    """A record to produce; `topic` without the administration."""

    topic: str
    key: bytes | None
    value: bytes
    headers: Sequence[tuple[str, bytes | None]]


def at(number: int, minutes: int = 0) -> str:
    """A moment of the order with this number."""
    return (BEGIN + timedelta(seconds=number, minutes=minutes)).isoformat()


def event(entity: str, topic: str, identity: str, marker: int, document: Mapping[str, Any], time: str) -> Made:
    """An event as the connector publishes it."""
    headers = CloudEvents("mplus", entity, time, "poll", 0).headers(identity, marker, deleted=False)
    return Made(topic, identity.encode(), orjson.dumps(document), headers)


def order(number: int, marker: int, paid: int = 0, delivery: str = "NOTHING", cancel: str = "NOTHING", **more: Any) -> Made:
    """The order's own record at a marker; `paid` in cents, in a deposit and the rest."""
    amounts = [amount for amount in (min(paid, DEPOSIT), max(0, paid - DEPOSIT)) if amount]
    payments = [
        {"paymentId": f"p-{number}-{place}", "entryTimestamp": at(number, 1 + place), "amount": amount}
        for place, amount in enumerate(amounts)
    ]
    document = {
        "orderId": f"id-{number}",
        "extOrderId": f"web-{number}",
        "entryTimestamp": at(number),
        "totalInclAmount": TOTAL,
        "prepaidAmount": paid,
        "fullyPaid": paid >= TOTAL,
        "deliveryState": f"ORDER-DELIVERY-STATE-{delivery}",
        "cancelState": f"ORDER-CANCEL-STATE-{cancel}",
        "paymentList": payments,
        "relationNumber": 7,
        "relationName": "Jansen",
        "lineList": [{"lineId": f"l-{line}", "text": "x" * 400} for line in range(3)],
        **more,
    }
    return event("order", "orders", f"id-{number}", marker, document, at(number, marker % 10))


def slip(number: int, marker: int, name: str = "", state: str = "OPEN") -> Made:
    """A packing slip of the order."""
    identity = f"slip-{number}{name}"
    document = {
        "packingSlipId": identity,
        "packingSlipNumber": {"year": 2026, "number": number},
        "orderId": f"id-{number}",
        "entryTimestamp": at(number, 3),
        "state": f"PACKING-SLIP-STATE-{state}",
    }
    return event("packingSlip", "packing-slips", identity, marker, document, at(number, 3))


def invoice(number: int, marker: int, *orders: int, total: int = TOTAL, state: str = "PAID", **more: Any) -> Made:
    """An invoice over these orders, else over the one of its own number."""
    identity = f"invoice-{number}"
    document = {
        "invoiceId": identity,
        "invoiceNumber": {"year": 2026, "number": number},
        "orderIds": [f"id-{each}" for each in orders or (number,)],
        "entryTimestamp": at(number, 4),
        "totalInclAmount": total,
        "paidAmount": total if state in ("PAID", "HANDLED") else 0,
        "state": f"INVOICE-STATE-{state}",
        **more,
    }
    return event("invoice", "invoices", identity, marker, document, at(number, 4))


def restored(made: Made, epoch: int = 1) -> Made:
    """The same event as it is read after so many restores of the POS, which began its markers anew."""
    headers = [(name, (value or b"") + f":e{epoch}".encode() if name == "ce_id" else value) for name, value in made.headers]
    return made._replace(headers=headers)


def read_at(made: Made, time: str) -> Made:
    """The same event, read by the connector at another time."""
    return made._replace(headers=[(name, time.encode() if name == "ce_time" else value) for name, value in made.headers])


def command(number: int, name: str = "createOrder", identity: str = "", **more: Any) -> Made:
    """An order command; its id is the order's with the command's name, unless it is given."""
    body = {"commandId": identity or f"{name}-{number}", "command": name, "order": {"relationNumber": 7}, **more}
    return Made("order-commands", f"web-{number}".encode(), orjson.dumps(body), [])


def result(number: int, name: str = "createOrder", outcome: str = "succeeded", **more: Any) -> Made:
    """How it ended."""
    body = {
        "commandId": f"{name}-{number}",
        "command": name,
        "outcome": outcome,
        "reason": f"{outcome}-reason",
        "message": "",
        "orderId": f"id-{number}" if outcome == "succeeded" else None,
        "extOrderId": f"web-{number}",
        "syncMarker": 10 * number if outcome == "succeeded" else None,
        "duplicate": False,
        "at": at(number, 1),
        **more,
    }
    return Made("order-command-results", f"web-{number}".encode(), orjson.dumps(body), [])


def complete(number: int) -> Iterator[Made]:
    """From the command to the paid invoice: eight records."""
    yield command(number)
    yield order(number, 10 * number)
    yield result(number)
    yield order(number, 10 * number + 1, DEPOSIT)
    yield slip(number, number)
    yield order(number, 10 * number + 2, DEPOSIT, "COMPLETE")
    yield invoice(number, number)
    yield order(number, 10 * number + 3, TOTAL, "COMPLETE")


COMPLETE = 8
"""Records of a complete history."""
