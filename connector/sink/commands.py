"""The table of commands: how each is sent, why repeating it is safe, how to see that it happened, what its answers mean. Pure."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from hashlib import sha256

import orjson

from connector.mplus.encode import fields
from connector.mplus.soap import Fields
from connector.sink import looking
from connector.sink.intake import Command
from connector.sink.ledger import Intent
from connector.sink.looking import Judge, Note, payments_of


class Safe(Enum):
    """Why repeating a call is safe while nobody knows whether the one before is still at work."""

    KEY = "the POS answers its idempotency key once more"
    UNIQUE = "the POS takes an extOrderId once, and there was none"
    STATE = "the POS does not do again what is done"
    LOCK = "the POS refuses an older changeCounter"
    NOTHING = "it is not: wait until no call can still be at work, and look"


class Meaning(Enum):
    """What a result code says by itself."""

    SUCCEEDED = "succeeded"
    REJECTED = "rejected"
    LOOK = "look"


@dataclass(frozen=True, slots=True)
class Way:
    """One operation that carries a command out. `carries`: whether it can do all that this command asks."""

    operation: str
    safe: Safe
    request: Callable[[Command, Intent], Fields]
    carries: Callable[[Command], bool] = lambda command: True


@dataclass(frozen=True, slots=True)
class Row:
    """One command. `ways`: the first that the administration has is taken. `codes`: any other code means: look.

    `found`: its order is looked up before. `good`: the code that says it was done.
    """

    ways: tuple[Way, ...]
    prefixes: tuple[str, ...]
    codes: Mapping[str, Meaning]
    note: Note
    judge: Judge
    found: bool = True

    def meaning(self, code: str) -> Meaning:
        """What an answer's code says."""
        return self.codes.get(self.short(code), Meaning.LOOK)

    def short(self, code: str) -> str:
        """The code without its operation's prefix."""
        return next((code.removeprefix(prefix) for prefix in self.prefixes if code.startswith(prefix)), code)

    def good(self, operation: str) -> str:
        """The code by which this operation says that it was done."""
        return (self.prefixes[-1] if operation == self.ways[0].operation else self.prefixes[0]) + "OK"


def row_of(command: Command) -> Row:
    """The command's row: delivering a part is another thing than delivering all."""
    return ROWS["deliverPart" if command.name == "deliverOrder" and "lineList" in command.body else command.name]


def idempotency_key(command: Command, generation: int) -> str:
    """The POS's key: the record's key, the commandId, and the redrive that it is for; hashed where that is long or unclear."""
    plain = f"{command.key}/{command.id}" + (f"/{generation}" if generation else "")
    if len(plain) <= LONGEST_KEY and "/" not in command.key + command.id:
        return plain
    return sha256(orjson.dumps([command.key, command.id, generation])).hexdigest()


def _order(command: Command, intent: Intent) -> Fields:
    sent = {**command.body["order"], "orderId": intent.order_id}
    lock = {name: value for name, value in intent.before.get("lock", {}).items() if value is not None}
    return [("order", fields(command.name, "order")(sent | lock))]


def _create_by_key(command: Command, intent: Intent) -> Fields:
    body = {**command.body, "order": {**command.body["order"], "orderId": ""}}
    if "paymentList" in body:
        body["paymentList"] = payments_of(command)
    return [("idempotencyKey", intent.idempotency_key), *fields("createOrder")(body)]


def _update_with_flags(command: Command, intent: Intent) -> Fields:
    flags = [(name, command.body[name]) for name in FLAGS if name in command.body]
    return [*_order(command, intent), *flags]


def _pay(command: Command, intent: Intent) -> Fields:
    payments = fields("payOrder", "paymentList")(payments_of(command))
    return [("orderId", intent.order_id), ("prepay", command.body["prepay"]), ("paymentList", payments)]


def _pay_by_key(command: Command, intent: Intent) -> Fields:
    return [("idempotencyKey", intent.idempotency_key), *_pay(command, intent)]


def _deliver(command: Command, intent: Intent) -> Fields:
    return [("orderId", intent.order_id), *_turnover(command)]


def _deliver_part(command: Command, intent: Intent) -> Fields:
    lines = fields("deliverOrder", "lineList")(command.body["lineList"])
    return [("orderDelivery", [("orderId", intent.order_id), ("lineList", lines), *_turnover(command)])]


def _turnover(command: Command) -> Fields:
    return [(name, command.body[name]) for name in ("turnoverType",) if name in command.body]


def _cancel(command: Command, intent: Intent) -> Fields:
    branch = [(name, command.body[name]) for name in ("branchNumber",) if name in command.body]
    return [("orderId", intent.order_id), *([("request", branch)] if branch else [])]


def _without(*names: str) -> Callable[[Command], bool]:
    return lambda command: not any(command.body.get(name) for name in names)


def _codes(good: Iterable[str], bad: Iterable[str]) -> Mapping[str, Meaning]:
    return dict.fromkeys(good, Meaning.SUCCEEDED) | dict.fromkeys(bad, Meaning.REJECTED)


LONGEST_KEY = 64
FLAGS = ("applySalesAndActions", "applySalesPrices", "applyPriceGroups")

ROWS: Mapping[str, Row] = {
    "createOrder": Row(
        (
            Way("createOrderV3", Safe.KEY, _create_by_key),
            # never with payments: V1 knows none, and one call must not become two
            Way("createOrder", Safe.UNIQUE, _order, _without("paymentList", "scannedVoucherIssuanceCodes", *FLAGS)),
        ),
        ("CREATE-ORDER-RESULT-",),
        _codes(["OK"], ["PAYMENT-FAILED"]),
        looking.note_creation,
        looking.judge_creation,
        found=False,
    ),
    "updateOrder": Row(
        (
            Way("updateOrderV2", Safe.LOCK, _update_with_flags),
            Way("updateOrder", Safe.LOCK, _order, _without(*FLAGS)),
        ),
        ("UPDATE-ORDER-RESULT-",),
        _codes(["OK", "NO-CHANGES"], ["NOT-FOUND"]),
        looking.note_update,
        looking.judge_update,
    ),
    "payOrder": Row(
        (Way("payOrderV2", Safe.KEY, _pay_by_key), Way("payOrder", Safe.NOTHING, _pay)),
        ("PAY-ORDER-RESULT-",),
        _codes(["OK"], ["PAYMENT-INSUFFICIENT"]),
        looking.note_payment,
        looking.judge_payment,
    ),
    "deliverOrder": Row(
        (Way("deliverOrder", Safe.STATE, _deliver),),
        ("DELIVER-ORDER-RESULT-",),
        _codes(["OK", "ALREADY-DELIVERED"], []),
        looking.note_delivery,
        looking.judge_whole_delivery,
    ),
    "deliverPart": Row(
        (Way("deliverOrderV2", Safe.NOTHING, _deliver_part),),
        ("DELIVER-ORDER-V2-RESULT-",),
        _codes(["OK", "ALREADY-DELIVERED"], []),
        looking.note_delivery,
        looking.judge_part_delivery,
    ),
    "cancelOrder": Row(
        (Way("cancelOrder", Safe.STATE, _cancel),),  # never V2: on a cancelled order it would undo the cancellation
        ("CANCEL-ORDER-RESULT-",),
        _codes(["OK", "PENDING", "ALREADY-CANCELLED"], ["NOT-FOUND"]),
        looking.note_cancelling,
        looking.judge_cancelling,
    ),
}
