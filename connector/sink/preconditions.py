"""What ends a command that was never sent, once its order was looked for. Pure."""

from connector.messages.result import INVALID, OUTCOME_UNKNOWN, Outcome
from connector.sink.commands.create_order import EXISTS
from connector.sink.commands.spec import Verdict
from connector.sink.decisions import End
from connector.sink.execution import Execution
from connector.sink.pos.orders import Order

NOT_FOUND = "GET-ORDER-RESULT-NOT-FOUND"


def ruled_out(execution: Execution) -> End | None:
    """How it ends at once: its order is not there, or is there already, or has another key; or the command was done before."""
    order, looks_first = execution.order, execution.spec.looks_first
    if order is None:
        return End(Outcome.REJECTED, NOT_FOUND, "there is no such order") if looks_first else None
    if not looks_first:
        return End(Outcome.REJECTED, EXISTS, "there is such an order already")
    return _misnamed(execution, order) or _begun_before(execution, order)


def _misnamed(execution: Execution, order: Order) -> End | None:
    command = execution.command
    order_id, name = str(order.get("orderId") or ""), str(order.get("extOrderId") or "")
    key = name or ("" if command.order_id else command.ext_order_id) or order_id  # found by its name, it has that one
    if command.order_id in ("", order_id) and command.key == key:
        return None
    return End(Outcome.REJECTED, INVALID, f"this is the order {order_id!r}, whose commands have the key {key!r}")


def _begun_before(execution: Execution, order: Order) -> End | None:
    found = execution.spec.already(execution.command, order)
    if found is None:
        return None
    if found.verdict is Verdict.DONE:
        return End(Outcome.SUCCEEDED, reconciled=True)
    return End(Outcome.UNKNOWN, OUTCOME_UNKNOWN, found.why, reconciled=True)
