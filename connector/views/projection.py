"""What a journey shows: its steps with their times and documents, its state, its commands. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from connector.views.fold import CREATE, Kept
from connector.views.records import Json, milliseconds

STATES = ("commanded", "rejected", "unknown", "created", "deposit", "delivered", "invoiced", "paid", "cancelled")
"""Steps of a journey: the last in this row that was reached is the journey's state."""


def journey(key: str, kept: Kept) -> Json:
    """The journey as it is published, with what it was folded from in `facts`."""
    order, steps = kept.get("order"), sorted(_steps(kept), key=_sorting)
    results = _latest_first(kept.get("results", {}).values())
    return {
        "key": key,
        "orderId": order["orderId"] if order else _first(results, "orderId"),
        "extOrderId": order["extOrderId"] if order else _first(results, "extOrderId"),
        "state": _state(steps),
        "steps": steps,
        "commands": _commands(kept),
        "commandsLeftOut": _left_out(kept),
        "documentsLeftOut": any(name in kept.get("left", {}) for name in ("slips", "invoices")),
        "total": order["total"] if order else None,
        "paid": order["paid"] if order else None,
        "syncMarker": order["rank"][1] if order else None,
        "relationNumber": order["relationNumber"] if order else _first(kept.get("commands", {}).values(), "relationNumber"),
        "relationName": order["relationName"] if order else None,
        "updatedAt": kept["latest"],
        "facts": kept,
    }


def _state(steps: Iterable[Json]) -> str:
    return max((step["step"] for step in steps), key=STATES.index, default="unknown")


def _sorting(step: Json) -> tuple[int, int, int, str]:
    at = milliseconds(step["at"]) or 0  # the POS tells whole seconds: what follows a command in the same one seems earlier
    return at // 1000, STATES.index(step["step"]), at, str(step.get("document"))


def _steps(kept: Kept) -> Iterator[Json]:
    yield from _ordered(kept)
    yield from _slips(kept)
    yield from _invoices(kept)
    if (order := kept.get("order")) is not None:
        seen = kept["seen"]
        yield {"step": "created", "at": order["entered"] or seen["created"][2], "syncMarker": seen["created"][1]}
        yield from _payments(order, seen)
        if order["cancelled"]:
            yield {"step": "cancelled", "at": seen["cancelled"][2], "syncMarker": seen["cancelled"][1]}
    yield from _paid(kept)


def _ordered(kept: Kept) -> Iterator[Json]:
    """From the commands: that the order was asked for, and, as long as it is not known, what came of that."""
    commands, results = kept.get("commands", {}), kept.get("results", {})
    known = kept.get("order") is not None
    asked = [row for row in commands.values() if row["command"] == CREATE] or ([] if known else list(commands.values()))
    if asked:
        yield {"step": "commanded", "at": min((row["at"] for row in asked), key=lambda at: milliseconds(at) or 0)}
    if known or not results:
        return
    last = next(
        iter(_latest_first(row for row in results.values() if row["command"] == CREATE) or _latest_first(results.values()))
    )
    yield from ENDINGS.get(last["outcome"], _unknown)(last)


def _succeeded(result: Json) -> Iterator[Json]:
    if result["command"] == CREATE:
        yield {"step": "created", "at": result["at"], "syncMarker": result["syncMarker"]}


def _rejected(result: Json) -> Iterator[Json]:
    yield {"step": "rejected", "at": result["at"], "reason": result["reason"]}


def _unknown(result: Json) -> Iterator[Json]:
    yield {"step": "unknown", "at": result["at"], "reason": result["reason"]}


ENDINGS = {"succeeded": _succeeded, "rejected": _rejected}


def _payments(order: Json, seen: Mapping[str, Any]) -> Iterator[Json]:
    """Deposits: payments after which something was still to be paid, or all of them while it is."""
    paid = 0
    for place, row in enumerate(order["payments"]):
        paid += row["amount"]
        if not order["fullyPaid"] or paid < (order["total"] or 0):
            first = seen[f"payment {row['id'] or place}"]
            yield {"step": "deposit", "at": row["at"] or first[2], "syncMarker": first[1], "amount": row["amount"]}
    if not order["payments"] and order["paid"] and not order["fullyPaid"]:
        first = seen["prepaid"]
        yield {"step": "deposit", "at": first[2], "syncMarker": first[1], "amount": order["paid"]}


def _paid(kept: Kept) -> Iterator[Json]:
    """Paid by the order's own word, or by its invoice's. An order about nothing is not paid before it is invoiced."""
    order, invoices = kept.get("order"), [row for row in kept.get("invoices", {}).values() if row["settled"]]
    if order is not None and order["fullyPaid"] and (order["paid"] or invoices):
        moments = [row["at"] for row in order["payments"] if row["at"]]
        at = max(moments, key=lambda moment: milliseconds(moment) or 0, default=kept["seen"]["fullyPaid"][2])
        yield {"step": "paid", "at": at, "syncMarker": kept["seen"]["fullyPaid"][1], "amount": order["paid"]}
    elif invoices:
        last = max(invoices, key=lambda row: (milliseconds(row["paidAt"] or row["at"]) or 0, row["id"]))
        yield {"step": "paid", "at": last["paidAt"] or last["at"], "amount": last["paidAmount"]}


def _slips(kept: Kept) -> Iterator[Json]:
    """All but the last, and the last too while the order is not delivered, are a part of it."""
    slips = sorted((row for row in kept.get("slips", {}).values() if not row["void"]), key=_entering)
    whole = bool((kept.get("order") or {}).get("delivered"))
    for row in slips:
        yield {**_documented("delivered", row), "partly": not (whole and row is slips[-1])}


def _invoices(kept: Kept) -> Iterator[Json]:
    for row in kept.get("invoices", {}).values():
        yield {**_documented("invoiced", row), "amount": row["amount"]}


def _documented(step: str, row: Json) -> Json:
    at = row["entered"] or row["at"]
    return {"step": step, "at": at, "syncMarker": row["rank"][1], "document": row["id"], "number": row["number"]}


def _entering(row: Json) -> tuple[int, str]:
    return milliseconds(row["entered"] or row["at"]) or 0, row["id"]


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


def _latest_first(rows: Iterable[Json]) -> list[Json]:
    return sorted(rows, key=lambda row: (milliseconds(row["at"]) or 0, row["commandId"]), reverse=True)


def _first(rows: Iterable[Json], name: str) -> Any:
    return next((row[name] for row in rows if row[name] is not None), None)
