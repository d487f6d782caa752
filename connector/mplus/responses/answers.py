"""What the order operations answer: the result code, the order where it is told, and the documents that were made. Pure."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any
from xml.etree.ElementTree import Element

from connector.mplus.responses.document import PageError, parse
from connector.mplus.responses.elements import ItemConverter, item_converter
from connector.mplus.responses.envelope import answer_of
from connector.mplus.responses.values import INTEGERS, NAMESPACE, InvalidValue

REPLAY = "IDEMPOTENCY-RESULT-REPLAY-RESPONSE"


@dataclass(frozen=True, slots=True)
class OrderAnswer:
    """One answer. Texts are empty where the POS told nothing; `order` is as in events.

    `queued`: accepted, to be booked later. `replayed`: the first answer once more, for the same idempotency key.
    `payment_code`: of a creation with payments, the result code of these.
    """

    code: str
    order: Mapping[str, Any] | None = None
    order_id: str = ""
    invoice_id: str = ""
    packing_slip_id: str = ""
    message: str = ""
    queued: bool = False
    replayed: bool = False
    payment_code: str = ""


def read_answer(body: bytes, response: str) -> OrderAnswer:
    """Read an order operation's answer, whose element has this name. Raises PageError, or FaultError for a fault."""
    answer = answer_of(parse(body), response)
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
        _text(answer, "payResult"),
    )


TEXT_CHARS_MAX = 1000
"""What a POS says goes into results and the ledger: as much of it as a reader needs."""


def _text(element: Element, *path: str) -> str:
    found = element.findtext("/".join(NAMESPACE + name for name in path))
    return " ".join((found or "").split())[:TEXT_CHARS_MAX]


def _order(element: Element | None) -> Mapping[str, Any] | None:
    return None if element is None or not len(element) else ToldOrder(element)


class ToldOrder(Mapping[str, Any]):
    """An order as in events, converted when a reader asks for more than its name and marker.

    A field that cannot be read is left out, as one that the POS did not send: neither proves anything.
    """

    def __init__(self, element: Element) -> None:
        self._element = element
        self._whole: Mapping[str, Any] | None = None

    def __getitem__(self, name: str) -> Any:
        if self._whole is None and name in AT_ONCE:
            with suppress(InvalidValue, KeyError):
                return AT_ONCE[name](self._element.findtext(NAMESPACE + name))
        return self._converted()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._converted())

    def __len__(self) -> int:
        return len(self._converted())

    def __bool__(self) -> bool:
        return True

    def _converted(self) -> Mapping[str, Any]:
        if self._whole is None:
            self._whole = _converted(self._element)
        return self._whole


def _name(text: str | None) -> str:
    if not text:
        raise KeyError
    return text


AT_ONCE: Mapping[str, Callable[[str | None], Any]] = {"orderId": _name, "extOrderId": _name, "syncMarker": INTEGERS.__getitem__}


def _converted(element: Element) -> Mapping[str, Any]:
    try:
        order: Mapping[str, Any] = _converter().whole(element) or {}
    except (InvalidValue, RecursionError):
        order = _converter().readable(element)
    return order


@cache
def _converter() -> ItemConverter:
    return item_converter("order", frozenset())
