"""What journeys and figures must say, from what the POS holds: its orders, invoices and packing slips as documents. Pure.

Nothing of the connector is used for it: neither how it reads documents nor how `views` judges orders.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple

Document = Mapping[str, Any]
SETTLED = ("INVOICE-STATE-PAID", "INVOICE-STATE-HANDLED")
DAYS = 80
"""Days back from which figures are compared: `views` keeps them for 90."""
HOUR_S = 3600


class Books(NamedTuple):
    """All that the POS shows: orders, with whether each is cancelled, invoices, packing slips."""

    orders: Sequence[tuple[Document, bool]]
    invoices: Sequence[Document]
    slips: Sequence[Document]


class Told(NamedTuple):
    """What a journey says. Cents; `documents`: ids of invoices and packing slips."""

    state: str
    total: int
    paid: int
    documents: frozenset[str]


def journeys(books: Books) -> dict[str, Told]:
    """What the journey of each order must say, by its key."""
    invoices, slips = (
        _by_order(books.invoices, lambda row: row["orderIds"]["id"]),
        _by_order(books.slips, lambda row: [row["orderId"]]),
    )
    return {
        order["extOrderId"] or order["orderId"]: _told(
            order, invoices[order["orderId"]], slips[order["orderId"]], cancelled=cancelled
        )
        for order, cancelled in books.orders
    }


def _by_order(documents: Iterable[Document], orders: Any) -> Mapping[str, list[Document]]:
    found: dict[str, list[Document]] = defaultdict(list)
    for row in documents:
        for order_id in orders(row):
            found[order_id].append(row)
    return found


def _told(order: Document, invoices: Sequence[Document], slips: Sequence[Document], *, cancelled: bool) -> Told:
    paid = max(order["prepaidAmount"], sum(row["amount"] for row in order["paymentList"]["payment"]))
    there = [row for row in slips if row["state"] != "PACKING-SLIP-STATE-CANCELLED"]
    documents = frozenset([*(row["invoiceId"] for row in invoices), *(row["packingSlipId"] for row in there)])
    state = "cancelled" if cancelled else _state(order, paid, invoices, there)
    return Told(state, order["totalInclAmount"], paid, documents)


def _state(order: Document, paid: int, invoices: Sequence[Document], slips: Sequence[Document]) -> str:
    total, delivered = order["totalInclAmount"], order["deliveryState"] == "ORDER-DELIVERY-STATE-COMPLETE"
    received = sum(row["paidAmount"] for row in invoices if len(row["orderIds"]["id"]) == 1 and row["state"] in SETTLED)
    if (order["fullyPaid"] and paid) or received >= total > 0:
        return "paid"
    if any(len(row["orderIds"]["id"]) > 1 for row in invoices):
        return "invoiced"
    if billed := sum(row["totalInclAmount"] for row in invoices):
        return "invoiced" if billed >= total else "invoiced, in part"
    if slips or delivered:
        return "delivered" if delivered else "delivered, in part"
    return "deposit" if paid else "created"


def told(journey: Mapping[str, Any]) -> Told:
    """What a journey says."""
    documents = frozenset(step["document"] for step in journey["steps"] if step.get("document"))
    return Told(journey["state"] + ", in part" * journey["partly"], journey["total"], journey["paid"], documents)


def revenue(books: Books, since: int) -> dict[str, tuple[int, int]]:
    """Count and cents of each figure, of what was entered since then (epoch seconds)."""
    orders = [order for order, cancelled in books.orders if not cancelled]
    return {"revenue.ordered": _sum(orders, since), "revenue.invoiced": _sum(books.invoices, since)}


def _sum(documents: Iterable[Document], since: int) -> tuple[int, int]:
    amounts = [row["totalInclAmount"] for row in documents if _moment(row["entryTimestamp"]) >= since]
    return len(amounts), sum(amounts)


def _moment(told: Mapping[str, int]) -> float:
    zone = timezone(timedelta(minutes=told["timezone"]))
    return datetime(told["year"], told["mon"], told["day"], told["hour"], told["min"], told["sec"], tzinfo=zone).timestamp()


def counted(windows: Mapping[str, Mapping[str, Any]], since: int) -> dict[str, tuple[int, int]]:
    """The same figures, as the hours of `views` have them."""
    found = {"revenue.ordered": (0, 0), "revenue.invoiced": (0, 0)}
    for key, row in windows.items():
        size, start, measure, _ = key.split("|")
        if int(size) == HOUR_S and int(start) >= since and measure in found:
            count, amount = found[measure]
            found[measure] = (count + row["count"], amount + (row["amount"] or 0))
    return found


def since(now: float) -> int:
    """The hour from which figures are compared, epoch seconds."""
    return int(now // HOUR_S) * HOUR_S - DAYS * 24 * HOUR_S


def differences(books: Books, rows: Mapping[str, Mapping[str, Any]], windows: Mapping[str, Any], now: float) -> list[str]:
    """A line for each order whose journey says something else than the POS, and for each figure."""
    begin = since(now)
    wanted, found = journeys(books), {key: told(row) for key, row in rows.items() if row["total"] is not None}
    wrong = [
        f"order {key}: its journey says {_words(found.get(key))}, the POS {_words(row)}"
        for key, row in wanted.items()
        if found.get(key) != row
    ]
    due, there = revenue(books, begin), counted(windows, begin)
    return wrong + [f"{name}: the windows say {there[name]}, the POS {row}" for name, row in due.items() if there[name] != row]


def _words(row: Told | None) -> str:
    if row is None:
        return "nothing"
    return f"{row.state}, {row.total / 100:.2f}, {row.paid / 100:.2f} paid, {len(row.documents)} documents"
