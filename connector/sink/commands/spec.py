"""The terms in which a command is described: variants, repeat safety, evidence, and what it shows. Pure.

Absence is no proof. What the POS did not show (an element that is optional, could not be read, was cut, recoded or not
stored) proves nothing, and half of what was asked is not all of it: then the verdict is UNCLEAR, with words for people.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from hashlib import sha256
from typing import Any

import orjson

from connector.messages.command import Command
from connector.mplus.encode import fields
from connector.mplus.request import Fields
from connector.sink.ledger.ledger import Intent
from connector.sink.pos.orders import Order, ids, is_shown

KEY_CHARS_MAX = 64
FLAGS = ("applySalesAndActions", "applySalesPrices", "applyPriceGroups")
DOCUMENTS = ("invoiceIds", "packingSlipIds")
LOCK = ("changeCounter", "versionNumber")
Snapshot = dict[str, Any]


class RepeatSafety(Enum):
    """Why repeating a call is safe while nobody knows whether the one before is still at work."""

    IDEMPOTENCY_KEY = "the POS answers its idempotency key once more"
    UNIQUE_ID = "the POS takes an extOrderId once, and there was none"
    STATE = "the POS does not do again what is done"
    OPTIMISTIC_LOCK = "the POS refuses an older changeCounter"
    NONE = "it is not: wait until no call can still be at work, and look"


class Meaning(Enum):
    """What a result code says by itself."""

    SUCCEEDED = "succeeded"
    REJECTED = "rejected"
    REFUSED = "refused, as it would be if a call before had done it"
    LOOK = "look"


class Verdict(Enum):
    """What the order shows about a call."""

    DONE = "done"
    NOT_DONE = "not done"
    UNCLEAR = "unclear"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was seen after a call. `order`: None where the POS says that there is none.

    `slips`: its packing slips that are new since the INTENT, as far as they could be read. `code`: of the answer, if any.
    `foreign`: another command is known to have created this order. `others`: payment references and packing slips that are
    known to be other commands'.
    """

    order: Order | None
    slips: Sequence[Order] = ()
    code: str = ""
    foreign: bool = False
    others: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Reconciled:
    """A verdict, and the documents that the call made. `why`: of an UNCLEAR one, for people.

    `ask_again`: the call may be repeated although the verdict is UNCLEAR: that can do no harm, and its answer tells more.
    """

    verdict: Verdict
    invoice_id: str = ""
    packing_slip_id: str = ""
    why: str = ""
    ask_again: bool = False


DONE, NOT_DONE = Reconciled(Verdict.DONE), Reconciled(Verdict.NOT_DONE)
NO_ORDER = Reconciled(Verdict.UNCLEAR, why="the POS shows no such order any more")


def unclear(why: str, *, ask_again: bool = False) -> Reconciled:
    """What cannot be told."""
    return Reconciled(Verdict.UNCLEAR, why=why, ask_again=ask_again)


@dataclass(frozen=True, slots=True)
class Variant:
    """One operation that carries a command out. `carries`: whether it can do all that this command asks."""

    operation: str
    safety: RepeatSafety
    request: Callable[[Command, Intent], Fields]
    carries: Callable[[Command], bool] = lambda command: True


@dataclass(frozen=True, slots=True)
class CommandSpec:
    """One command. `variants`: the first that the administration has is taken. `codes`: any other code means LOOK.

    `snapshot` notes into the INTENT how the order stood before; `reconcile` tells by that and by the evidence what became of
    the call; `shows_done` tells it without an INTENT: True only where the order can look so by this very command alone.
    `safety`: a variant's, for this command and INTENT. `looks_first`: the order is looked up before; `is_enough`: and shows
    what the call needs. `already`: what that order shows of this command before its first call, which the ledger may have
    forgotten; None: nothing. `references`: names in an order under which the ledger may know other commands.
    `last_writer_wins`: whether a call is made again when somebody was quicker. `agreement`: what the vendor must have allowed.
    `look_at`: what a person looks at where the outcome is unknown.
    """

    variants: tuple[Variant, ...]
    prefixes: tuple[str, ...]
    codes: Mapping[str, Meaning]
    snapshot: Callable[[Command, Order | None], Snapshot]
    reconcile: Callable[[Command, Intent, Evidence], Reconciled]
    shows_done: Callable[[Command, Order], bool]
    safety: Callable[[Command, Intent, RepeatSafety], RepeatSafety] = lambda command, intent, safety: safety
    looks_first: bool = True
    is_enough: Callable[[Command, Order], bool] = lambda command, order: True
    already: Callable[[Command, Order], Reconciled | None] = lambda command, order: None
    references: Callable[[Order], Collection[str]] = lambda order: ()
    last_writer_wins: Callable[[Command], bool] = lambda command: False
    agreement: str = ""
    look_at: str = ""

    def meaning(self, code: str) -> Meaning:
        """What an answer's code says."""
        return self.codes.get(self.short(code), Meaning.LOOK)

    def short(self, code: str) -> str:
        """The code without its operation's prefix."""
        return next((code.removeprefix(prefix) for prefix in self.prefixes if code.startswith(prefix)), code)

    def good(self, operation: str) -> str:
        """The code by which this operation says that it was done."""
        return (self.prefixes[-1] if operation == self.variants[0].operation else self.prefixes[0]) + "OK"


def idempotency_key(command: Command, generation: int) -> str:
    """The POS's key: the record's key, the commandId, and the redrive that it is for; hashed where that is long or unclear."""
    plain = f"{command.key}/{command.id}" + (f"/{generation}" if generation else "")
    if len(plain) <= KEY_CHARS_MAX and "/" not in command.key + command.id:
        return plain
    return sha256(orjson.dumps([command.key, command.id, generation])).hexdigest()


def whole_order(command: Command, intent: Intent) -> Fields:
    """The `order` element of createOrder V1 and updateOrder."""
    sent = {**command.body["order"], "orderId": intent.order_id}
    lock = {name: value for name, value in intent.before.get("lock", {}).items() if value is not None}
    return [("order", fields(command.name, "order")(sent | lock))]


def turnover(command: Command) -> Fields:
    """The `turnoverType` of a delivery, where the producer gave one."""
    return [(name, command.body[name]) for name in ("turnoverType",) if name in command.body]


def without(*names: str) -> Callable[[Command], bool]:
    """Whether a command asks for none of these."""
    return lambda command: not any(command.body.get(name) for name in names)


def codes(good: Iterable[str], bad: Iterable[str], refused: Iterable[str] = ()) -> Mapping[str, Meaning]:
    """Result codes that mean something by themselves."""
    meanings = ((good, Meaning.SUCCEEDED), (bad, Meaning.REJECTED), (refused, Meaning.REFUSED))
    return {code: meaning for names, meaning in meanings for code in names}


def stood(order: Order | None) -> Snapshot:
    """How every order is recognised later, and whether it has changed; only of what the POS shows."""
    shown = order or {}
    return {
        "name": str(shown.get("extOrderId") or ""),
        "syncMarker": shown.get("syncMarker"),
        **{name: ids(shown, name) for name in DOCUMENTS if is_shown(shown, name)},
    }


def stands_still(intent: Intent, order: Order) -> bool:
    """Whether the order has not changed since: each change gives it a higher sync marker.

    A marker of 0 is none; and what the order shows to have moved has moved, though its marker may come later.
    """
    before, documents = intent.before.get("syncMarker"), (new_documents(intent, order, name) for name in DOCUMENTS)
    return bool(before) and before == order.get("syncMarker") and not any(documents)


def new_documents(intent: Intent, order: Order, name: str) -> list[str] | None:
    """Documents in `invoiceIds` or `packingSlipIds` since the INTENT, oldest first. None where that is not shown."""
    before = intent.before.get(name)
    if before is None or not is_shown(order, name):
        return None
    return [document for document in ids(order, name) if document not in before]


def made(intent: Intent, order: Order) -> Reconciled:
    """Done, with the newest document of each kind that was not there before."""
    invoices, slips = ((new_documents(intent, order, name) or [""])[-1] for name in DOCUMENTS)
    return Reconciled(Verdict.DONE, invoices, slips)
