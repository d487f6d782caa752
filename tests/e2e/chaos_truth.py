"""Judges what was told of commands by what was really done, and by what went through the middle box. Knows nothing of the sink.

- Once: an effect is in the ledger at most as often as commands asked for it that were not rejected.
- `succeeded`: all that the command must do is in the ledger, and the order looks in the end as it wanted.
- `rejected`: nothing of it is in the ledger, also after everything has settled; and the POS itself said this reason.
  (An order that was to be paid when it was created, and was not, is there: the contract says so.)
- `unknown`: only where an answer to one of its calls was lost or replaced, another worker took its partition over, or the POS
  said FAILED, which leaves open whether a part was done; **and** what the POS showed could not tell: of the looks on which it
  rested (the last before each call that changes something, and the last of all) one lacked an element that the question needs,
  or showed a payment under another reference than it was sent with, or a packing slip with a line that is none of the
  order's; or only a part of what was asked is in the ledger; or it asked for an invoice alone, and nothing tells whose it is.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from xml.etree import ElementTree as ET

from tests.e2e.chaos_box import CHANGES, LATE, LOOKS, Passage
from tests.e2e.chaos_orders import Mark, Row, Wish, mark_of, plain
from tests.support.pos.sandbox_orders import plain as values

SUCCEEDED, REJECTED, UNKNOWN = "succeeded", "rejected", "unknown"
TICK = 0.001
"""Seconds: results carry milliseconds, cut off."""
UNPAID = "CREATE-ORDER-RESULT-PAYMENT-FAILED"
SEEN = ("CREATE-ORDER-RESULT-EXT-ORDER-ID-ALREADY-EXISTS", "CLIENT-FAULT")
"""Reasons that no answer need have said: the order was seen before, the operation missed."""

BOTH = (("invoiceIds",), ("deliveryState",), ("syncMarker",))
PAYMENTS, LINES, LINE = ("paymentList",), ("lineList",), ("lineList", "line")
NEEDED: Mapping[str, Sequence[tuple[str, ...]]] = {
    "createOrder": [("relationNumber",), LINES, (*LINE, "data"), PAYMENTS, ("invoiceIds",), ("extOrderId",)],
    "updateOrder": [("changeCounter",), ("reference",)],
    "payOrder": [PAYMENTS, ("invoiceIds",), ("prepaidAmount",), ("syncMarker",)],
    "deliverOrder": [("deliveryState",), ("invoiceIds",)],
    "deliverPart": [LINES, (*LINE, "lineId"), (*LINE, "data"), (*LINE, "data", "deliveredQuantity"), ("packingSlipIds",), *BOTH],
    "cancelOrder": [("cancelState",)],
}
"""Of an order, what tells whether such a command was carried out."""


@dataclass(frozen=True, slots=True)
class Case:
    """A command, its result, and what went through the box while it was worked on. `taken`: by another worker meanwhile."""

    wish: Wish
    result: Row
    passages: Sequence[Passage]
    taken: bool

    @property
    def outcome(self) -> str:
        """What was told."""
        return str(self.result["outcome"])

    @property
    def lost(self) -> bool:
        """Whether an answer to one of its calls was lost or replaced."""
        return self.taken or any(row.sent for row in self.passages if row.operation in CHANGES)

    @property
    def open(self) -> bool:
        """Whether no answer says what was done."""
        return self.lost or any(b"-RESULT-FAILED<" in (row.told or b"") for row in self.passages if row.operation in CHANGES)


@dataclass(slots=True)
class Story:
    """An order: what was asked in this order, what is told of it, what was done to it, and how it looks in the end.

    `takings`: when its partition was taken by a worker, in seconds since the epoch.
    """

    wishes: list[Wish]
    told: list[Row] = field(default_factory=list)
    effects: list[Row] = field(default_factory=list)
    passages: list[Passage] = field(default_factory=list)
    end: Row | None = None
    takings: Sequence[float] = ()

    @property
    def results(self) -> dict[str, Row]:
        """By commandId."""
        return {row["commandId"]: row for row in self.told}

    def cases(self) -> Iterator[Case]:
        """Each command that has a result, with its own passages: those since the result before."""
        begin, results = 0.0, self.results
        for wish in self.wishes:
            if (result := results.get(wish.id)) is None:
                continue
            end = datetime.fromisoformat(result["at"]).timestamp() + TICK
            own = [row for row in self.passages if begin < row.at <= end]
            yield Case(wish, result, own, any(begin < at <= end for at in self.takings))
            begin = end


def judge(story: Story) -> Iterator[str]:
    """All that is wrong, one line each."""
    if [wish.id for wish in story.wishes] != [row["commandId"] for row in story.told]:
        yield f"results of {[row['commandId'] for row in story.told]} where {[wish.id for wish in story.wishes]} was commanded"
    cases = list(story.cases())
    there = Counter(map(mark_of, story.effects))
    yield from _counted(cases, there)
    for case in cases:
        yield from (f"{case.wish.id}: {problem}: {dict(case.result)}" for problem in _untrue(case, story, there))


def _counted(cases: Sequence[Case], there: Counter[Mark]) -> Iterator[str]:
    """Every effect once: as often as was told, and as often as was asked at most."""
    least = sum((case.wish.must for case in cases if case.outcome == SUCCEEDED and not _held(case)), Counter[Mark]())
    most = sum((_possible(case) for case in cases), Counter[Mark]())
    told = [(case.wish.id, case.outcome, case.result["reason"], case.result["message"]) for case in cases]
    for mark in there.keys() | least.keys():
        if not least[mark] <= there[mark] <= most[mark]:
            yield f"{mark} was done {there[mark]} times, not {least[mark]} to {most[mark]}: {told}"


def _possible(case: Case) -> Counter[Mark]:
    if case.outcome != REJECTED:
        return case.wish.must + case.wish.may
    made = case.result["reason"] == UNPAID
    return Counter({mark: count for mark, count in case.wish.must.items() if made and mark[0] == "created"})


def _held(case: Case) -> bool:
    """Nothing was left to deliver: the state that was wanted."""
    return str(case.result["reason"]).endswith("ALREADY-DELIVERED")


def _untrue(case: Case, story: Story, there: Counter[Mark]) -> Iterator[str]:
    result, own = case.result, case.wish.must + case.wish.may
    if case.outcome == SUCCEEDED and not (story.end and case.wish.state(story.end)):
        yield "the order does not look like that"
    if result["orderId"] and result["orderId"] not in {story.end and story.end["orderId"]}:
        yield "not the order's id"
    documents = {row["document"] for row in story.effects if mark_of(row) in own}
    yield from (
        f"{name} is of no such effect" for name in ("invoiceId", "packingSlipId") if not {result[name]} <= {None, *documents}
    )
    if case.outcome == REJECTED and result["reason"] not in SEEN and not _said(case, result["reason"]):
        yield "the POS never said so"
    if case.outcome == UNKNOWN and not case.open:
        yield "all answers came"
    if case.outcome == UNKNOWN and case.open and not _unclear(case, story, there):
        yield "the POS showed enough to tell"


def _said(case: Case, reason: str) -> bool:
    return any(row.told and reason.encode() in row.told for row in case.passages if row.sent in ("", LATE))


def _unclear(case: Case, story: Story, there: Counter[Mark]) -> bool:
    """Whether what the POS showed could not tell, or only a part of it was done."""
    own = case.wish.must.keys()
    if case.wish.kind == "payOrder" and not any(mark[0] == "paid" for mark in own):
        return True
    if 0 < sum(mark in there for mark in own) < len(own):
        return True
    sent = {plain(row["externalReference"] or "") for row in story.effects if row["effect"] == "paid"}
    return any(_blemished(look, case.wish, sent) for look in _rested_on(case))


def _rested_on(case: Case) -> Iterator[Passage]:
    """The looks right before each change, and the last ones; of the order and of its packing slips.

    Of a command that another worker took over, all: the one before may have meant to make a call that never came.
    """
    last: dict[bool, Passage] = {}
    for row in case.passages:
        if row.operation in CHANGES:
            yield from last.values()
        elif row.operation in LOOKS and row.sent == LATE and row.told:
            yield row  # it may have come in time nevertheless
        elif row.operation in LOOKS and not row.sent and row.told:
            last[row.operation == "getPackingSlipsByOrder"] = row
            yield from [row] if case.taken else []
    yield from last.values()


def _blemished(look: Passage, wish: Wish, sent: set[str]) -> bool:
    answer = values(ET.fromstring(look.told or b"")[0][0])
    if look.operation == "getPackingSlipsByOrder":
        slips = _rows(answer, ("packingSlipList", "packingSlip"))
        return not all("lineList" in slip for slip in slips) or not all(
            {"salesOrderLineId", "data"} <= line.keys() for slip in slips for line in _rows(slip, LINE)
        )
    order = answer.get("order")
    if order is None:
        return False
    paid = _rows(order, ("paymentList", "payment")) if wish.kind in ("payOrder", "createOrder") else []
    strange = [row for row in paid if plain(row.get("externalReference", "")) not in sent]
    return bool(strange) or not all(_has(order, path) for path in NEEDED[wish.kind])


def _has(value: Any, path: Sequence[str]) -> bool:
    """Whether an element is there, in each row of a list."""
    if not path:
        return True
    if isinstance(value, list):
        return all(_has(row, path) for row in value)
    if path[0] in ("line", "payment") and (not isinstance(value, dict) or path[0] not in value):
        return True
    return isinstance(value, dict) and path[0] in value and _has(value[path[0]], path[1:])


def _rows(value: Any, path: Sequence[str]) -> list[Any]:
    for name in path:
        value = value.get(name, {}) if isinstance(value, dict) else {}
    return value if isinstance(value, list) else [value] if value else []
