"""createOrder: an order of a name that there was none of, perhaps paid at once. Pure."""

from connector.messages.command import Command
from connector.mplus.encode import fields
from connector.mplus.request import Fields
from connector.sink.commands.payments import automatic, booked, payments_of
from connector.sink.commands.spec import (
    DONE,
    FLAGS,
    LOCK,
    NOT_DONE,
    CommandSpec,
    Evidence,
    Reconciled,
    RepeatSafety,
    Snapshot,
    Variant,
    Verdict,
    codes,
    unclear,
    whole_order,
    without,
)
from connector.sink.ledger.ledger import Intent
from connector.sink.pos.orders import GIVEN_BY_THE_POS, Order, as_asked, ids

EXISTS, FAILED = "CREATE-ORDER-RESULT-EXT-ORDER-ID-ALREADY-EXISTS", "CREATE-ORDER-RESULT-FAILED"
QUEUED = "the POS says that the name is taken and shows no such order: it may have accepted it and not booked it yet"
UNLIKE = "there is an order of this name, and it is not as was asked"
WHOSE = "there is such an order, and nothing tells whether this command made it"
UNPAID = "there is such an order, and its payments do not show this command's"
NO_INVOICE = "the order is there and paid, and shows no invoice"


def request_by_key(command: Command, intent: Intent) -> Fields:
    """createOrderV3."""
    body = {**command.body, "order": {**command.body["order"], "orderId": ""}}
    if "paymentList" in body:
        body["paymentList"] = payments_of(command)
    return [("idempotencyKey", intent.idempotency_key), *fields("createOrder")(body)]


def snapshot(command: Command, order: Order | None) -> Snapshot:
    """Nothing: that there was no order is noted by who looked (`absent`); a first attempt by key does not look."""
    return {}


def safety(command: Command, intent: Intent, variant: RepeatSafety) -> RepeatSafety:
    """How long the POS remembers a key, and what it does with one whose call is still at work, nobody knows."""
    return RepeatSafety.NONE if command.body.get("paymentList") else variant


def reconcile(command: Command, intent: Intent, evidence: Evidence) -> Reconciled:
    """An order of this name is ours if our payment is in it, or if it is as we asked and nobody else can have made it."""
    order, first, taken = evidence.order, intent.attempt == 1, evidence.code == EXISTS
    if order is None:
        return unclear(QUEUED) if taken and not first else NOT_DONE
    if _paid_by_this(command, order):
        return _made(command, order)
    if evidence.foreign or (taken and first):
        return NOT_DONE  # another command made it; or nothing of ours was sent before
    if not as_asked(order, _asked(command)):
        return unclear(UNLIKE, ask_again=True)
    if command.body.get("paymentList"):
        return _made(command, order) if _all_booked(command, order) else unclear(UNPAID, ask_again=True)
    known = taken or evidence.code == FAILED or intent.before.get("absent")  # had it been there, FAILED would say so
    return DONE if known else unclear(WHOSE, ask_again=True)


def shows_done(command: Command, order: Order) -> bool:
    """The order is as asked, and paid by this command where it was to be paid."""
    paid = not command.body.get("paymentList") or _paid_by_this(command, order)
    return paid and as_asked(order, _asked(command)) and _made(command, order).verdict is Verdict.DONE


def _asked(command: Command) -> dict[str, object]:
    return {name: value for name, value in command.body["order"].items() if name not in (*LOCK, *GIVEN_BY_THE_POS)}


def _paid_by_this(command: Command, order: Order) -> bool:
    return bool(command.body.get("paymentList")) and automatic(command) and _all_booked(command, order)


def _all_booked(command: Command, order: Order) -> bool:
    return booked(command, order) == len(payments_of(command))


def _made(command: Command, order: Order) -> Reconciled:
    """Paid at once and for good means an invoice, too."""
    invoices, slips = ids(order, "invoiceIds"), ids(order, "packingSlipIds")
    if command.body.get("paymentList") and command.body.get("prepay") is False and not invoices:
        return unclear(NO_INVOICE)
    return Reconciled(Verdict.DONE, (invoices or [""])[-1], (slips or [""])[-1])


SPEC = CommandSpec(
    (
        Variant("createOrderV3", RepeatSafety.IDEMPOTENCY_KEY, request_by_key),
        # never with payments: V1 knows none, and one call must not become two
        Variant(
            "createOrder", RepeatSafety.UNIQUE_ID, whole_order, without("paymentList", "scannedVoucherIssuanceCodes", *FLAGS)
        ),
    ),
    ("CREATE-ORDER-RESULT-",),
    codes(["OK"], ["PAYMENT-FAILED"], ["EXT-ORDER-ID-ALREADY-EXISTS"]),
    snapshot,
    reconcile,
    shows_done,
    safety,
    looks_first=False,
    look_at="whether there is an order of this extOrderId, and whether it has the lines and payments below",
)
