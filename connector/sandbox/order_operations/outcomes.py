"""How a command ended, and finding the order it is about."""

from dataclasses import dataclass

from connector.sandbox.shop.item import Item
from connector.sandbox.shop.sales import SEEDED_EXT
from connector.sandbox.shop.shop import Shop


class Refused(Exception):
    """The command did nothing; `code` is its result without prefix."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


@dataclass(frozen=True, slots=True)
class Outcome:
    """`item` is the order as it is now; of a queued order there is but the identity it will have."""

    code: str = "OK"
    text: str = ""
    item: Item | None = None
    queued_id: str | None = None
    pay_code: str | None = None
    invoice_id: str | None = None
    packing_slip_id: str | None = None


def order_by_id(shop: Shop, order_id: str, code: str = "FAILED") -> Item:
    """Refused with `code`: there is none."""
    item = shop.sequences["order"].by_identity.get(order_id)
    if item is None:
        raise Refused(code, f"there is no order '{order_id}'")
    return item


def order_by_ext_id(shop: Shop, ext_order_id: str) -> Item | None:
    """The order of this name, a caller's or the seeded shop's. Orders without an extOrderId are not found by it."""
    if not ext_order_id:
        return None
    sequence = shop.sequences["order"]
    known = shop.memory.order_ids.get(ext_order_id)
    seeded = ext_order_id.removeprefix(SEEDED_EXT)
    if known is None and seeded.isdecimal() and seeded != ext_order_id:
        names = (shop.identity("order", int(seeded), epoch) for epoch in range(sequence.epoch + 1))
        known = next((name for name in names if name in sequence.by_identity), None)
    item = sequence.by_identity.get(known or "")
    return item if item and shop.document(item)["extOrderId"] == ext_order_id else None


def must_be_alive(item: Item) -> None:
    """Refused: the order is cancelled."""
    if item.deleted:
        raise Refused("FAILED", "the order is cancelled")
