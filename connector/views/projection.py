"""What a journey shows: its steps with their times and documents, its state, its commands. Pure."""

from collections.abc import Iterable, Iterator
from typing import Any

from connector.views.fold import Kept
from connector.views.order_state import (
    CREATE,
    STATES,
    counting,
    ending,
    is_paid,
    is_partly,
    is_shared,
    latest_first,
    received,
    state,
    steps_of,
    unread,
)
from connector.views.records import Json, milliseconds

REFUNDED = "refunded"
"""A step that is no state: what was paid is given back."""
BY_TIME = (*STATES, REFUNDED)


def journey(key: str, kept: Kept) -> Json:
    """The journey as it is published, with what it was folded from in `facts`."""
    order, steps, reached = kept.get("order"), sorted(_steps(kept), key=_sorting), state(kept)
    results = latest_first(kept.get("results", {}).values())
    return {
        "key": key,
        "orderId": order["orderId"] if order else _first(results, "orderId"),
        "extOrderId": order["extOrderId"] if order else _first(results, "extOrderId"),
        "state": reached.name,
        "partly": reached.partly,
        "steps": steps,
        "commands": _commands(kept),
        "commandsLeftOut": _left_out(kept),
        "documentsLeftOut": any(name in kept.get("left", {}) for name in ("slips", "invoices")),
        "total": order["total"] if order else None,
        "paid": order["paid"] if order else None,
        "syncMarker": order["rank"][1] if order else None,
        "relationNumber": order["relationNumber"] if order else _first(kept.get("commands", {}).values(), "relationNumber"),
        "relationName": order["relationName"] if order else None,
        "updatedAt": _updated(kept),
        "facts": kept,
    }


def _updated(kept: Kept) -> str:
    """When the last thing happened that changed anything."""
    moments = [kept["order"]["at"]] if "order" in kept else []
    moments += [row["at"] for name in ("slips", "invoices", "commands", "results") for row in kept.get(name, {}).values()]
    latest: str = max(moments, key=lambda at: (milliseconds(at) or 0, at))
    return latest


def _sorting(step: Json) -> tuple[int, int, int, str, str]:
    at = milliseconds(step["at"]) or 0  # the POS tells whole seconds: what follows a command in the same one seems earlier
    return at // 1000, BY_TIME.index(step["step"]), at, str(step.get("document")), str(step.get("syncMarker"))


def _steps(kept: Kept) -> Iterator[Json]:
    order = kept.get("order")
    yield from _asked(kept, known=order is not None)
    yield from _told_by_results(kept, known=order is not None)
    if order is not None:
        yield from _of_the_order(order, kept["seen"])
    yield from _delivered(kept, order)
    yield from _invoiced(kept)
    yield from _paid(kept, order)


def _asked(kept: Kept, *, known: bool) -> Iterator[Json]:
    """When the order was asked for: by a createOrder, or where no record of it is known by any command."""
    given = list(kept.get("commands", {}).values())
    asked = [row for row in given if row["command"] == CREATE] or ([] if known else given)
    if asked:
        yield {"step": "commanded", "at": min((row["at"] for row in asked), key=lambda at: milliseconds(at) or 0)}


def _told_by_results(kept: Kept, *, known: bool) -> Iterator[Json]:
    """What commands have done that was not read yet; and why there is no order, where there is none."""
    for result in unread(kept):
        for step in steps_of(result):
            if not (known and step == "created"):
                partly = {"partly": True} if is_partly(result, step) else {}
                yield {"step": step, "at": result["at"], "syncMarker": result["syncMarker"], **partly}
    if not known and (last := ending(kept)) is not None and last["outcome"] != "succeeded":
        step = "rejected" if last["outcome"] == "rejected" else "unknown"
        yield {"step": step, "at": last["at"], "reason": last["reason"]}


def _of_the_order(order: Json, seen: Json) -> Iterator[Json]:
    yield {"step": "created", "at": order["entered"] or seen["created"][2], "syncMarker": seen["created"][1]}
    yield from _payments(order, seen)
    for name, partly in {"cancelled": {}, "partlyCancelled": {"partly": True}}.items():
        if order[name]:
            yield {"step": "cancelled", **_seen(seen, name), **partly}


def _seen(seen: Json, name: str) -> Json:
    _, marker, at = seen[name]
    return {"at": at, "syncMarker": marker}


def _payments(order: Json, seen: Json) -> Iterator[Json]:
    """Deposits: payments after which something was still to be paid, or all of them while it is; and what was given back."""
    paid, total = 0, order["total"] or 0
    for place, row in enumerate(order["payments"]):
        first, sign = seen[f"payment {row['id'] or place}"], -1 if total < 0 else 1
        paid += row["amount"]
        told = {"at": row["at"] or first[2], "syncMarker": first[1], "amount": row["amount"]}
        if row["amount"] * sign < 0:
            yield {"step": REFUNDED, **told}
        elif not order["fullyPaid"] or paid * sign < total * sign:
            yield {"step": "deposit", **told}
    if not order["payments"] and order["paid"] and not order["fullyPaid"]:
        yield {"step": "deposit", **_seen(seen, "prepaid"), "amount": order["paid"]}


def _paid(kept: Kept, order: Json | None) -> Iterator[Json]:
    """Paid by the order's own word, or by invoices that are about it alone."""
    invoices = counting(kept, "invoices")
    if order is None or not is_paid(order, invoices):
        return
    if order["fullyPaid"]:
        moments = [row["at"] for row in order["payments"] if row["at"]]
        first = _seen(kept["seen"], "fullyPaid")
        at = max(moments, key=lambda moment: milliseconds(moment) or 0, default=first["at"])
        yield {"step": "paid", **first, "at": at, "amount": order["paid"]}
        return
    settled = [row for row in invoices if row["settled"] and not is_shared(row)]
    last = max(settled, key=lambda row: (milliseconds(row["paidAt"] or row["at"]) or 0, row["id"]))
    yield {"step": "paid", "at": last["paidAt"] or last["at"], "amount": sum(map(received, settled))}


def _delivered(kept: Kept, order: Json | None) -> Iterator[Json]:
    """All but the last, and the last too while the order is not delivered, are a part of it."""
    slips, whole = counting(kept, "slips"), bool((order or {}).get("delivered"))
    for row in slips:
        yield {**_documented("delivered", row), "partly": not (whole and row is slips[-1])}
    if whole and not slips:
        yield {"step": "delivered", **_seen(kept["seen"], "delivered"), "partly": False}


def _invoiced(kept: Kept) -> Iterator[Json]:
    """`orders`: over how many the amount is, where the invoice is not about this one alone."""
    for row in counting(kept, "invoices"):
        shared = {"orders": row["orders"]} if (row["orders"] or 1) > 1 else {}
        yield {**_documented("invoiced", row), "amount": row["amount"], **shared}


def _documented(step: str, row: Json) -> Json:
    at = row["entered"] or row["at"]
    return {"step": step, "at": at, "syncMarker": row["rank"][1], "document": row["id"], "number": row["number"]}


def _commands(kept: Kept) -> list[Json]:
    """Each command and how it ended, in the order they were given; where some were left out, no result of one of those."""
    given, ended = kept.get("commands", {}), kept.get("results", {})
    names = given.keys() if _left_out(kept) else given.keys() | ended.keys()
    rows = [_command(given.get(name), ended.get(name)) for name in names]
    return sorted(rows, key=lambda row: (milliseconds(row["at"]) or 0, row["commandId"]))


def _left_out(kept: Kept) -> int:
    found: int = kept.get("left", {}).get("commands", (0,))[0]
    return found


def _command(given: Json | None, result: Json | None) -> Json:
    """Kafka may have deleted the command already, or not have its result yet."""
    first, end = given or result or {}, result or {}
    return {
        "commandId": first["commandId"],
        "command": first["command"],
        "at": first["at"],
        "outcome": end.get("outcome"),
        "reason": end.get("reason"),
        "message": end.get("message"),
        "endedAt": end.get("at"),
    }


def _first(rows: Iterable[Json], name: str) -> Any:
    return next((row[name] for row in rows if row[name] is not None), None)
