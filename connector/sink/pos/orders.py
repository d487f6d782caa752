"""Reading orders as the POS shows them: payments, documents, quantities, and whether they are as somebody asked. Pure."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from hashlib import blake2b
from typing import Any

import orjson

Order = Mapping[str, Any]
GIVEN_BY_THE_POS = ("orderId", "lineId")
NOTHING: tuple[Any, ...] = (None, 0, "", [], False)
"""An element that is absent says no less than these."""


def ids(order: Order | None, field: str) -> list[str]:
    """Documents in `invoiceIds` or `packingSlipIds`, oldest first."""
    return [str(name) for name in (order or {}).get(field) or ()]


def is_shown(order: Order, field: str) -> bool:
    """Whether the POS shows this field: one that it left out, or that could not be read, proves nothing."""
    return order.get(field) is not None


def delivered(order: Order | None) -> dict[str, Decimal | None] | None:
    """How much is delivered, by lineId; None for a line, or for all, where that is not shown."""
    if order is None or not is_shown(order, "lineList"):
        return None
    return {(line or {}).get("lineId") or "": _shown((line or {}).get("data"), *DELIVERED) for line in order["lineList"]}


def slip_lines(slip: Order) -> dict[str, Decimal]:
    """How much a packing slip delivers, by the order's lineId."""
    lines = [line or {} for line in slip.get("lineList") or ()]
    return _summed((line.get("salesOrderLineId") or "", _amount(line.get("data"), *QUANTITY)) for line in lines)


def asked_lines(lines: Iterable[Mapping[str, Any]]) -> dict[str, Decimal]:
    """How much a command wants delivered, by lineId."""
    return _summed((line["lineId"], _amount(line, *QUANTITY)) for line in lines)


QUANTITY = ("quantity", "decimalPlaces")
DELIVERED = ("deliveredQuantity", "deliveredDecimalPlaces")
PLACES_MAX = 100
"""Decimal places, either way: a command may name any number of them, and nobody delivers so little or so much."""


def as_asked(seen: Any, asked: Any) -> bool:
    """Whether what the POS shows is what was asked for. The POS fills in what was not asked."""
    if isinstance(asked, Mapping):
        found = seen if isinstance(seen, Mapping) else {}
        return all(name in GIVEN_BY_THE_POS or as_asked(found.get(name), value) for name, value in asked.items())
    if isinstance(asked, list) and isinstance(seen, list):
        return len(seen) == len(asked) and all(map(as_asked, seen, asked))
    return seen == asked or (seen in NOTHING and asked in NOTHING) or _same_moment(seen, asked)


def digest(value: Any) -> str:
    """Short and stable: to see later whether it is still the same."""
    return blake2b(orjson.dumps(value, option=orjson.OPT_SORT_KEYS), digest_size=8).hexdigest()


def _same_moment(seen: Any, asked: Any) -> bool:
    """The POS has whole seconds."""
    try:
        return bool(datetime.fromisoformat(seen) == datetime.fromisoformat(asked.upper()).replace(microsecond=0))
    except (AttributeError, TypeError, ValueError):
        return False


def _summed(amounts: Iterable[tuple[str, Decimal]]) -> dict[str, Decimal]:
    found: dict[str, Decimal] = {}
    for name, amount in amounts:
        found[name] = found.get(name, Decimal(0)) + amount
    return found


def _shown(data: Order | None, amount: str, places: str) -> Decimal | None:
    return None if (data or {}).get(amount) is None else _amount(data, amount, places)


def _amount(data: Order | None, amount: str, places: str) -> Decimal:
    found = data or {}
    return Decimal(found.get(amount) or 0).scaleb(-max(-PLACES_MAX, min(PLACES_MAX, found.get(places) or 0)))
