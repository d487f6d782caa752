"""What a POS may get wrong about orders without breaking its schema: references cut, elements left out, lines nobody ordered.

All pure: when it happens is said in `switches.py`, and `shop/memory.py` asks there.
"""

from collections.abc import Iterator
from decimal import Decimal
from random import Random

from connector.sandbox.shop import facts
from connector.sandbox.shop.booked import Document, priced
from connector.sandbox.soap.markup import Value

Path = tuple[str, ...]

ONE = Decimal(1)
SHARE_LEFT_OUT = 1 / 8  # of the optional elements, when some are left out
INSIDE = frozenset({"lineList", "line", "data", "paymentList", "payment"})
NEVER = frozenset({"orderId", "packingSlipId", "articleNumber", "quantity", "method", "amount"})  # the schema wants them
ROWS = frozenset({"line", "payment"})  # a list is shown whole or not at all
PLACES = "DecimalPlaces"  # without it the quantity before it would be another one


def cut(reference: str) -> str:
    """The first half of it."""
    return reference[: len(reference) // 2]


def left_out(document: Document, luck: Random) -> Document:
    """The document without some of the elements that the schema lets it leave out; each is gone from all rows of a list."""
    optional = dict.fromkeys(_optional(document, ()))
    return _without(document, (), {path for path in optional if luck.random() < SHARE_LEFT_OUT})


def further_line(line: Document, slip_id: str) -> Document:
    """A line for nothing, like the bag that goes along: one piece, of no line of the order."""
    free = priced(line, ONE, 0)
    bag = {**free, "lineId": facts.uuid_text(slip_id, "further"), "text": "tas"}
    return {name: value for name, value in bag.items() if name != "salesOrderLineId"}


def _optional(value: Value, path: Path) -> Iterator[Path]:
    for row in value if isinstance(value, list) else [value]:
        for name, inside in row.items() if isinstance(row, dict) else ():
            here = (*path, name)
            if name not in NEVER | ROWS and name != "decimalPlaces" and not name.endswith(PLACES):
                yield here
            if name in INSIDE:
                yield from _optional(inside, here)


def _without(value: Document, path: Path, gone: set[Path]) -> Document:
    kept = {name: inside for name, inside in value.items() if (*path, name) not in gone}
    return {name: _inside(inside, (*path, name), gone) if name in INSIDE else inside for name, inside in kept.items()}


def _inside(value: Value, path: Path, gone: set[Path]) -> Value:
    if isinstance(value, list):
        return [_without(row, path, gone) for row in value]
    return _without(value, path, gone) if isinstance(value, dict) else value
