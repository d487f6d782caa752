"""The table of commands. Pure."""

from collections.abc import Mapping

from connector.messages.command import Command
from connector.sink.commands import cancel_order, create_order, deliver_order, pay_order, update_order
from connector.sink.commands.spec import NOT_DONE, CommandSpec, Evidence, Reconciled, unclear
from connector.sink.ledger.ledger import Intent

STRANGER = "the POS shows another order under this name: look which one this command was for"
NAMELESS = "the POS shows an order without a name where this one's was: look whether it is the same"

SPECS: Mapping[str, CommandSpec] = {
    "createOrder": create_order.SPEC,
    "updateOrder": update_order.SPEC,
    "payOrder": pay_order.SPEC,
    "deliverOrder": deliver_order.WHOLE,
    "deliverPart": deliver_order.PART,
    "cancelOrder": cancel_order.SPEC,
}

INVOICED: Mapping[str, CommandSpec] = {
    "deliverOrder": deliver_order.WHOLE_INVOICED,
    "deliverPart": deliver_order.PART_INVOICED,
}
"""The same, where an invoice is asked for."""


def spec_of(command: Command) -> CommandSpec:
    """The command's spec: delivering a part is another thing than delivering all, and with an invoice another than without."""
    name = "deliverPart" if command.name == "deliverOrder" and "lineList" in command.body else command.name
    return INVOICED.get(name, SPECS[name]) if deliver_order.invoiced(command) else SPECS[name]


def reconcile(command: Command, intent: Intent, evidence: Evidence) -> Reconciled:
    """What the evidence shows about the INTENT's call; nothing, where it is another order's.

    To some POS two names are one that we tell apart: a creation whose only call says that its name is taken is not done.
    """
    if evidence.order is not None and is_stranger(command, intent, evidence.order):
        if evidence.code == create_order.EXISTS and intent.attempt == 1:
            return NOT_DONE
        return unclear(STRANGER if evidence.order.get("extOrderId") else NAMELESS)
    return spec_of(command).reconcile(command, intent, evidence)


def names_another(command: Command, intent: Intent, order: Mapping[str, object]) -> bool:
    """Whether an answer's order is another than the command's. What it does not name is no sign of that."""
    pairs = ((command.ext_order_id, order.get("extOrderId")), (intent.order_id, order.get("orderId")))
    return any(ours and theirs and ours != theirs for ours, theirs in pairs)


def is_stranger(command: Command, intent: Intent | None, order: Mapping[str, object]) -> bool:
    """Whether the POS shows another order than the command's: ids may be given out anew after a restore."""
    name, order_id = str(order.get("extOrderId") or ""), str(order.get("orderId") or "")
    expected = command.ext_order_id or (intent.ext_order_id if intent else "")
    known_by_name = expected and (name or (intent is not None and intent.before.get("name")))
    known_by_id = intent is not None and intent.order_id and order_id
    return bool((known_by_name and name != expected) or (known_by_id and intent is not None and order_id != intent.order_id))
