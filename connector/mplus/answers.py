"""What the order operations answer: the result code, the order where it is told, and the documents that were made. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from xml.etree.ElementTree import Element

from connector.mplus.decode import ItemConverter, item_converter
from connector.mplus.document import PageError, parse
from connector.mplus.envelope import answer_of
from connector.mplus.values import NAMESPACE, InvalidValue

REPLAY = "IDEMPOTENCY-RESULT-REPLAY-RESPONSE"


@dataclass(frozen=True, slots=True)
class OrderAnswer:
    """One answer. Texts are empty where the POS told nothing; `order` is as in events.

    `queued`: accepted, to be booked later. `replayed`: the first answer once more, for the same idempotency key.
    """

    code: str
    order: Mapping[str, Any] | None = None
    order_id: str = ""
    invoice_id: str = ""
    packing_slip_id: str = ""
    message: str = ""
    queued: bool = False
    replayed: bool = False


def read_answer(body: bytes) -> OrderAnswer:
    """Read the answer of any order operation. Raises PageError, or FaultError for a fault."""
    answer = answer_of(parse(body))
    code = _text(answer, "result")
    if not code:
        raise PageError("the answer holds no result")
    return OrderAnswer(
        code,
        _order(answer.find(NAMESPACE + "order")),
        _text(answer, "info", "orderId"),
        _text(answer, "invoiceId"),
        _text(answer, "packingSlipId"),
        _text(answer, "errorMessage") or _text(answer, "message"),
        _text(answer, "info", "orderQueued") in ("true", "1"),
        _text(answer, "idempotencyResult") == REPLAY,
    )


def _text(element: Element, *path: str) -> str:
    found = element.findtext("/".join(NAMESPACE + name for name in path))
    return " ".join((found or "").split())


def _order(element: Element | None) -> Mapping[str, Any] | None:
    if element is None or not len(element):
        return None
    try:
        order: Mapping[str, Any] | None = _converter().whole(element)
    except (InvalidValue, RecursionError) as error:
        raise PageError(f"the order cannot be read: {error}") from None
    return order


@cache
def _converter() -> ItemConverter:
    return item_converter("order", frozenset())
