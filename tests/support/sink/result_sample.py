"""A result as the ledger keeps it."""

from collections.abc import Mapping
from typing import Any

RESULT: Mapping[str, Any] = {
    "commandId": "c-1",
    "command": "createOrder",
    "outcome": "succeeded",
    "reason": "CREATE-ORDER-RESULT-OK",
    "message": "",
    "orderId": "o-1",
    "extOrderId": "web-1",
    "invoiceId": None,
    "packingSlipId": None,
    "syncMarker": 5,
    "attempts": 1,
    "reconciled": False,
    "duplicate": False,
    "at": "2026-07-31T10:00:00Z",
}
"""In the order of messages.result.Result."""
