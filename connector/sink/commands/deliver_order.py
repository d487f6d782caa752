"""deliverOrder: all that is open, or a part of it. Two specs, for delivering a part is another thing. Pure."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from connector.messages.command import Command
from connector.mplus.encode import fields
from connector.mplus.request import Fields
from connector.sink.commands.spec import (
    NO_ORDER,
    NOT_DONE,
    CommandSpec,
    Evidence,
    Reconciled,
    RepeatSafety,
    Snapshot,
    Variant,
    Verdict,
    codes,
    made,
    new_documents,
    stands_still,
    stood,
    turnover,
    unclear,
)
from connector.sink.ledger.ledger import Intent
from connector.sink.pos.orders import Order, asked_lines, delivered, ids, is_shown, slip_lines

Amounts = Mapping[str, Decimal]
NONE = Decimal(0)
FAILED = "DELIVER-ORDER-RESULT-FAILED"
COMPLETE = "ORDER-DELIVERY-STATE-COMPLETE"
ALREADY = "-ALREADY-DELIVERED"
NO_STATE = "the order does not show how far it is delivered"
NO_INVOICE = "the order is delivered, and no new invoice is there"
NOT_SHOWN = "the order does not show how much of its lines is delivered"
A_PART = "the POS failed, and a part of the order was delivered since"
WHOSE = "what was delivered since cannot be told from what others delivered"


def request(command: Command, intent: Intent) -> Fields:
    """deliverOrder."""
    return [("orderId", intent.order_id), *turnover(command)]


def request_part(command: Command, intent: Intent) -> Fields:
    """deliverOrderV2."""
    lines = fields("deliverOrder", "lineList")(command.body["lineList"])
    return [("orderDelivery", [("orderId", intent.order_id), ("lineList", lines), *turnover(command)])]


def snapshot(command: Command, order: Order | None) -> Snapshot:
    """The documents that there are, and how much of each line is delivered."""
    shown = {line: None if amount is None else str(amount) for line, amount in (delivered(order) or {}).items()}
    return stood(order) | {"delivered": shown}


def reconcile_whole(command: Command, intent: Intent, evidence: Evidence) -> Reconciled:
    """Whoever delivered it, nothing is left to deliver; an invoice that was asked for must be a new one."""
    order = evidence.order
    if order is None:
        return NO_ORDER
    if not (state := order.get("deliveryState")):
        return unclear(NO_STATE, ask_again=True)
    if state != COMPLETE:
        halfway = evidence.code == FAILED and not stands_still(intent, order) and _perhaps_a_part_is_new(intent, order)
        return unclear(A_PART) if halfway else NOT_DONE
    if evidence.code.endswith(ALREADY):
        return _was_delivered(intent, order)
    done = made(intent, order)
    if not invoiced(command):
        return replace(done, invoice_id="")  # one that was not asked for is others'
    return done if done.invoice_id else unclear(NO_INVOICE)


def _was_delivered(intent: Intent, order: Order) -> Reconciled:
    """The POS had nothing left to deliver, and an invoice was asked for: as asked only if there is one."""
    if ids(order, "invoiceIds"):
        return made(intent, order)
    return NOT_DONE if intent.attempt == 1 and is_shown(order, "invoiceIds") else unclear(NO_INVOICE)


def _perhaps_a_part_is_new(intent: Intent, order: Order) -> bool:
    """Whether there is a packing slip since, or more of a line is delivered; also where neither is shown."""
    now, before = delivered(order), intent.before["delivered"]
    moved = now is None or any(amount is None or amount != Decimal(before.get(line) or 0) for line, amount in now.items())
    return moved or new_documents(intent, order, "packingSlipIds") != []


def reconcile_part(command: Command, intent: Intent, evidence: Evidence) -> Reconciled:
    """A new packing slip over just these quantities is ours; else the lines' own counts tell, as far as slips explain them."""
    order = evidence.order
    if order is None:
        return NO_ORDER
    if evidence.code.endswith(ALREADY):
        return _was_delivered(intent, order)
    wanted = {line: amount for line, amount in asked_lines(command.body["lineList"]).items() if amount}
    if stands_still(intent, order) and not any((_moved(intent, order, wanted) or {}).values()):
        return NOT_DONE
    slips = [(str(slip.get("packingSlipId") or ""), _of_order(slip, intent)) for slip in evidence.slips]
    ours = [name for name, lines in slips if name not in evidence.others and lines == wanted]
    if ours:  # of two that are alike nobody can tell which is the command's
        return _delivered(command, intent, order, ours[0] if len(ours) == 1 else "")
    seen = {name: lines for name, lines in slips if lines is not None}
    slip_id = _by_counts(intent, order, wanted, seen, evidence.others)
    return slip_id if isinstance(slip_id, Reconciled) else _delivered(command, intent, order, slip_id)


def _by_counts(
    intent: Intent, order: Order, wanted: Amounts, seen: Mapping[str, Amounts], others: frozenset[str]
) -> Reconciled | str:
    """What moved and no seen slip explains is ours if it is just as was asked, by one slip: its id.

    Nothing of it was done only where every new slip was seen, they explain all that moved, and ours cannot be among them.
    """
    new, moved = new_documents(intent, order, "packingSlipIds"), _moved(intent, order, wanted)
    if moved is None or new is None:
        return unclear(NOT_SHOWN)
    rest = {line: moved[line] - sum((lines.get(line, NONE) for lines in seen.values()), NONE) for line in wanted}
    unseen = [name for name in new if name not in seen]
    if wanted and rest == wanted and len(unseen) == min(1, len(new)) and not others.intersection(unseen):
        return (unseen or [""])[-1]
    strangers = [lines for name, lines in seen.items() if name not in others]
    if unseen or any(rest.values()) or any(_may_be_a_part(lines, wanted) for lines in strangers):
        return unclear(WHOSE)
    return NOT_DONE


def _may_be_a_part(lines: Amounts, wanted: Amounts) -> bool:
    """Whether a slip may be what became of the delivery, cut short: over its lines only, and over none of them beyond."""
    return bool(lines) and set(lines) <= set(wanted) and all(abs(lines[line]) <= abs(wanted[line]) for line in lines)


def _of_order(slip: Order, intent: Intent) -> Amounts | None:
    """How much of the order's lines a slip delivers; whatever else is on it is the POS's. None where it shows none of them."""
    lines = slip_lines(slip)
    known = {line: amount for line, amount in lines.items() if line in intent.before["delivered"] and amount}
    return known or None


def _moved(intent: Intent, order: Order, wanted: Amounts) -> Amounts | None:
    """How much more of the wanted lines is delivered than before; None where that is not shown, or was not."""
    now, before = delivered(order) or {}, intent.before["delivered"]
    if any(now.get(line) is None or before.get(line) is None for line in wanted):
        return None
    return {line: (now[line] or NONE) - Decimal(before[line]) for line in wanted}


def _delivered(command: Command, intent: Intent, order: Order, slip_id: str) -> Reconciled:
    """The invoice that was asked for is made once nothing is left to deliver."""
    invoices = new_documents(intent, order, "invoiceIds") if invoiced(command) else []
    if invoiced(command) and not invoices and order.get("deliveryState") in (None, COMPLETE):
        return unclear(NO_INVOICE)
    return Reconciled(Verdict.DONE, (invoices or [""])[-1], slip_id)


def invoiced(command: Command) -> bool:
    """Whether an invoice was asked for."""
    return str(command.body.get("turnoverType") or "").endswith("-INVOICE")


def whole_shows_done(command: Command, order: Order) -> bool:
    """Nothing is left to deliver, and there is an invoice where one was asked for."""
    return order.get("deliveryState") == COMPLETE and (not invoiced(command) or bool(ids(order, "invoiceIds")))


def part_shows_done(command: Command, order: Order) -> bool:
    """Never: a part that is delivered does not say by whom."""
    return False


LOOK_AT = "whether the order has a packing slip that it had not before, and what of its lines is delivered"

WHOLE = CommandSpec(
    (Variant("deliverOrder", RepeatSafety.STATE, request),),
    ("DELIVER-ORDER-RESULT-",),
    codes(["OK", "ALREADY-DELIVERED"], []),
    snapshot,
    reconcile_whole,
    whole_shows_done,
    look_at=LOOK_AT,
)

PART = CommandSpec(
    (Variant("deliverOrderV2", RepeatSafety.NONE, request_part),),
    ("DELIVER-ORDER-V2-RESULT-",),
    codes(["OK", "ALREADY-DELIVERED"], []),
    snapshot,
    reconcile_part,
    part_shows_done,
    look_at=LOOK_AT,
)

ONLY_OK = codes(["OK"], [])
WHOLE_INVOICED, PART_INVOICED = replace(WHOLE, codes=ONLY_OK), replace(PART, codes=ONLY_OK)
"""With an invoice: that all is delivered already is not all that was asked."""
