"""What cashiers do about money beside paying an order: invoices for a part or for several orders, credits, refunds, returns."""

from collections.abc import Mapping, Sequence

from connector.sandbox.order_operations.invoicing import SHARED
from connector.sandbox.order_operations.outcomes import Refused, must_be_alive
from connector.sandbox.shop import facts, sales
from connector.sandbox.shop.booked import Document, paid, payments_of, settled, totals, with_lines
from connector.sandbox.shop.item import Draft, Item
from connector.sandbox.shop.lines import payment_list
from connector.sandbox.shop.memory import Job
from connector.sandbox.shop.shop import Shop

CREDITED = {"invoiceType": "INVOICE-TYPE-CREDIT-INVOICE", "state": "INVOICE-STATE-HANDLED", "paidAmount": 0}


def invoice_orders(shop: Shop, items: Sequence[Item], job: Job, amount: int | None = None) -> Item:
    """An outstanding invoice over these orders: over all of each, or over `amount` cents. Refused: one of them is cancelled."""
    for item in items:
        must_be_alive(item)
    orders = [shop.document(item) for item in items]
    total = sum(order["totalInclAmount"] for order in orders) if amount is None else amount
    found = shop.enter("invoice", lambda draft: _invoice(draft, orders, total))
    for item, order in zip(items, orders, strict=True):
        _name_invoice(shop, item, order, found)
        shop.memory.book(job, "invoiced", order, amount=total, document=found.identity)
    return found


def credit(shop: Shop, invoice: Item, items: Sequence[Item], job: Job, amount: int | None = None) -> Item:
    """A credit invoice over the whole invoice, or over `amount` cents of it. Refused: it was credited before."""
    before = shop.document(invoice)
    credited = any((row.content or {}).get("creditedInvoiceId") == invoice.identity for row in shop.sequences["invoice"])
    if credited or before["invoiceType"] == CREDITED["invoiceType"]:
        raise Refused("FAILED", "the invoice was credited before, or is a credit invoice")
    cents = before["totalInclAmount"] if amount is None else amount
    orders = [shop.document(item) for item in items]
    found = shop.enter("invoice", lambda draft: _credit(draft, orders, before, -cents))
    if before["state"] == "INVOICE-STATE-OUTSTANDING":
        shop.revise(invoice, {**before, "state": CREDITED["state"]})
    for item, order in zip(items, orders, strict=True):
        _name_invoice(shop, item, order, found)
        shop.memory.book(job, "credited", order, amount=-cents, document=found.identity)
    return found


def settle(shop: Shop, invoice: Item) -> None:
    """The customer has paid the invoice. Refused: nothing is outstanding."""
    before = shop.document(invoice)
    if before["state"] != "INVOICE-STATE-OUTSTANDING":
        raise Refused("FAILED", "nothing of the invoice is outstanding")
    shop.revise(invoice, {**before, "state": "INVOICE-STATE-PAID", "paidAmount": before["totalInclAmount"]})


def refund(shop: Shop, item: Item, job: Job, amount: int) -> None:
    """Give back so many cents of what was paid. Refused: so much was not paid."""
    order = shop.document(item)
    if not 0 < amount <= paid(order):
        raise Refused("FAILED", f"{paid(order)} cents were paid")
    pay_back(shop, item, order, amount)
    shop.memory.book(job, "refunded", order, amount=-amount)


def pay_back(shop: Shop, item: Item, order: Document, amount: int) -> None:
    """Book a payment of less than nothing."""
    last = dict(payments_of(order)[-1]) if payments_of(order) else _payment(shop, item)
    row = {
        **last,
        "paymentId": facts.uuid_text(item.identity, "refund", item.revision),
        "entryTimestamp": facts.moment(shop.now()),
    }
    payments = [*payments_of(order), {**row, "amount": -amount, "externalReference": ""}]
    shop.revise(item, settled({**order, "paymentList": {"payment": payments}}))


def return_order(shop: Shop, item: Item, job: Job) -> Item:
    """An order that brings all of another one back: its lines and its total are below nothing."""
    before = shop.document(item)

    def build(draft: Draft) -> Document:
        lines = [_brought_back(line) for line in before["lineList"]["line"]]
        blank = {
            **sales.order(draft),
            **{name: before[name] for name in SHARED},
            "extOrderId": "",
            "orderType": before["orderType"],
        }
        empty: Document = {"invoiceIds": {"id": []}, "invoiceNumbers": {"yearNumber": []}, "packingSlipIds": {"id": []}}
        return settled(with_lines({**blank, **empty, **totals(lines), "paymentList": {"payment": []}}, lines))

    found = shop.enter("order", build)
    order = shop.document(found)
    shop.memory.book(job, "returned", order, amount=order["totalInclAmount"])
    return found


def _brought_back(line: Document) -> Document:
    data = line["data"]
    back = {name: -data[name] for name in ("quantity", "totalInclAmount", "totalExclAmount")}
    return {**line, "data": {**data, **back, "deliveredQuantity": 0, "deliveredDecimalPlaces": None}}


def _payment(shop: Shop, item: Item) -> Document:
    made: Document = payment_list(shop.draft(item), 1, shop.now())
    found: Document = made["payment"][0]
    return found


def _name_invoice(shop: Shop, item: Item, order: Document, invoice: Item) -> None:
    numbers = [*order["invoiceNumbers"]["yearNumber"], shop.document(invoice)["invoiceNumber"]]
    ids = [*order["invoiceIds"]["id"], invoice.identity]
    shop.revise(item, settled({**order, "invoiceIds": {"id": ids}, "invoiceNumbers": {"yearNumber": numbers}}))


def _invoice(draft: Draft, orders: Sequence[Document], total: int) -> Document:
    ext = [order["extOrderId"] for order in orders if order["extOrderId"]]
    about: Mapping[str, object] = {
        **{name: orders[0][name] for name in SHARED},
        "orderIds": {"id": [order["orderId"] for order in orders]},
        "extOrderIds": {"id": ext},
        "lineList": {"line": [line for order in orders for line in order["lineList"]["line"]]},
        "paymentList": {"payment": []},
    }
    amounts = {"totalInclAmount": total, "totalExclAmount": total, "vatGroupList": {"vatGroup": []}}
    return {**sales.invoice(draft), **about, **amounts, "paidAmount": 0, "state": "INVOICE-STATE-OUTSTANDING"}


def _credit(draft: Draft, orders: Sequence[Document], of: Document, total: int) -> Document:
    made = _invoice(draft, orders, total)
    direct = made.pop("directDebit")
    return {**made, **CREDITED, "creditedInvoiceId": of["invoiceId"], "creditedReason": "retour", "directDebit": direct}
