"""payOrder and its V2: a deposit, or the rest with packing slip and invoice."""

from datetime import datetime
from typing import Any

from connector.sandbox.order_operations.delivering import packing_slip
from connector.sandbox.order_operations.invoicing import invoice
from connector.sandbox.order_operations.outcomes import Outcome, Refused, must_be_alive, order_by_id
from connector.sandbox.shop import catalogue, facts
from connector.sandbox.shop.booked import Document, open_parts, paid, parts_as_json, payments_of, settled, with_delivery
from connector.sandbox.shop.item import Draft, Item
from connector.sandbox.shop.memory import Job
from connector.sandbox.shop.shop import Shop
from connector.sandbox.soap.requests import Asked
from connector.sandbox.soap.sent import read_payments

METHODS = {row[0]: row for row in catalogue.PAYMENTS}


def pay(shop: Shop, asked: Asked, job: Job) -> Outcome:
    payments, prepay = read_payments(asked.element("paymentList")), asked.flag("prepay", default=False)
    return pay_order(shop, order_by_id(shop, asked.text("orderId")), job, payments, prepay=prepay)


def pay_order(shop: Shop, item: Item, job: Job, payments: list[dict[str, Any]], *, prepay: bool) -> Outcome:
    """Refused: nothing was booked."""
    before = shop.document(item)
    _must_be_payable(item, before, payments, prepay=prepay)
    booked = [_payment(shop.draft(item), place, payment, shop.now()) for place, payment in enumerate(payments)]
    kept = [{**payment, "externalReference": shop.memory.kept(job.operation, payment["externalReference"])} for payment in booked]
    order = {**before, "paymentList": {"payment": [*payments_of(before), *kept]}}
    outcome = Outcome(item=item)
    for payment in booked:  # the effects tell what was sent
        told = {"externalReference": payment["externalReference"] or None, "document": payment["paymentId"]}
        shop.memory.book(job, "paid", order, amount=payment["amount"], **told)
    if not prepay:
        order, outcome = _complete(shop, item, job, order)
    shop.revise(item, settled(order))
    return outcome


def _complete(shop: Shop, item: Item, job: Job, order: Document) -> tuple[Document, Outcome]:
    """Deliver what is open, then invoice."""
    parts, slip_id = open_parts(order), None
    if parts:
        slip_id = packing_slip(shop, order, parts, job).identity
        order = with_delivery(order, parts, slip_id)
        shop.memory.book(job, "delivered", order, lines=parts_as_json(parts), document=slip_id)
    order = invoice(shop, order)
    invoice_id = order["invoiceIds"]["id"][-1]
    shop.memory.book(job, "invoiced", order, amount=order["totalInclAmount"], document=invoice_id)
    return order, Outcome(item=item, invoice_id=invoice_id, packing_slip_id=slip_id)


def _must_be_payable(item: Item, order: Document, payments: list[dict[str, Any]], *, prepay: bool) -> None:
    if order["invoiceIds"]["id"]:
        raise Refused("ORDER-ALREADY-INVOICED", "the order is invoiced already")
    must_be_alive(item)
    if unknown := {payment["method"] for payment in payments} - METHODS.keys():
        raise Refused("FAILED", f"there is no payment method '{min(unknown)}'")
    if prepay and not payments:
        raise Refused("FAILED", "there is no payment")
    if not prepay and paid(order) + sum(payment["amount"] for payment in payments) < order["totalInclAmount"]:
        raise Refused("PAYMENT-INSUFFICIENT", f"{order['totalInclAmount'] - paid(order)} cents are still to be paid")


def _payment(draft: Draft, place: int, sent: dict[str, Any], at: datetime) -> Document:
    method, description, kind, account, _ = METHODS[sent["method"]]
    return {
        "paymentId": facts.uuid_text(draft.item.identity, "payment", draft.revision, place),
        "financialDate": facts.date(at),
        "entryTimestamp": facts.moment(at),
        "branchNumber": facts.branch(draft.number),
        "workplaceNumber": 1,
        "employeeNumber": draft.refer("employee"),
        "employeeName": "",
        "method": method,
        "description": sent.get("description") or description,
        "amount": sent["amount"],
        "paymentMethodType": kind,
        "accountNumber": account,
        "giftcardNumber": sent.get("giftcardNumber") or None,
        "externalPaymentId": sent.get("externalPaymentId", ""),
        "externalReference": sent.get("externalReference", ""),
    }
