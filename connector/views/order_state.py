"""What an order is, decided from what is known of it. Pure.

The order's own record decides where it is there, in its highest epoch. A document speaks for the order as far as it covers it;
commands speak only of what the POS has done and the connector has not read yet.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from connector.views.records import Json, milliseconds

CREATE, PAY, DELIVER, CANCEL = "createOrder", "payOrder", "deliverOrder", "cancelOrder"
Kept = Mapping[str, Any]


class State(NamedTuple):
    """`partly`: only a part of the order is delivered, or invoiced."""

    name: str
    partly: bool = False


def state(kept: Kept) -> State:
    """How far the order has come: the furthest that anything tells."""
    order = kept.get("order")
    own = _of_the_order(kept, order) if order is not None else _of_the_creation(kept)
    return max([own, *(_reached(result, step) for result in unread(kept) for step in steps_of(result))], key=_furthest)


def _furthest(each: State) -> tuple[int, bool]:
    return STATES.index(each.name), not each.partly


STATES = ("commanded", "rejected", "unknown", "created", "deposit", "delivered", "invoiced", "paid", "cancelled")
"""From the beginning to the end of an order's life."""


def _of_the_order(kept: Kept, order: Json) -> State:
    invoices, slips = counting(kept, "invoices"), counting(kept, "slips")
    total = order["total"]
    if order["cancelled"]:
        return State("cancelled")
    if is_paid(order, invoices):
        return State("paid")
    own, shared = [row["amount"] or 0 for row in invoices if not is_shared(row)], _is_billed_with_others(invoices)
    if shared or sum(own) * (-1 if (total or 0) < 0 else 1) > 0 or (total == 0 and own):
        return State("invoiced", partly=not (shared or _covers(total, own)))
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
    found: int | None = invoice["paidAmount"] if invoice["handled"] else invoice["amount"]
    return found or 0


def is_shared(invoice: Json) -> bool:
    """Whether an invoice is about other orders too, or nobody knows: its amounts are not this order's."""
    return bool(invoice["orders"] != 1)


def _is_billed_with_others(invoices: Iterable[Json]) -> bool:
    """Whether a collective invoice is about it: all of it, as far as anybody can know, until that is credited."""
    amounts = [row["amount"] or 0 for row in invoices if is_shared(row)]
    return sum(amounts) != 0 or (bool(amounts) and not any(amounts))


def _covers(total: int | None, amounts: Sequence[int]) -> bool:
    """Whether the amounts, less what was credited of them, come to the total."""
    if not amounts or total is None:
        return bool(sum(amounts))
    return sum(amounts) >= total if total >= 0 else sum(amounts) <= total


def counting(kept: Kept, name: str) -> list[Json]:
    """The order's documents of a kind (`slips`, `invoices`), the oldest first, without those that count no more.

    A cancelled packing slip does not count, nor what the order does not name any more: a document that was read before the
    order, or in an epoch before the order's, which a restore of the POS has undone. Nor one of another order of that name.
    """
    order = kept.get("order")
    return sorted((row for row in kept.get(name, {}).values() if _counts(order, name, row)), key=_entering)


def _counts(order: Json | None, name: str, row: Json) -> bool:
    if row.get("void"):
        return False
    if order is None:
        return True
    former = row["rank"][0] < order["rank"][0]
    named = [] if former and order[name] is None else order[name]
    read_before = (milliseconds(row["at"]) or 0) + READ_APART_MS < (milliseconds(order["at"]) or 0)
    undone = named is not None and row["id"] not in named and (former or read_before)
    return not undone and row["orderId"] in (None, order["orderId"])


READ_APART_MS = 60_000
"""Milliseconds from which a document was read before its order, by the clocks of two workers."""


def _entering(row: Json) -> tuple[int, str]:
    return milliseconds(row["entered"] or row["at"]) or 0, row["id"]


def unread(kept: Kept) -> Iterator[Json]:
    """Results of commands that succeeded after the order was read last.

    After a restore the markers of results are higher than the order's for a long time: then the moments decide.
    """
    order = kept.get("order")
    for result in sorted(kept.get("results", {}).values(), key=lambda row: (milliseconds(row["at"]) or 0, row["commandId"])):
        if result["outcome"] == "succeeded" and (order is None or _is_later(result, order)):
            yield {**result, "given": kept.get("commands", {}).get(result["commandId"])}


def _is_later(result: Json, order: Json) -> bool:
    (epoch, read), marker = order["rank"], result["syncMarker"]
    if marker is None or marker <= read:
        return False
    return epoch == 0 or (milliseconds(result["at"]) or 0) > (milliseconds(order["at"]) or 0)


def _reached(result: Json, step: str) -> State:
    return State(step, is_partly(result, step))


def is_partly(result: Json, step: str) -> bool:
    """Whether a command delivered a part only, or nobody knows: the command itself is not there any more."""
    given = result["given"] or {}
    return step == "delivered" and given.get("partly") is not False


def steps_of(result: Json) -> Iterator[str]:
    """The steps that a command which succeeded has made: of a payment that nobody knows more of, at least a deposit."""
    given, pending = result["given"] or {}, str(result["reason"]).endswith(PENDING)
    if result["command"] in DONE and not pending:
        yield DONE[result["command"]]
    if result["command"] == PAY or given.get("pays"):
        yield "paid" if given.get("prepay") is False else "deposit"


DONE = {CREATE: "created", DELIVER: "delivered", CANCEL: "cancelled"}
PENDING = "-PENDING"
"""How the POS's code ends for what it does later, if at all."""


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
