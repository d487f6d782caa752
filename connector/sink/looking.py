"""What an order shows about a call whose answer does not tell: done, not done, or unclear. Pure.

Per command one function notes how the order stood before (into the INTENT), and one judges by that and by what is seen
now. A cashier works on the same orders: where his action cannot be told from ours, it is unclear.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Any

from connector.sink.intake import Command
from connector.sink.ledger import Intent
from connector.sink.orders import Order, as_asked, asked_lines, delivered, digest, ids, references, slip_lines

Before = dict[str, Any]


class Verdict(Enum):
    """What looking shows."""

    DONE = "done"
    NOT_DONE = "not done"
    UNCLEAR = "unclear"


@dataclass(frozen=True, slots=True)
class Seen:
    """What was looked at after the call: the order (None: there is none), its new packing slips, the answer's code if any.

    `foreign`: another command is known to have created this order.
    """

    order: Order | None
    slips: Sequence[Order] = ()
    code: str = ""
    foreign: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """A verdict, and the documents that the call made."""

    verdict: Verdict
    invoice_id: str = ""
    packing_slip_id: str = ""


Note = Callable[[Command, Order | None], Before]
Judge = Callable[[Command, Intent, Seen], Finding]
DONE, NOT_DONE, UNCLEAR = Finding(Verdict.DONE), Finding(Verdict.NOT_DONE), Finding(Verdict.UNCLEAR)
EXISTS, CREATE_FAILED = "CREATE-ORDER-RESULT-EXT-ORDER-ID-ALREADY-EXISTS", "CREATE-ORDER-RESULT-FAILED"
INVOICED = "PAY-ORDER-RESULT-ORDER-ALREADY-INVOICED"
LOCK = ("changeCounter", "versionNumber")


def payments_of(command: Command) -> list[dict[str, Any]]:
    """The command's payments as they are sent: each carries a reference by which it is recognised."""
    return [{"externalReference": command.id, **payment} for payment in command.body.get("paymentList", ())]


def note_creation(command: Command, order: Order | None) -> Before:
    """That there was no order yet is noted by who looked (`absent`): a first attempt by key does not look."""
    return {}


def judge_creation(command: Command, intent: Intent, seen: Seen) -> Finding:
    """An order of this name is ours if our payment is in it, if we saw that there was none before, or if it is as we asked."""
    order, first, taken = seen.order, intent.attempt == 1, seen.code == EXISTS
    if order is None:
        return UNCLEAR if taken and not first else NOT_DONE  # taken and not there: accepted before, and not booked yet
    if payments := payments_of(command):
        return _judge_paid_creation(payments, order, intent, seen)
    if seen.foreign or (taken and first):
        return NOT_DONE  # another command made it; or nothing of ours was sent before
    if intent.before.get("absent") or seen.code == CREATE_FAILED:
        return DONE  # FAILED: had it been there before, the POS would have said so
    if not taken:
        return NOT_DONE  # whose it is, a replay for the idempotency key tells
    asked = {name: value for name, value in command.body["order"].items() if name not in LOCK}
    return DONE if as_asked(order, asked) else UNCLEAR


def _judge_paid_creation(payments: Sequence[Mapping[str, Any]], order: Order, intent: Intent, seen: Seen) -> Finding:
    if _booked(payments, {}, order) == len(payments):
        return _made(intent, order)
    refused_at_once = seen.code == EXISTS and intent.attempt == 1
    return NOT_DONE if refused_at_once or not seen.code else UNCLEAR


def note_payment(command: Command, order: Order | None) -> Before:
    """How often each reference is in the order already."""
    there = references(order)
    return {
        "references": {row["externalReference"]: there[row["externalReference"]] for row in payments_of(command)}
    } | _documents(order)


def judge_payment(command: Command, intent: Intent, seen: Seen) -> Finding:
    """Payments are recognised by their references, which no cashier types."""
    payments = payments_of(command)
    if seen.order is None:
        return UNCLEAR
    if not payments:
        return _judge_invoicing(intent, seen)
    booked = _booked(payments, intent.before["references"], seen.order)
    if booked == len(payments):
        return DONE if command.body["prepay"] else _made(intent, seen.order)  # documents made after a deposit are others'
    return UNCLEAR if booked else NOT_DONE


def _judge_invoicing(intent: Intent, seen: Seen) -> Finding:
    """Nothing was to be paid, only an invoice to be made: whose a new one is, only a replay for the idempotency key tells."""
    if set(ids(seen.order, "invoiceIds")) <= set(intent.before["invoiceIds"]):
        return NOT_DONE
    refused_at_once = seen.code == INVOICED and intent.attempt == 1
    return NOT_DONE if refused_at_once or (not seen.code and intent.idempotency_key) else UNCLEAR


def note_delivery(command: Command, order: Order | None) -> Before:
    """The packing slips there are, and how much of each line is delivered."""
    return {"delivered": {line: str(amount) for line, amount in delivered(order).items()}} | _documents(order)


def judge_whole_delivery(command: Command, intent: Intent, seen: Seen) -> Finding:
    """Whoever delivered it: nothing is left to deliver."""
    if seen.order is None:
        return UNCLEAR
    complete = seen.order.get("deliveryState") == "ORDER-DELIVERY-STATE-COMPLETE"
    return _made(intent, seen.order) if complete else NOT_DONE


def judge_part_delivery(command: Command, intent: Intent, seen: Seen) -> Finding:
    """A new packing slip over just these quantities is ours; where slips do not show, only the lines' own counts can tell."""
    if seen.order is None:
        return UNCLEAR
    wanted = asked_lines(command.body["lineList"])
    for slip in seen.slips:
        if slip_lines(slip) == wanted:
            return Finding(Verdict.DONE, packing_slip_id=str(slip.get("packingSlipId") or ""))
    before = {line: Decimal(amount) for line, amount in intent.before["delivered"].items()}
    moved = {line: amount - before.get(line, Decimal(0)) for line, amount in delivered(seen.order).items()}
    new = [name for name in ids(seen.order, "packingSlipIds") if name not in intent.before["packingSlipIds"]]
    if not any(moved.get(line) for line in wanted) or (new and len(seen.slips) == len(new)):
        return NOT_DONE  # nothing of it moved; or every new slip was seen, and none is ours
    ours = {line: amount for line, amount in moved.items() if amount} == wanted and len(new) <= 1
    return Finding(Verdict.DONE, packing_slip_id=(new or [""])[-1]) if ours else UNCLEAR


def note_update(command: Command, order: Order | None) -> Before:
    """The lock, and how each field stood that is not as asked yet."""
    asked, now = command.body["order"], order or {}
    lock = {name: asked.get(name, now.get(name)) for name in LOCK}
    fields = {name: value for name, value in asked.items() if name not in (*LOCK, "orderId", "extOrderId")}
    return {
        "lock": lock,
        "was": {name: digest(now.get(name)) for name, value in fields.items() if not as_asked(now.get(name), value)},
    }


def judge_update(command: Command, intent: Intent, seen: Seen) -> Finding:
    """While the counter stands, nothing happened. Once it moved, the fields that were to change tell who moved it."""
    if seen.order is None:
        return UNCLEAR
    lock, was = intent.before["lock"], intent.before["was"]
    if seen.order.get("changeCounter") == lock["changeCounter"]:
        return NOT_DONE
    if all(as_asked(seen.order.get(name), command.body["order"][name]) for name in was):
        return DONE
    return NOT_DONE if all(digest(seen.order.get(name)) == before for name, before in was.items()) else UNCLEAR


def note_cancelling(command: Command, order: Order | None) -> Before:
    """How far it is cancelled already."""
    return {"cancelState": (order or {}).get("cancelState")}


def judge_cancelling(command: Command, intent: Intent, seen: Seen) -> Finding:
    """Whoever cancelled it: it is cancelled."""
    if seen.order is None:
        return UNCLEAR
    state = seen.order.get("cancelState")
    partly = state == "ORDER-CANCEL-STATE-PARTIAL" and state != intent.before["cancelState"]
    return DONE if partly or state == "ORDER-CANCEL-STATE-COMPLETE" else NOT_DONE


def _booked(payments: Sequence[Mapping[str, Any]], before: Mapping[str, int], order: Order) -> int:
    """How many of these payments are in the order beyond those that were there before."""
    there, wanted = references(order), [str(row["externalReference"]) for row in payments]
    return sum(min(there[name] - before.get(name, 0), wanted.count(name)) for name in set(wanted))


DOCUMENTS = ("invoiceIds", "packingSlipIds")


def _documents(order: Order | None) -> Before:
    return {field: ids(order, field) for field in DOCUMENTS}


def _made(intent: Intent, order: Order) -> Finding:
    """Done, with the newest document of each kind that was not there before."""
    new = [[name for name in ids(order, field) if name not in intent.before.get(field, ())] for field in DOCUMENTS]
    return Finding(Verdict.DONE, *((names or [""])[-1] for names in new))
