"""Looking at orders one by one: findOrder, getOrder, getOrdersByExtOrderIds, getPackingSlipsByOrder."""

from connector.sandbox.order_operations.outcomes import order_by_ext_id
from connector.sandbox.pages import DEFAULT_LIMIT, wrapped
from connector.sandbox.shop.item import Item
from connector.sandbox.shop.shop import Shop
from connector.sandbox.soap import markup
from connector.sandbox.soap.order_fields import IDS
from connector.sandbox.soap.requests import Asked, fields, read_request
from connector.sandbox.soap.soap import client
from connector.sandbox.soap.writing import item_xml, write

FOUND, NOT_FOUND = "GET-ORDER-RESULT-OK", "GET-ORDER-RESULT-NOT-FOUND"


def find_order(shop: Shop, asked: Asked) -> list[bytes]:
    return _answer(shop, order_by_ext_id(shop, asked.text("extOrderId")), "findOrder")


def get_order(shop: Shop, asked: Asked) -> list[bytes]:
    return _answer(shop, shop.sequences["order"].by_identity.get(asked.text("orderId")), "getOrder")


def orders_by_ext_ids(shop: Shop, asked: Asked) -> list[bytes]:
    """The orders that there are; the marker and the limit count among them."""
    names = _names(asked)
    if not names:
        raise client("the sandbox does not simulate getOrdersByExtOrderIds without extOrderIds")
    found = {item.identity: item for name in names if (item := order_by_ext_id(shop, name))}
    since = asked.number("syncMarker", 0)
    rows = sorted((item for item in found.values() if item.marker >= since), key=lambda item: item.marker)
    limit = asked.number("syncMarkerLimit", DEFAULT_LIMIT)
    return wrapped("orderList", [item_xml(shop, item, "whole") for item in rows[:limit]])


def slips_by_order(shop: Shop, asked: Asked) -> list[bytes]:
    """None, if there is no such order."""
    item = shop.sequences["order"].by_identity.get(asked.text("orderId"))
    names = shop.document(item)["packingSlipIds"]["id"] if item else []
    known = shop.sequences["packingSlip"].by_identity
    return wrapped("packingSlipList", [_shown(shop, known[name], "getPackingSlipsByOrder") for name in names if name in known])


def _names(asked: Asked) -> list[str]:
    inside = asked.element("extOrderIds")
    return [] if inside is None else [name for name in read_request(inside, fields(IDS)).texts("id") if name]


def _answer(shop: Shop, item: Item | None, operation: str) -> list[bytes]:
    result = markup.element("result", FOUND if item else NOT_FOUND).encode()
    return [result, _shown(shop, item, operation)] if item else [result]


def _shown(shop: Shop, item: Item, operation: str) -> bytes:
    whole = shop.document(item)
    shown = shop.memory.shown(operation, whole)
    return item_xml(shop, item, "whole") if shown is whole else write(item, shown)
