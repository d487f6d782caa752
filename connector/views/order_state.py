"""What an order is, decided from what is known of it. Pure.

The order's own record decides where it is there, in its highest epoch. A document speaks for the order as far as it covers it;
commands speak only of what the POS has done and the connector has not read yet.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from connector.views.records import Json, milliseconds

CREATE, UPDATE, PAY, DELIVER, CANCEL = "createOrder", "updateOrder", "payOrder", "deliverOrder", "cancelOrder"
Kept = Mapping[str, Any]


class State(NamedTuple):
    """`partly`: only a part of the order is delivered, or invoiced."""

    name: str
    partly: bool = False


def state(kept: Kept) -> State:
    """How far the order has come: the furthest that anything tells."""
    order = kept.get("order")
    own = _of_the_order(kept, order) if order is not None else _of_the_creation(kept)
    return max([own, *map(_reached, unread(kept))], key=lambda each: STATES.index(each.name))


STATES = ("commanded", "rejected", "unknown", "created", "deposit", "delivered", "invoiced", "paid", "cancelled")
"""From the beginning to the end of an order's life."""


def _of_the_order(kept: Kept, order: Json) -> State:
    invoices, slips = counting(kept, "invoices"), counting(kept, "slips")
    total = order["total"]
    if order["cancelled"]:
        return State("cancelled")
    if is_paid(order, invoices):
        return State("paid")
    if sum(amounts := [row["amount"] or 0 for row in invoices]) or (total == 0 and amounts):
        return State("invoiced", partly=not _covers(total, amounts))
    if order["delivered"] or slips:
        return State("delivered", partly=not order["delivered"])
    return State("deposit" if order["paid"] else "created")


def is_paid(order: Json, invoices: Iterable[Json]) -> bool:
    """Whether it is, by its own word, else by what was paid of invoices that are about this order alone.

    An order about nothing says so from the beginning: it is paid when it is invoiced.
    """
    rows = list(invoices)
    if order["fullyPaid"] and (order["total"] or order["paid"] or rows):
        return True
    return _covers(order["total"], [received(row) for row in rows if row["settled"] and not is_shared(row)])


def received(invoice: Json) -> int:
    """Cents that were paid of a settled invoice: one that was credited is settled, too."""
    found: int | None = invoice["amount"] if invoice["paidAmount"] is None else invoice["paidAmount"]
    return found or 0


def is_shared(invoice: Json) -> bool:
    """Whether an invoice is about other orders too: its amounts are not this order's."""
    found: bool = invoice["orders"] > 1
    return found


def _covers(total: int | None, amounts: Sequence[int]) -> bool:
    """Whether the amounts, less what was credited of them, come to the total."""
    if not amounts or total is None:
        return bool(sum(amounts))
    return sum(amounts) >= total if total >= 0 else sum(amounts) <= total


def counting(kept: Kept, name: str) -> list[Json]:
    """The order's documents of a kind (`slips`, `invoices`), the oldest first, without those that count no more.

    A cancelled packing slip does not count, nor what a restore of the POS has undone: a document of an epoch before the
    order's which the order does not name. Nor one of another order that has the same name.
    """
    order = kept.get("order")
    return sorted((row for row in kept.get(name, {}).values() if _counts(order, name, row)), key=_entering)


def _counts(order: Json | None, name: str, row: Json) -> bool:
    if row.get("void"):
        return False
    if order is None:
        return True
    named = order[name]
    undone = row["rank"][0] < order["rank"][0] and named is not None and row["id"] not in named
    return not undone and row["orderId"] in (None, order["orderId"])


def _entering(row: Json) -> tuple[int, str]:
    return milliseconds(row["entered"] or row["at"]) or 0, row["id"]


def unread(kept: Kept) -> Iterator[Json]:
    """Results of commands that succeeded after the order was read last.

    By marker and by moment: after a restore the markers of results are higher than the order's for a long time.
    """
    order = kept.get("order")
    for result in kept.get("results", {}).values():
        if result["outcome"] == "succeeded" and (order is None or _is_later(result, order)):
            given = kept.get("commands", {}).get(result["commandId"], {})
            yield {**result, **{name: given.get(name) is True for name in ("prepay", "partly")}}


def _is_later(result: Json, order: Json) -> bool:
    marker, read = result["syncMarker"], milliseconds(order["at"]) or 0
    return marker is not None and marker > order["rank"][1] and (milliseconds(result["at"]) or 0) > read


def _reached(result: Json) -> State:
    return State(step_of(result) or "commanded", result["partly"])


def step_of(result: Json) -> str | None:
    """The step that a command which succeeded has made; None for one that makes none."""
    if result["command"] == PAY:
        return "deposit" if result["prepay"] else "paid"
    return DONE.get(result["command"])


DONE = {CREATE: "created", DELIVER: "delivered", CANCEL: "cancelled"}


def _of_the_creation(kept: Kept) -> State:
    """What came of the command to create it, else of the last one: no record of the order was read yet."""
    last = ending(kept)
    if last is None:
        return State("commanded" if kept.get("commands") else "unknown")
    return State({"rejected": "rejected", "succeeded": "commanded"}.get(last["outcome"], "unknown"))


def ending(kept: Kept) -> Json | None:
    """The result that tells what became of an order without a record: of createOrder, else the last of all."""
    results = latest_first(kept.get("results", {}).values())
    return next((row for row in results if row["command"] == CREATE), next(iter(results), None))


def latest_first(rows: Iterable[Json]) -> list[Json]:
    """Rows by the moment that they tell."""
    return sorted(rows, key=lambda row: (milliseconds(row["at"]) or 0, row["commandId"]), reverse=True)
