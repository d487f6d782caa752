"""Payments of commands, and finding them again in an order. Pure.

A payment carries a reference by which it is recognised. Ours are short ASCII, so that no POS has a reason to cut or recode
them; whether it stores them is not known, so that a payment without one may be ours.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Any, NamedTuple

from connector.messages.command import Command
from connector.sink.pos.orders import Order, is_shown

PLAIN = re.compile(r"[A-Za-z0-9._-]{1,20}")
REFERENCE_CHARS_MAX = 20

ROUNDING_CENTS_MAX = 5
"""Cents by which a POS may book a payment in cash otherwise than it was asked to."""


class Payment(NamedTuple):
    """A payment as an order shows it, however the POS keeps the blanks of a reference; None for what it does not show."""

    reference: str
    amount: int | None
    method: str


def reference_of(command: Command) -> str:
    """The reference of payments to which the producer gave none: the commandId, or a digest in the form of one."""
    if PLAIN.fullmatch(command.id):
        return command.id
    return sha256(command.id.encode()).hexdigest()[:REFERENCE_CHARS_MAX]


def payments_of(command: Command) -> list[dict[str, Any]]:
    """The command's payments as they are sent; an empty reference is none."""
    own = reference_of(command)
    return [
        {**payment, "externalReference": payment.get("externalReference") or own}
        for payment in command.body.get("paymentList", ())
    ]


def asked_payments(command: Command) -> list[Payment]:
    """The command's payments as the order would show them."""
    return [Payment(trimmed(row["externalReference"]), row["amount"], row["method"]) for row in payments_of(command)]


def shown_payments(order: Order | None) -> list[Payment] | None:
    """The order's payments; None where the order does not show any list of them."""
    if order is None or not is_shown(order, "paymentList"):
        return None
    rows = [row or {} for row in order["paymentList"] or ()]
    return [
        Payment(trimmed(str(row.get("externalReference") or "")), row.get("amount"), str(row.get("method") or "")) for row in rows
    ]


def trimmed(reference: str) -> str:
    """A reference in which only words count: blanks are cut off and drawn together by many a POS, and by XML itself."""
    return " ".join(reference.split())


def automatic(command: Command) -> bool:
    """Whether all payments carry the reference that is this command's alone: no other command, and no cashier, writes it."""
    return all(not row.get("externalReference") for row in command.body.get("paymentList", ()))


def booked(command: Command, order: Order, before: Iterable[Payment] = ()) -> int:
    """How many of the command's payments are in the order beyond those of before: by reference and amount."""
    there = Counter((row.reference, row.amount) for row in shown_payments(order) or ())
    there.subtract(Counter((row.reference, row.amount) for row in before))
    wanted = Counter((name, row.amount) for row in asked_payments(command) for name in _spellings(command, row.reference))
    return sum(min(max(0, there[name]), count) for name, count in wanted.items())


def bears_its_own(command: Command, order: Order) -> bool:
    """Whether a payment of any amount is in the order under the reference that only this command gives."""
    own = {name for row in asked_payments(command) for name in _spellings(command, row.reference)}
    return automatic(command) and any(row.reference in own for row in shown_payments(order) or ())


def perhaps_ours(command: Command, new: Sequence[Payment], others: frozenset[str]) -> bool:
    """Whether one of these payments, which are not recognised, may be the command's, booked otherwise than it was sent."""
    asked = asked_payments(command)
    strangers = others - {row.reference for row in asked}
    return any(row.reference not in strangers and any(_may_be(row, ours, asked) for ours in asked) for row in new)


def _may_be(seen: Payment, ours: Payment, asked: Sequence[Payment]) -> bool:
    """Whether it may be ours, by what a POS left of our reference, whatever the amount; where nothing is left, by the amount.

    It is then no more than was asked: a POS may book a part of it, or split it.
    """
    left, own = _plain(seen.reference), _plain(ours.reference)
    if left and own:
        return left in own or own in left
    total = sum(row.amount or 0 for row in asked)
    return seen.amount is None or abs(seen.amount) <= abs(total) + ROUNDING_CENTS_MAX


def _plain(reference: str) -> str:
    return "".join(char for char in reference if char.isascii() and char.isalnum()).lower()


def _spellings(command: Command, reference: str) -> set[str]:
    """Also that of an INTENT of an older version, which took the commandId as it was."""
    return {reference, trimmed(command.id)} if reference == reference_of(command) else {reference}
