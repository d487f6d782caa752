"""Lives of orders in chaos: several commands each, with what each may do to the order, in the words of the sandbox's ledger.

The model knows nothing of the sink. What a command does is told by what was asked alone; whether it could is left open, for
a command before it may have come to nothing.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from connector.sandbox.shop.wares import ware
from tests.support.sink.commanding import cancel, create, deliver, pay, update

Row = Mapping[str, Any]
Mark = tuple[Any, ...]
"""By what an effect is recognised as that of a command, within its order."""

ARTICLES = (10, 20)
TOTAL = sum(2 * ware(article).price for article in ARTICLES)
MADE, PART, WHOLE, SETTLED = "made", "part", "whole", "settled"
BY = {
    "createOrder": MADE,
    "createOrderV3": MADE,
    "deliverOrder": WHOLE,
    "deliverOrderV2": PART,
    "payOrder": SETTLED,
    "payOrderV2": SETTLED,
}


@dataclass(frozen=True, slots=True)
class Wish:
    """A command. `must`: what is done to the order where it was carried out; `may`: what else may then be done.

    `state`: what the order must look like in the end where it succeeded, also if somebody else saw to that.
    """

    command: Mapping[str, Any]
    kind: str
    must: Counter[Mark] = field(default_factory=Counter)
    may: Counter[Mark] = field(default_factory=Counter)
    state: Callable[[Row], bool] = lambda order: True

    @property
    def id(self) -> str:
        """Its commandId."""
        return str(self.command["commandId"])


def mark_of(row: Row) -> Mark:
    """The mark of a row of the ledger of effects."""
    by = BY.get(row["operation"], "")
    if row["effect"] == "paid":
        return "paid", plain(row["externalReference"] or ""), row["amount"]
    if row["effect"] == "delivered" and by == PART:
        return "delivered", PART, tuple((line["lineId"], line["quantity"]) for line in row["lines"])
    if row["effect"] == "created":
        return "created", row["amount"]
    return (row["effect"], by) if row["effect"] in ("delivered", "invoiced") else (row["effect"],)


def plain(reference: str) -> str:
    """A reference, however its blanks are kept."""
    return " ".join(reference.split())


REFERENCES: Sequence[Callable[[str], str | None]] = (
    lambda name: None,
    lambda name: "",
    lambda name: f"psp/{name}",
    lambda name: f"Betaling ünd €uro {name}",
    lambda name: f"{'0123456789' * 6}{name}",
    lambda name: f" {name} met   blanks ",
    lambda name: f"{name} 🥖",
    lambda name: "psp-the-same",
)
"""Own references of payments, by commandId: none, empty, recoded, cut or trimmed by many a POS, and not unique in the order."""


class Author:
    """Writes the commands of an order, one after the other; `number` varies references and ids."""

    def __init__(self, order: str, number: int) -> None:
        self.order = order
        self._number = number
        self._count = 0

    def created(self, *amounts: int, prepay: bool = True, articles: Sequence[int] = ARTICLES) -> Wish:
        """It is there, and paid where there are amounts: with `prepay` as a deposit."""
        name, total = self._name(), sum(2 * ware(article).price for article in articles)
        rows = self._payments(name, amounts)
        paid = {"prepay": prepay, "paymentList": rows} if rows else {}
        must = Counter[Mark]([("created", total)]) + self._marks(name, rows)
        for_good = Counter([("invoiced", MADE)]) if amounts and not prepay else Counter()
        may = Counter([("delivered", MADE)]) if for_good else Counter()
        return Wish(create(name, self.order, *articles, **paid), "createOrder", must + for_good, may)

    def paid(self, *amounts: int, settle: bool = False) -> Wish:
        """These amounts are paid; `settle`: and delivered and invoiced."""
        name = self._name()
        rows = self._payments(name, amounts)
        command = {**pay(name, self.order, 0, prepay=not settle), "paymentList": rows}
        must, may = self._marks(name, rows), Counter[Mark]()
        if settle:
            must, may = must + Counter([("invoiced", SETTLED)]), Counter([("delivered", SETTLED)])
        return Wish(command, "payOrder", must, may)

    def part(self, line: str, pieces: int = 1, *, invoice: bool = False) -> Wish:
        """So many pieces of a line are delivered, and invoiced if they are the last."""
        command = deliver(self._name(), self.order, {"lineId": line, "quantity": pieces})
        must, may = Counter[Mark]([("delivered", PART, ((line, pieces),))]), Counter[Mark]([("invoiced", PART)] * invoice)
        return Wish(command | _turnover(invoice=invoice), "deliverPart", must, may)

    def whole(self, *, invoice: bool = False) -> Wish:
        """Nothing is left to deliver; whoever delivered it."""
        command = deliver(self._name(), self.order) | _turnover(invoice=invoice)
        may = Counter[Mark]([("delivered", WHOLE)] + [("invoiced", WHOLE)] * invoice)
        return Wish(command, "deliverOrder", may=may, state=_invoiced if invoice else _delivered)

    def changed(self, counter: int | None = None) -> Wish:
        """It says something else, unless the counter is another by then."""
        name = self._name()
        lock = {} if counter is None else {"changeCounter": counter}
        return Wish(update(name, self.order, reference=f"changed by {name}", **lock), "updateOrder", Counter([("updated",)]))

    def cancelled(self) -> Wish:
        """It is off; whoever called it off."""
        return Wish(cancel(self._name(), self.order), "cancelOrder", may=Counter([("cancelled",)]), state=_cancelled)

    def _name(self) -> str:
        self._count += 1
        return f"{self.order}-{self._count}"

    def _payments(self, name: str, amounts: Sequence[int]) -> list[dict[str, Any]]:
        rows = []
        for amount in amounts:
            reference = REFERENCES[(self._number + self._count) % len(REFERENCES)](name)
            rows.append({"method": "IDEAL", "amount": amount} | ({} if reference is None else {"externalReference": reference}))
        return rows

    def _marks(self, name: str, payments: Sequence[Mapping[str, Any]]) -> Counter[Mark]:
        """Where the producer gives no reference, or an empty one, the payment carries the commandId."""
        return Counter(("paid", plain(row.get("externalReference") or name), row["amount"]) for row in payments)


def _turnover(*, invoice: bool) -> dict[str, str]:
    return {"turnoverType": "DELIVER-ORDER-TURNOVER-TYPE-INVOICE"} if invoice else {}


def _delivered(order: Row) -> bool:
    return bool(order["deliveryState"] == "ORDER-DELIVERY-STATE-COMPLETE")


def _invoiced(order: Row) -> bool:
    return _delivered(order) and bool(order["invoiceIds"]["id"])


def _cancelled(order: Row) -> bool:
    return all(line["data"]["cancelledQuantity"] for line in order["lineList"]["line"] if not line["data"]["deliveredQuantity"])


Life = Callable[[Author, Sequence[str]], Iterator[Wish]]
"""What is commanded after the order was created; of each of its lines the lineId is given where `needs_lines`."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How an order begins, and what comes then."""

    first: Callable[[Author], Wish]
    then: Life
    needs_lines: bool = False


def _paid_bit_by_bit(author: Author, lines: Sequence[str]) -> Iterator[Wish]:
    """Twice the same amount, by different commands; then the rest in two."""
    yield from (
        author.paid(100),
        author.changed(),
        author.paid(100),
        author.changed(),
        author.paid(200, TOTAL - 400, settle=True),
    )


def _delivered_in_parts(author: Author, lines: Sequence[str]) -> Iterator[Wish]:
    """Twice the same part, the rest with an invoice; after that nothing can be paid."""
    yield from (author.part(lines[0]), author.part(lines[0]), author.changed(), author.part(lines[1], 1, invoice=True))
    yield from (author.whole(invoice=True), author.whole(), author.paid(100))


def _deposited(author: Author, lines: Sequence[str]) -> Iterator[Wish]:
    """A deposit in two equal payments when it was created."""
    yield from (author.changed(1), author.whole(), author.paid(100), author.paid(TOTAL - 300, settle=True), author.changed())


def _called_off(author: Author, lines: Sequence[str]) -> Iterator[Wish]:
    """Changed under its lock, and under one of before; then off, twice, and nothing more can be paid."""
    yield from (author.changed(0), author.changed(0), author.changed(), author.cancelled(), author.cancelled(), author.paid(100))


def _bought_at_once(author: Author, lines: Sequence[str]) -> Iterator[Wish]:
    """Paid and invoiced when it was created: what comes then comes too late."""
    yield from (author.paid(100), author.whole(), author.changed())


def _ordered_twice(author: Author, lines: Sequence[str]) -> Iterator[Wish]:
    """The name is taken by the first."""
    yield from (author.created(articles=(10, 20, 20)), author.part(lines[1]), author.created(100, articles=(20,)))
    yield from (author.whole(), author.paid(TOTAL, settle=True))


def _invoiced_alone(author: Author, lines: Sequence[str]) -> Iterator[Wish]:
    """All is paid before the invoice is asked for."""
    yield from (author.paid(100), author.paid(TOTAL - 200), author.paid(100), author.paid(settle=True), author.paid(50))


def _asked_too_much(author: Author, lines: Sequence[str]) -> Iterator[Wish]:
    """More than is open, and less than is to be paid."""
    yield from (author.part(lines[0]), author.part(lines[0], 2), author.paid(100, settle=True), author.part(lines[0]))
    yield from (author.part(lines[0]), author.paid(100), author.paid(TOTAL - 100, settle=True))


PLANS = (
    Plan(lambda author: author.created(), _paid_bit_by_bit),
    Plan(lambda author: author.created(), _delivered_in_parts, needs_lines=True),
    Plan(lambda author: author.created(100, 100), _deposited),
    Plan(lambda author: author.created(), _called_off),
    Plan(lambda author: author.created(TOTAL, prepay=False), _bought_at_once),
    Plan(lambda author: author.created(), _ordered_twice, needs_lines=True),
    Plan(lambda author: author.created(), _invoiced_alone),
    Plan(lambda author: author.created(), _asked_too_much, needs_lines=True),
    Plan(lambda author: author.created(100, prepay=False), _deposited),
)
"""The last one cannot be paid when it is created: it is there without its payments."""
