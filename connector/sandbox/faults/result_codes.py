"""The result codes of the order commands: what each answers with, first the prefix, then the codes. Pure data."""

from collections.abc import Mapping
from types import MappingProxyType

_CREATE = ("CREATE-ORDER-RESULT-", ("OK", "EXT-ORDER-ID-ALREADY-EXISTS", "FAILED", "PAYMENT-FAILED"))
_UPDATE = ("UPDATE-ORDER-RESULT-", ("OK", "NOT-FOUND", "ORDER-HAS-CHANGED", "NO-CHANGES", "FAILED"))
_CANCEL = ("CANCEL-ORDER-RESULT-", ("OK", "FAILED", "NOT-FOUND", "PENDING", "ALREADY-CANCELLED", "UNDO-CANCEL-OK"))
_PAY = ("PAY-ORDER-RESULT-", ("OK", "FAILED", "ORDER-HAS-CHANGED", "PAYMENT-INSUFFICIENT", "ORDER-ALREADY-INVOICED"))
_DELIVERED = ("OK", "ALREADY-DELIVERED", "FAILED")

PAY_PREFIX = _PAY[0]
CODES: Mapping[str, tuple[str, tuple[str, ...]]] = MappingProxyType(
    {
        "createOrder": _CREATE,
        "createOrderV3": _CREATE,
        "updateOrder": _UPDATE,
        "updateOrderV2": _UPDATE,
        "cancelOrder": _CANCEL,
        "cancelOrderV2": _CANCEL,
        "payOrder": _PAY,
        "payOrderV2": _PAY,
        "deliverOrder": ("DELIVER-ORDER-RESULT-", _DELIVERED),
        "deliverOrderV2": ("DELIVER-ORDER-V2-RESULT-", _DELIVERED),
    }
)


def code_of(operation: str, result: str) -> str:
    """The code without its prefix. ValueError: the operation never answers that."""
    prefix, codes = CODES.get(operation, ("", ()))
    code = result.removeprefix(prefix)
    if code == result or code not in codes:
        raise ValueError(f"{operation}: never answers {result!r}")
    return code
