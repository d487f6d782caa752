"""createOrder, updateOrder and cancelOrder in all their versions."""

from functools import partial
from typing import Any

from connector.sandbox.order_operations.outcomes import Outcome, Refused, must_be_alive, order_by_ext_id, order_by_id
from connector.sandbox.order_operations.paying import pay_order
from connector.sandbox.shop import facts, sales
from connector.sandbox.shop.booked import (
    Document,
    cancelled_lines,
    delivered,
    lines_of,
    ordered,
    priced,
    settled,
    totals,
    with_lines,
)
from connector.sandbox.shop.catalogue import HIDDEN_ORDER_TYPES
from connector.sandbox.shop.item import Draft, Item
from connector.sandbox.shop.lines import SaleLine, line_element
from connector.sandbox.shop.memory import Job, Queued
from connector.sandbox.shop.people import person
from connector.sandbox.shop.shop import Shop
from connector.sandbox.shop.wares import ARTICLES_PER_PRODUCT, articles_of, ware
from connector.sandbox.soap.order_fields import CANCELLER, EMPLOYEE, WORKPLACE
from connector.sandbox.soap.requests import Asked, fields, read_request
from connector.sandbox.soap.sent import SentLine, SentOrder, read_order, read_payments

OF_A_TABLE = frozenset({"tableNumber", "tableSubNumber", "tableDescription", "numberOfGuests"})


def create(shop: Shop, asked: Asked, job: Job) -> Outcome:
    sent, payments = read_order(asked.element("order")), read_payments(asked.element("paymentList"))
    _must_be_new(shop, sent)
    _must_exist(shop, sent)
    book = partial(_book, shop, sent, job, payments, prepay=asked.flag("prepay", default=False))
    due = shop.memory.queued_for(job.operation)
    if due is None:
        return book()
    identity = facts.uuid_text(shop.seed, "queued", shop.memory.next_queued())
    shop.memory.queue(Queued(due, sent.ext_order_id, partial(book, identity=identity)))
    return Outcome(queued_id=identity)


def _book(shop: Shop, sent: SentOrder, job: Job, payments: list[dict[str, Any]], *, prepay: bool, identity: str = "") -> Outcome:
    """The order, then its payments; where they are refused it exists without them."""
    item = shop.enter("order", lambda draft: _new(shop, draft, sent), identity)
    shop.memory.order_ids[sent.ext_order_id] = item.identity
    order = shop.document(item)
    shop.memory.book(job, "created", order, amount=order["totalInclAmount"])
    if job.told and job.told.code == "PAYMENT-FAILED" and not job.told.effect:
        return Outcome("PAYMENT-FAILED", "the payment failed, simulated", item, pay_code="FAILED")
    if not payments:
        return Outcome(item=item)
    try:
        done = pay_order(shop, item, job, payments, prepay=prepay)
    except Refused as refused:
        return Outcome("PAYMENT-FAILED", refused.text, item, pay_code=refused.code)
    return Outcome(item=item, pay_code="OK", invoice_id=done.invoice_id, packing_slip_id=done.packing_slip_id)


def update(shop: Shop, asked: Asked, job: Job) -> Outcome:
    sent = read_order(asked.element("order"))
    item = order_by_id(shop, sent.order_id, "NOT-FOUND")
    order = shop.document(item)
    if sent.counter != order["changeCounter"] or sent.version not in (None, order["versionNumber"]):
        raise Refused("ORDER-HAS-CHANGED", f"the order is at change {order['changeCounter']}")
    must_be_alive(item)
    if order["invoiceIds"]["id"]:
        raise Refused("FAILED", "the order is invoiced")
    if sent.ext_order_id not in ("", order["extOrderId"]):
        raise Refused("FAILED", "extOrderId cannot be changed")
    _must_exist(shop, sent, needs_relation=False)
    changed = _applied(shop, shop.draft(item), order, sent)
    if changed == order:
        raise Refused("NO-CHANGES", "")
    shop.revise(item, changed)
    shop.memory.book(job, "updated", order, amount=changed["totalInclAmount"])
    return Outcome(item=item)


def cancel(shop: Shop, asked: Asked, job: Job) -> Outcome:
    if (request := asked.element("request")) is not None:
        read_request(request, fields(CANCELLER)).number("branchNumber", 0)
    item = order_by_id(shop, asked.text("orderId"), "NOT-FOUND")
    return cancel_order(shop, item, job)


def cancel_or_undo(shop: Shop, asked: Asked, job: Job) -> Outcome:
    for name, row in (("workplace", WORKPLACE), ("employee", EMPLOYEE)):
        inside = read_request(asked.values[name][0], fields(row))
        _ = [inside.number(field, 0) for field in inside.values]
    item = order_by_id(shop, asked.text("orderId"), "NOT-FOUND")
    if not item.deleted:
        return cancel_order(shop, item, job)
    order = shop.document(item)
    shop.revise(item, with_lines(order, cancelled_lines(order, cancelled=False)), deleted=False)
    shop.memory.book(job, "uncancelled", order)
    return Outcome("UNDO-CANCEL-OK", item=item)


def cancel_order(shop: Shop, item: Item, job: Job) -> Outcome:
    order = shop.document(item)
    if item.deleted:
        raise Refused("ALREADY-CANCELLED", "the order is cancelled already")
    if order["invoiceIds"]["id"] or order["deliveryState"] == "ORDER-DELIVERY-STATE-COMPLETE":
        raise Refused("FAILED", "the order is delivered")
    shop.revise(item, with_lines(order, cancelled_lines(order, cancelled=True)), deleted=True)
    shop.memory.book(job, "cancelled", order)
    return Outcome(item=item)


def _must_be_new(shop: Shop, sent: SentOrder) -> None:
    taken = shop.memory.queues(sent.ext_order_id) or order_by_ext_id(shop, sent.ext_order_id)
    if sent.ext_order_id and taken:
        raise Refused("EXT-ORDER-ID-ALREADY-EXISTS", f"there is an order '{sent.ext_order_id}'")
    if sent.kind in HIDDEN_ORDER_TYPES:
        raise Refused("FAILED", f"{sent.kind} has operations of its own")


def _must_exist(shop: Shop, sent: SentOrder, *, needs_relation: bool = True) -> None:
    """Whatever the order names."""
    known = shop.sequences["relation"].by_identity
    if (needs_relation or sent.relation is not None) and str(sent.relation or "") not in known:
        raise Refused("FAILED", f"there is no relation {sent.relation or ''}".strip())
    for line in sent.lines or []:
        product = line.article // ARTICLES_PER_PRODUCT
        if str(product) not in shop.sequences["article"].by_identity or line.article not in articles_of(product):
            raise Refused("FAILED", f"there is no article {line.article}")


def _new(shop: Shop, draft: Draft, sent: SentOrder) -> Document:
    """The seeded shop's order of this number, with everything in it replaced that the caller decides."""
    blank = {name: value for name, value in sales.order(draft).items() if name not in OF_A_TABLE}
    own = {"extOrderId": sent.ext_order_id, "orderType": sent.kind, "reference": "", "deliveryDate": facts.ZERO_DATE}
    never = {"deliveryPeriodBegin": facts.ZERO_MOMENT, "deliveryPeriodEnd": facts.ZERO_MOMENT}
    buyer = {**sales.customer(shop.seed, sent.relation or 0), **sales.addresses(shop.seed, sent.relation or 0)}
    return _applied(shop, draft, with_lines({**blank, **own, **never, **buyer, **totals([])}, []), sent)


def _applied(shop: Shop, draft: Draft, order: Document, sent: SentOrder) -> Document:
    """The order with what the caller sent; what was not sent stays."""
    changed = dict(order)
    if sent.relation not in (None, order["relationNumber"]):
        changed |= {**sales.customer(shop.seed, sent.relation or 0), **sales.addresses(shop.seed, sent.relation or 0)}
    changed |= sent.fields
    changed["employeeName"] = person(shop.seed, "employee", changed["employeeNumber"])
    category = shop.lists.rows["orderCategory"].get(str(changed["orderCategoryNumber"]), {})
    changed["orderCategoryDescription"] = category.get("orderCategoryDescription", "")
    if sent.lines is not None:
        lines = _lines(draft, order, sent.lines)
        changed = {**with_lines(changed, lines), **totals(lines)}
    return settled(changed)


def _lines(draft: Draft, order: Document, sent: list[SentLine]) -> list[Document]:
    """Refused: a line is not the order's, or what is delivered would be gone."""
    old = {line["lineId"]: line for line in lines_of(order)}
    if (strange := {line.line_id for line in sent if line.line_id} - old.keys()) and old:
        raise Refused("FAILED", f"the order has no line '{min(strange)}'")
    lines = [_line(draft, place, line, old.get(line.line_id)) for place, line in enumerate(sent)]
    kept = {line["lineId"]: ordered(line) for line in lines}
    if any(delivered(line) > kept.get(name, 0) for name, line in old.items()):
        raise Refused("FAILED", "less would be ordered than is delivered")
    return lines


def _line(draft: Draft, place: int, sent: SentLine, old: Document | None) -> Document:
    base = _blank_line(draft, place, sent.article) if old is None else old
    if base["articleNumber"] != sent.article:
        raise Refused("FAILED", "a line cannot become another article")
    quantity = ordered(base) if sent.quantity is None else sent.quantity
    line = priced(base, quantity, base["data"]["price"] if sent.price is None else sent.price)
    return {**line, "text": sent.text or base["text"]}


def _blank_line(draft: Draft, place: int, article: int) -> Document:
    line_id = facts.uuid_text(draft.item.identity, "line", draft.revision, place)
    blank = line_element(draft, SaleLine(place, ware(article), 1, 0), 0)
    return {**blank, "lineId": line_id, "preparationList": {"line": []}}
