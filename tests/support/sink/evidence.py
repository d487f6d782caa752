"""What the POS shows of an order, and leaves out."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson

from connector.mplus.request import Fields
from connector.mplus.responses.answers import OrderAnswer
from connector.mplus.responses.pages import Item, PageSpec, Undecodable
from connector.sink.pos.calls import Pos

Shown = dict[str, Any]


Change = Callable[[Shown], object]


UNKNOWN = ("unknown", "OUTCOME-UNKNOWN")


class Showing:
    """A Pos that shows orders and packing slips otherwise than they are, or leaves something out."""

    def __init__(self, pos: Pos, order: Change = bool, slip: Change = bool) -> None:
        self._pos, self._order, self._slip = pos, order, slip
        self.turn, self.change = pos.turn, pos.change

    async def order(self, operation: str, fields: Fields) -> OrderAnswer:
        answer = await self._pos.order(operation, fields)
        shown = orjson.loads(orjson.dumps(dict(answer.order or {})))
        self._order(shown)
        return replace(answer, order=shown or None)

    async def page(self, operation: str, fields: Fields, spec: PageSpec) -> list[Item | Undecodable]:
        page = await self._pos.page(operation, fields, spec)
        return [self._changed(item) for item in page if isinstance(item, Item)]

    def _changed(self, item: Item) -> Item:
        slip = orjson.loads(item.value)
        self._slip(slip)
        return item._replace(value=orjson.dumps(slip))


def without(*fields: str) -> Change:
    """The order without these."""
    return lambda shown: [shown.pop(field, None) for field in fields]


def payments(change: Change) -> Change:
    """Each payment of the order changed."""
    return lambda shown: [change(row) for row in shown.get("paymentList", ())]


def references(change: Callable[[str], str]) -> Change:
    """Each payment's reference changed."""
    return payments(lambda row: row.update(externalReference=change(row.get("externalReference", ""))))
