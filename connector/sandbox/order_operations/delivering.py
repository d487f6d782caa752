"""deliverOrder and its V2: packing slips, and what leaves the stock."""

from decimal import Decimal
from functools import partial

from connector.sandbox.faults.lapses import further_line
from connector.sandbox.order_operations.invoicing import SHARED, invoice
from connector.sandbox.order_operations.outcomes import Outcome, Refused, must_be_alive, order_by_id
from connector.sandbox.shop import facts, sales
from connector.sandbox.shop.booked import (
    Document,
    Parts,
    lines_of,
    open_parts,
    ordered,
    parts_as_json,
    places_of,
    settled,
    slip_lines,
    totals,
    with_delivery,
    with_lines,
)
from connector.sandbox.shop.item import Draft, Item
from connector.sandbox.shop.memory import Job
from connector.sandbox.shop.shop import Shop
from connector.sandbox.soap.requests import Asked
from connector.sandbox.soap.sent import read_delivery
from connector.sandbox.soap.soap import client

INVOICE, RECEIPT = "DELIVER-ORDER-TURNOVER-TYPE-INVOICE", "DELIVER-ORDER-TURNOVER-TYPE-RECEIPT"


def deliver(shop: Shop, asked: Asked, job: Job) -> Outcome:
    """All that is open."""
    invoiced = _wants_invoice(asked)
    item = order_by_id(shop, asked.text("orderId"))
    return deliver_order(shop, item, job, None, invoiced=invoiced)


def deliver_part(shop: Shop, asked: Asked, job: Job) -> Outcome:
    delivery, rows = read_delivery(asked.values["orderDelivery"][0])
    invoiced = _wants_invoice(delivery)
    item = order_by_id(shop, delivery.text("orderId"))
    return deliver_order(shop, item, job, rows, invoiced=invoiced)


def deliver_order(shop: Shop, item: Item, job: Job, rows: list[tuple[str, Decimal]] | None, *, invoiced: bool = False) -> Outcome:
    """Deliver so much of these lines, or with None whatever is open. An invoice is made once nothing is open any more."""
    order = shop.document(item)
    must_be_alive(item)
    parts = _parts(order, rows)
    slip_id = packing_slip(shop, order, parts, job).identity
    order = with_delivery(order, parts, slip_id)
    shop.memory.book(job, "delivered", order, lines=parts_as_json(parts), document=slip_id)
    invoice_id = None
    if invoiced and not open_parts(order):
        order = invoice(shop, order)
        invoice_id = order["invoiceIds"]["id"][-1]
        shop.memory.book(job, "invoiced", order, amount=order["totalInclAmount"], document=invoice_id)
    shop.revise(item, settled(order))
    return Outcome(item=item, packing_slip_id=slip_id, invoice_id=invoice_id)


def packing_slip(shop: Shop, order: Document, parts: Parts, job: Job) -> Item:
    """Book a packing slip for these quantities and take them from the stock."""
    further = shop.memory.strikes("add_slip_line", job.operation)
    slip = shop.enter("packingSlip", lambda draft: _slip(draft, order, parts, further=further))
    for line in lines_of(shop.document(slip)):
        shop.enter("stock", partial(_stock, line=line, order=order, slip_id=slip.identity))
    return slip


def _parts(order: Document, rows: list[tuple[str, Decimal]] | None) -> Parts:
    left = open_parts(order)
    if not left:
        raise Refused("ALREADY-DELIVERED", "nothing is left to deliver")
    if rows is None:
        return left
    if not rows:
        raise Refused("FAILED", "no lines are named")
    parts: dict[str, Decimal] = {}
    for line_id, quantity in rows:
        parts[line_id] = parts.get(line_id, Decimal(0)) + quantity
        if quantity <= 0 or parts[line_id] > left.get(line_id, Decimal(0)):
            raise Refused("FAILED", f"of line '{line_id}' only {left.get(line_id, 0)} is open")
    return parts


def _wants_invoice(asked: Asked) -> bool:
    turnover = asked.text("turnoverType")
    if turnover == RECEIPT:
        raise client("the sandbox does not simulate delivering on a receipt")
    if turnover not in ("", INVOICE):
        raise client(f"turnoverType must not be '{turnover}'")
    return turnover == INVOICE


def _slip(draft: Draft, order: Document, parts: Parts, *, further: bool) -> Document:
    shared = {name: order[name] for name in (*SHARED, "orderId", "extOrderId", "orderNumber")}
    lines = slip_lines(order, parts, draft.item.identity)
    lines += [further_line(lines[0], draft.item.identity)] if further else []
    amount = {"totalInclAmount": totals(lines)["totalInclAmount"]}
    return with_lines({**sales.packing_slip(draft), **shared, **amount, "state": "PACKING-SLIP-STATE-OPEN"}, lines)


def _stock(draft: Draft, *, line: Document, order: Document, slip_id: str) -> Document:
    quantity = ordered(line)
    return {
        "stockId": draft.item.marker,
        "timestamp": facts.moment(draft.made()),
        "branchNumber": order["financialBranchNumber"],
        "articleNumber": line["articleNumber"],
        "amountChanged": -int(quantity.scaleb(places_of(quantity))),
        "decimalPlaces": places_of(quantity) or None,
        "type": "STOCK-HISTORY-TYPE-SALES",
        "orderId": order["orderId"],
        "packingSlipId": slip_id,
    }
