"""updateOrder: fields written under the order's own lock, its changeCounter. Pure."""

from collections.abc import Mapping

from connector.messages.command import Command
from connector.mplus.request import Fields
from connector.sink.commands.spec import (
    DONE,
    FLAGS,
    LOCK,
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
    stood,
    unclear,
    whole_order,
    without,
)
from connector.sink.ledger.ledger import Intent
from connector.sink.pos.orders import GIVEN_BY_THE_POS, NOTHING, Order, as_asked, digest

COUNTER, CHANGED = "changeCounter", "UPDATE-ORDER-RESULT-ORDER-HAS-CHANGED"
NO_COUNTER = "the order does not show its changeCounter"
NOT_SHOWN = "the order does not show the fields that were to change"
PRICES = "the order has changed, and nothing tells whether its prices were made anew"
BETWEEN = "the order has changed, and its fields are neither as asked nor as they were"


def request_with_flags(command: Command, intent: Intent) -> Fields:
    """updateOrderV2."""
    flags = [(name, command.body[name]) for name in FLAGS if name in command.body]
    return [*whole_order(command, intent), *flags]


def snapshot(command: Command, order: Order | None) -> Snapshot:
    """The lock, and how each field stood that is not as asked yet."""
    asked, now = command.body["order"], order or {}
    lock = {name: asked.get(name, now.get(name)) for name in LOCK}
    was = {name: digest(now.get(name)) for name, value in _fields(command).items() if not as_asked(now.get(name), value)}
    return stood(order) | {"lock": lock, "was": was}


def safety(command: Command, intent: Intent, variant: RepeatSafety) -> RepeatSafety:
    """Without a changeCounter nothing is locked."""
    return RepeatSafety.NONE if intent.before["lock"].get(COUNTER) is None else variant


def is_enough(command: Command, order: Order) -> bool:
    """Whether there is a changeCounter to lock with: the producer's, or the order's."""
    return command.body["order"].get(COUNTER) is not None or order.get(COUNTER) is not None


def reconcile(command: Command, intent: Intent, evidence: Evidence) -> Reconciled:
    """While the counter stands, nothing happened. Once it moved, the fields that were to change tell who moved it."""
    order, lock = evidence.order, intent.before["lock"]
    if order is None:
        return NO_ORDER
    if lock.get(COUNTER) is None or order.get(COUNTER) is None:
        return unclear(NO_COUNTER, ask_again=lock.get(COUNTER) is not None)
    found = NOT_DONE if order[COUNTER] == lock[COUNTER] else _by_fields(command, order, intent.before["was"])
    only_call_refused = evidence.code == CHANGED and not intent.unanswered and not intent.before.get("resent")
    return NOT_DONE if found.verdict is Verdict.UNCLEAR and only_call_refused else found  # whoever changed it, it was not ours


def _by_fields(command: Command, order: Order, was: Mapping[str, str]) -> Reconciled:
    """What the fields tell that were not as asked, by how each of them was."""
    asked = command.body["order"]
    if not was and any(command.body.get(name) for name in FLAGS):
        return unclear(PRICES, ask_again=True)
    if all(as_asked(order.get(name), asked[name]) for name in was):
        return DONE
    if any(order.get(name) is None and asked[name] not in NOTHING for name in was):
        return unclear(NOT_SHOWN)
    return NOT_DONE if all(digest(order.get(name)) == before for name, before in was.items()) else unclear(BETWEEN)


def shows_done(command: Command, order: Order) -> bool:
    """Every field is as asked."""
    return all(as_asked(order.get(name), value) for name, value in _fields(command).items())


def _fields(command: Command) -> dict[str, object]:
    return {name: value for name, value in command.body["order"].items() if name not in (*LOCK, *GIVEN_BY_THE_POS, "extOrderId")}


SPEC = CommandSpec(
    (
        Variant("updateOrderV2", RepeatSafety.OPTIMISTIC_LOCK, request_with_flags),
        Variant("updateOrder", RepeatSafety.OPTIMISTIC_LOCK, whole_order, without(*FLAGS)),
    ),
    ("UPDATE-ORDER-RESULT-",),
    codes(["OK", "NO-CHANGES"], ["NOT-FOUND"], ["ORDER-HAS-CHANGED"]),
    snapshot,
    reconcile,
    shows_done,
    safety,
    is_enough=is_enough,
    last_writer_wins=lambda command: "changeCounter" not in command.body["order"],
    look_at="whether the order is as the command below says: its changeCounter tells that somebody changed it",
)
