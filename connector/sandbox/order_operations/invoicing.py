"""The invoice of an order, and what it does to the order, its packing slips and the relation's points."""

from connector.sandbox.shop import sales
from connector.sandbox.shop.booked import Document, paid
from connector.sandbox.shop.item import Draft
from connector.sandbox.shop.shop import Shop

SHARED = (
    "employeeNumber",
    "employeeName",
    "relationNumber",
    "relationName",
    "relationCategoryId",
    "deliveryAddress",
    "invoiceAddress",
    "reference",
)
AMOUNTS = ("totalInclAmount", "totalExclAmount", "vatMethod", "lineList")


def invoice(shop: Shop, order: Document) -> Document:
    """Book an invoice for the whole order; the order as it is then."""
    item = shop.enter("invoice", lambda draft: _invoice(draft, order))
    for slip_id in order["packingSlipIds"]["id"]:
        if slip := shop.sequences["packingSlip"].by_identity.get(slip_id):
            shop.revise(slip, shop.document(slip) | {"invoiceId": item.identity, "state": "PACKING-SLIP-STATE-INVOICED"})
    if str(order["relationNumber"]) in shop.sequences["relationPoints"].by_identity:
        shop.change_item("relationPoints", str(order["relationNumber"]))
    numbers = [*order["invoiceNumbers"]["yearNumber"], shop.document(item)["invoiceNumber"]]
    ids = [*order["invoiceIds"]["id"], item.identity]
    return {**order, "invoiceIds": {"id": ids}, "invoiceNumbers": {"yearNumber": numbers}}


def _invoice(draft: Draft, order: Document) -> Document:
    shared = {name: order[name] for name in (*SHARED, *AMOUNTS, "vatGroupList", "paymentList")}
    names = {"orderIds": {"id": [order["orderId"]]}, "extOrderIds": {"id": [order["extOrderId"]] if order["extOrderId"] else []}}
    return {**sales.invoice(draft), **shared, **names, "paidAmount": paid(order), "state": _state(order)}


def _state(order: Document) -> str:
    if paid(order) >= order["totalInclAmount"]:
        return "INVOICE-STATE-PAID"
    return "INVOICE-STATE-PARTLY-PAID" if paid(order) else "INVOICE-STATE-OUTSTANDING"
