"""cancelOrder: never V2, which on a cancelled order would undo the cancellation. Pure."""

from connector.messages.command import Command
from connector.mplus.request import Fields
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
    stood,
    unclear,
)
from connector.sink.ledger.ledger import Intent
from connector.sink.pos.orders import Order

COMPLETE, PARTIAL = "ORDER-CANCEL-STATE-COMPLETE", "ORDER-CANCEL-STATE-PARTIAL"
NO_STATE = "the order does not show how far it is cancelled"
A_PART = "only a part of the order is cancelled"


def request(command: Command, intent: Intent) -> Fields:
    """cancelOrder."""
    branch = [(name, command.body[name]) for name in ("branchNumber",) if name in command.body]
    return [("orderId", intent.order_id), *([("request", branch)] if branch else [])]


def snapshot(command: Command, order: Order | None) -> Snapshot:
    """How far it is cancelled already."""
    return stood(order) | {"cancelState": (order or {}).get("cancelState")}


def reconcile(command: Command, intent: Intent, evidence: Evidence) -> Reconciled:
    """Whoever cancelled it: it is cancelled. A part that is new may be ours, or a cashier's: the POS tells, when asked again."""
    order = evidence.order
    if order is None:
        return NO_ORDER
    state = order.get("cancelState")
    if state == COMPLETE:
        return DONE
    if not state:
        return unclear(NO_STATE, ask_again=True)
    return unclear(A_PART, ask_again=True) if state == PARTIAL != intent.before["cancelState"] else NOT_DONE


def shows_done(command: Command, order: Order) -> bool:
    """All of it is cancelled."""
    return order.get("cancelState") == COMPLETE


SPEC = CommandSpec(
    (Variant("cancelOrder", RepeatSafety.STATE, request),),
    ("CANCEL-ORDER-RESULT-",),
    codes(["OK", "PENDING", "ALREADY-CANCELLED"], ["NOT-FOUND"]),
    snapshot,
    reconcile,
    shows_done,
    look_at="whether the order is cancelled",
)
