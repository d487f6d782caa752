"""What ends a command that was never sent, once its order was looked for. Pure."""

from connector.messages.result import INVALID, OUTCOME_UNKNOWN, Outcome
from connector.sink.commands.create_order import EXISTS
from connector.sink.commands.payments import bears_its_own
from connector.sink.decisions import End
from connector.sink.execution import Execution
from connector.sink.pos.orders import Order

NOT_FOUND = "GET-ORDER-RESULT-NOT-FOUND"
A_PART_PAID = "a part of this command's payments is in the order already"


def ruled_out(execution: Execution) -> End | None:
    """How it ends at once: its order is not there, or is there already, or has another key; or the command was done before."""
    order, looks_first = execution.order, execution.spec.looks_first
    if order is None:
        return End(Outcome.REJECTED, NOT_FOUND, "there is no such order") if looks_first else None
    if not looks_first:
        return End(Outcome.REJECTED, EXISTS, "there is such an order already")
    return _misnamed(execution, order) or _paid_before(execution, order)


def _misnamed(execution: Execution, order: Order) -> End | None:
    command = execution.command
    order_id, name = str(order.get("orderId") or ""), str(order.get("extOrderId") or "")
    key = name or ("" if command.order_id else command.ext_order_id) or order_id  # found by its name, it has that one
    if command.order_id in ("", order_id) and command.key == key:
        return None
    return End(Outcome.REJECTED, INVALID, f"this is the order {order_id!r}, whose commands have the key {key!r}")


def _paid_before(execution: Execution, order: Order) -> End | None:
    """Payments under this command's own reference are there before the first call: the ledger has forgotten that call."""
    if execution.command.name != "payOrder":
        return None
    if execution.spec.shows_done(execution.command, order):
        return End(Outcome.SUCCEEDED, reconciled=True)
    own = bears_its_own(execution.command, order)
    return End(Outcome.UNKNOWN, OUTCOME_UNKNOWN, A_PART_PAID, reconciled=True) if own else None
