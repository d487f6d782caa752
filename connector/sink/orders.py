"""Reading orders as the POS shows them: payments, documents, quantities, and whether they are as somebody asked. Pure."""

from collections import Counter
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
    """Of the documents in `invoiceIds` or `packingSlipIds`, oldest first."""
    return [str(name) for name in (order or {}).get(field) or ()]


def references(order: Order | None) -> Counter[str]:
    """How often each external reference stands in the order's payments."""
    return Counter(payment.get("externalReference") or "" for payment in (order or {}).get("paymentList") or ())


def delivered(order: Order | None) -> dict[str, Decimal]:
    """By lineId, how much is delivered."""
    lines = (order or {}).get("lineList") or ()
    return {line.get("lineId") or "": _amount(line.get("data"), "deliveredQuantity", "deliveredDecimalPlaces") for line in lines}


def slip_lines(slip: Order) -> dict[str, Decimal]:
    """By the order's lineId, how much a packing slip delivers."""
    return _summed(
        (line.get("salesOrderLineId") or "", _amount(line.get("data"), *QUANTITY)) for line in slip.get("lineList") or ()
    )


def asked_lines(lines: Iterable[Mapping[str, Any]]) -> dict[str, Decimal]:
    """By lineId, how much a command wants delivered."""
    return _summed((line["lineId"], _amount(line, *QUANTITY)) for line in lines)


QUANTITY = ("quantity", "decimalPlaces")


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


def _amount(data: Order | None, amount: str, places: str) -> Decimal:
    found = data or {}
    return Decimal(found.get(amount) or 0).scaleb(-(found.get(places) or 0))
