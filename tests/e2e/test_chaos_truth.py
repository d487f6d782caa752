"""The judge of the chaos test finds what is wrong: a model that accepted everything would prove nothing."""

from collections.abc import Sequence
from typing import Any

import pytest

from tests.e2e.chaos_box import Passage
from tests.e2e.chaos_orders import Author, Row
from tests.e2e.chaos_truth import Story, judge

AT = 1_000_000.0
STAMP = "1970-01-12T13:46:41.000Z"
"""A second after AT."""
PAID = {"operation": "payOrderV2", "effect": "paid", "externalReference": "web-0-1", "amount": 100, "document": "p"}
WHOLE = "<paymentList/><invoiceIds/><prepaidAmount>0</prepaidAmount><syncMarker>7</syncMarker>"


def look(inside: str) -> Passage:
    """An order as it was shown, with an element of the answer around it."""
    body = f"<E><B><r><result>GET-ORDER-RESULT-OK</result><order>{inside}</order></r></B></E>"
    return Passage(AT + 0.2, "getOrder", "web-0", told=body.encode())


def call(sent: str = "", told: bytes | None = None) -> Passage:
    """The payment's call."""
    return Passage(AT + 0.1, "payOrderV2", "web-0", sent, told)


def story(outcome: str, effects: Sequence[Row], *passages: Passage, reason: str = "R") -> list[str]:
    """What is wrong with a payment of which this was told."""
    wish = Author("web-0", 0).paid(100)
    told: dict[str, Any] = {"commandId": wish.id, "outcome": outcome, "reason": reason, "message": "", "at": STAMP}
    result = {**told, "orderId": "o", "invoiceId": None, "packingSlipId": None}
    return list(judge(Story([wish], [result], list(effects), list(passages), {"orderId": "o"})))


def test_what_is_true_is_accepted() -> None:
    """Done and told so; refused and not done; and nobody can know."""
    assert [] == story("succeeded", [PAID], call())
    assert [] == story("rejected", [], call(told=b"R"))
    assert [] == story("unknown", [PAID], call("504"), look(""))


@pytest.mark.parametrize(
    ("outcome", "effects", "passages", "problem"),
    [
        ("succeeded", [], [call()], "was done 0 times, not 1 to 1"),
        ("succeeded", [PAID, PAID], [call()], "was done 2 times, not 1 to 1"),
        ("unknown", [PAID, PAID], [call("504"), look("")], "was done 2 times, not 0 to 1"),
        ("rejected", [PAID], [call(told=b"R")], "was done 1 times, not 0 to 0"),
        ("rejected", [], [call("504", told=b"R")], "the POS never said so"),
        ("unknown", [PAID], [call(), look("")], "all answers came"),
        ("unknown", [PAID], [call("504"), look(WHOLE)], "the POS showed enough to tell"),
    ],
)
def test_what_is_untrue_is_found(outcome: str, effects: Sequence[Row], passages: Sequence[Passage], problem: str) -> None:
    """Each kind of lie, one line."""
    (found,) = story(outcome, effects, *passages)
    assert problem in found
