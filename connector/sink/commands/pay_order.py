"""payOrder: payments booked, as a deposit or with delivery and invoice. Pure."""

from collections import Counter
from collections.abc import Sequence

from connector.messages.command import Command
from connector.mplus.encode import fields
from connector.mplus.request import Fields
from connector.sink.commands.payments import (
    Payment,
    asked_payments,
    automatic,
    bears_its_own,
    booked,
    payments_of,
    perhaps_ours,
    shown_payments,
    trimmed,
)
from connector.sink.commands.spec import (
    DONE,
    NO_ORDER,
    NOT_DONE,
    CommandSpec,
    Evidence,
    Reconciled,
    RepeatSafety,
    Snapshot,
    Variant,
    codes,
    made,
    new_documents,
    stands_still,
    stood,
    unclear,
)
from connector.sink.ledger.ledger import Intent
from connector.sink.pos.orders import Order, ids

FAILED = "PAY-ORDER-RESULT-FAILED"
INVOICED, CHANGED = "PAY-ORDER-RESULT-ORDER-ALREADY-INVOICED", "PAY-ORDER-RESULT-ORDER-HAS-CHANGED"
A_PART = "only a part of the payments is in the order"
A_PART_BEFORE = "a part of this command's payments is in the order already"
NO_INVOICE = "the payments are in the order, and no new invoice is"
NOT_SHOWN = "the order does not show its payments"
PERHAPS_BEFORE = "a payment with this reference is in the order, and may have been there before"
PERHAPS = "a payment was booked since that may be this one: its reference and amount do not tell"
GONE = "payments that were in the order before are there no more"
MORE_PAID = "more is paid than the order's payments show"
PERHAPS_INVOICED = "an invoice was made since that may be this command's"
PERHAPS_DELIVERED = "the POS failed, and a packing slip was made since that may be this command's"


def request(command: Command, intent: Intent) -> Fields:
    """payOrder."""
    payments = fields("payOrder", "paymentList")(payments_of(command))
    return [("orderId", intent.order_id), ("prepay", command.body["prepay"]), ("paymentList", payments)]


def request_by_key(command: Command, intent: Intent) -> Fields:
    """payOrderV2."""
    return [("idempotencyKey", intent.idempotency_key), *request(command, intent)]


def snapshot(command: Command, order: Order | None) -> Snapshot:
    """The payments and documents that there are, and how much is paid."""
    payments = shown_payments(order)
    rows = None if payments is None else [list(row) for row in payments]
    return stood(order) | {"payments": rows, "prepaidAmount": (order or {}).get("prepaidAmount")}


def safety(command: Command, intent: Intent, variant: RepeatSafety) -> RepeatSafety:
    """How long the POS remembers a key, and what it does with one whose call is still at work, nobody knows.

    An invoice alone may be asked for again: an order that has one is refused.
    """
    return RepeatSafety.NONE if command.body["paymentList"] else variant


def reconcile(command: Command, intent: Intent, evidence: Evidence) -> Reconciled:
    """Payments are recognised by reference and amount; what is not recognised may be ours unless something tells otherwise."""
    order, wanted = evidence.order, len(command.body["paymentList"])
    if order is None:
        return NO_ORDER
    if not wanted:
        return _reconcile_invoice(intent, order, evidence.code)
    there = booked(command, order, _payments_before(command, intent))
    if there and not automatic(command) and not _came_since(command, intent, order):
        return unclear(PERHAPS_BEFORE)
    if there == wanted:
        return _settled(command, intent, order)
    if there:
        return unclear(A_PART)
    refused = evidence.code in (INVOICED, CHANGED) and intent.attempt == 1  # the only call: what is new there is others'
    still = stands_still(intent, order) and not _new_payments(command, intent, order) and not _rise(intent, order)
    return NOT_DONE if refused or still else _unrecognised(command, intent, evidence, order)


def _came_since(command: Command, intent: Intent, order: Order) -> bool:
    """Whether as many payments of these amounts came as were asked: a reference that is not ours alone may have been there."""
    if "references" not in intent.before and intent.before.get("payments") is None:
        return False
    amounts = Counter(row.amount for row in shown_payments(order) or ())
    amounts.subtract(row.amount for row in _payments_before(command, intent))
    return all(amounts[amount] >= count for amount, count in Counter(row.amount for row in asked_payments(command)).items())


def shows_done(command: Command, order: Order) -> bool:
    """All payments are there under this command's own reference, and the invoice where one was to be made."""
    wanted = len(command.body["paymentList"])
    paid = bool(wanted) and automatic(command) and booked(command, order) == wanted
    return paid and (command.body["prepay"] or bool(ids(order, "invoiceIds")))


def already(command: Command, order: Order) -> Reconciled | None:
    """Payments under this command's own reference are there before the first call: the ledger has forgotten that call."""
    if shows_done(command, order):
        return DONE
    return unclear(A_PART_BEFORE) if bears_its_own(command, order) else None


def references(order: Order) -> set[str]:
    """The payments' references: each may be another command's id."""
    return {payment.reference for payment in shown_payments(order) or () if payment.reference}


def _payments_before(command: Command, intent: Intent) -> list[Payment]:
    """An INTENT of an older version only knows how often each reference was there: those amounts are taken for ours."""
    if "references" not in intent.before:
        return [Payment(trimmed(name), *rest) for name, *rest in intent.before.get("payments") or ()]
    left = Counter(intent.before["references"])
    rows = [row._replace(reference=name) for row in asked_payments(command) for name in {row.reference, command.id} if left[name]]
    return rows[: left.total()]


def _settled(command: Command, intent: Intent, order: Order) -> Reconciled:
    if command.body["prepay"]:
        return DONE  # documents made after a deposit are others'
    return made(intent, order) if new_documents(intent, order, "invoiceIds") else unclear(NO_INVOICE)


def _new_payments(command: Command, intent: Intent, order: Order) -> list[Payment] | None:
    """Payments since the INTENT, and of an INTENT of an older version all that are not ours; None where that is not shown."""
    now = shown_payments(order)
    known = "references" in intent.before or intent.before.get("payments") is not None
    if now is None or not known:
        return None
    return list((Counter(now) - Counter(_payments_before(command, intent))).elements())


def _rise(intent: Intent, order: Order) -> int | None:
    """How much more is paid than before, in cents; None where that is not shown."""
    before, now = intent.before.get("prepaidAmount"), order.get("prepaidAmount")
    return None if before is None or now is None else now - before


def _unrecognised(command: Command, intent: Intent, evidence: Evidence, order: Order) -> Reconciled:
    """None of ours is recognised, and the order has changed: NOT_DONE only where ours would have been seen."""
    new, rise = _new_payments(command, intent, order), _rise(intent, order)
    if new is None:
        return NOT_DONE if rise == 0 and new_documents(intent, order, "invoiceIds") == [] else unclear(NOT_SHOWN)
    if perhaps_ours(command, new, evidence.others):
        return unclear(PERHAPS)
    if Counter(_payments_before(command, intent)) - Counter(shown_payments(order)):
        return unclear(GONE)  # the list does not show all that was booked
    if rise is not None and rise != sum(row.amount or 0 for row in new):
        return unclear(MORE_PAID)
    return NOT_DONE if command.body["prepay"] else _unpaid(intent, evidence, order, new)


def _unpaid(intent: Intent, evidence: Evidence, order: Order, new: Sequence[Payment]) -> Reconciled:
    """None of the payments is ours, as it seems: neither may the rest of it have been done.

    Who settles in cash gives more than is due: what is booked then, without a reference, may have any amount.
    """
    anothers = bool(new) and all(row.reference for row in new)
    if not anothers and new_documents(intent, order, "invoiceIds") != []:
        return unclear(PERHAPS_INVOICED)
    failed_halfway = evidence.code == FAILED and new_documents(intent, order, "packingSlipIds") != []
    return unclear(PERHAPS_DELIVERED) if failed_halfway else NOT_DONE


def _reconcile_invoice(intent: Intent, order: Order, code: str) -> Reconciled:
    """Nothing was to be paid, only an invoice to be made: whose a new one is, only a replay for the idempotency key tells."""
    new = new_documents(intent, order, "invoiceIds")
    if new == [] or (code == INVOICED and intent.attempt == 1):
        return NOT_DONE
    return unclear(PERHAPS_INVOICED, ask_again=bool(intent.idempotency_key))


SPEC = CommandSpec(
    (
        Variant("payOrderV2", RepeatSafety.IDEMPOTENCY_KEY, request_by_key),
        Variant("payOrder", RepeatSafety.NONE, request),
    ),
    ("PAY-ORDER-RESULT-",),
    codes(["OK"], ["PAYMENT-INSUFFICIENT"], ["ORDER-ALREADY-INVOICED"]),
    snapshot,
    reconcile,
    shows_done,
    safety,
    already=already,
    references=references,
    agreement="payOrder needs an agreement with the vendor",
    look_at="whether the order has a payment with the reference or amount below, or an invoice that it had not before",
)
