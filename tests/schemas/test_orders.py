"""The schemas of commands and results say what the contract says, and take every field that the POS takes."""

from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest

from connector import schemas as schema
from schemas.orders import COMMANDS
from tests.support.pos.instances import Xsd, wsdl

NAMES = ["orderId", "extOrderId"]
FIELDS = {
    "createOrder": [
        "order",
        "applySalesAndActions",
        "applySalesPrices",
        "applyPriceGroups",
        "scannedVoucherIssuanceCodes",
        "prepay",
        "paymentList",
    ],
    "updateOrder": ["order", "applySalesAndActions", "applySalesPrices", "applyPriceGroups"],
    "cancelOrder": [*NAMES, "branchNumber"],
    "payOrder": [*NAMES, "prepay", "paymentList"],
    "deliverOrder": [*NAMES, "lineList", "turnoverType"],
}
REASONS = {
    "createOrder": [f"CREATE-ORDER-RESULT-{code}" for code in ("OK", "EXT-ORDER-ID-ALREADY-EXISTS", "FAILED", "PAYMENT-FAILED")],
    "updateOrder": [f"UPDATE-ORDER-RESULT-{code}" for code in ("OK", "NOT-FOUND", "ORDER-HAS-CHANGED", "NO-CHANGES", "FAILED")],
    "cancelOrder": [
        f"CANCEL-ORDER-RESULT-{code}" for code in ("OK", "FAILED", "NOT-FOUND", "PENDING", "ALREADY-CANCELLED", "UNDO-CANCEL-OK")
    ],
    "payOrder": [
        f"PAY-ORDER-RESULT-{code}"
        for code in ("OK", "FAILED", "ORDER-HAS-CHANGED", "PAYMENT-INSUFFICIENT", "ORDER-ALREADY-INVOICED")
    ],
    "deliverOrder": [
        f"DELIVER-ORDER-{version}RESULT-{code}" for version in ("", "V2-") for code in ("OK", "ALREADY-DELIVERED", "FAILED")
    ],
}
OTHER_REASONS = ["GET-ORDER-RESULT-NOT-FOUND", "INVALID-COMMAND", "EXPIRED", "CLIENT-FAULT", "OUTCOME-UNKNOWN"]
RESULT: dict[str, Any] = {
    "commandId": "c-1",
    "command": "payOrder",
    "outcome": "rejected",
    "reason": "PAY-ORDER-RESULT-PAYMENT-INSUFFICIENT",
    "message": "",
    "orderId": "5",
    "extOrderId": "web-1001",
    "invoiceId": None,
    "packingSlipId": None,
    "syncMarker": 101,
    "attempts": 1,
    "reconciled": False,
    "duplicate": False,
    "at": "2026-07-01T10:00:00Z",
}


def _schemas(within: Any) -> Iterator[dict[str, Any]]:
    for part in within.values() if isinstance(within, dict) else within if isinstance(within, list) else ():
        if isinstance(part, dict) and "type" in part and isinstance(part["type"], str | list):
            yield part
        yield from _schemas(part)


def test_there_are_five_commands() -> None:
    """Those of the contract."""
    assert {"createOrder", "updateOrder", "cancelOrder", "payOrder", "deliverOrder"} == COMMANDS.keys()


@pytest.mark.parametrize("kind", ["command", "result"])
@pytest.mark.parametrize("name", COMMANDS)
def test_schemas_are_valid(name: str, kind: str) -> None:
    """Each file is a valid 2020-12 schema under its own name, complete in itself."""
    loaded = schema.load(name, f"{kind}s")

    assert jsonschema_rs.meta.is_valid(loaded)
    assert f"urn:mplus-connector:{kind}:{name}" == loaded["$id"]
    jsonschema_rs.Draft202012Validator(loaded)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_its_envelope_and_the_requests_fields(name: str) -> None:
    """In the XSD's order; the idempotency key is the connector's own."""
    assert ["commandId", "command", "expiresAt", *FIELDS[name]] == list(schema.load(name, "commands")["properties"])


@pytest.mark.parametrize("type_", ["Order", "Line", "LineData", "Payment", "Address", "EftTransactionDetails"])
def test_every_field_of_the_xsd_can_be_given(type_: str) -> None:
    """None is left out, and they stand in its order."""
    names = [element.name for element in Xsd(wsdl()).elements(type_)]

    assert names == list(schema.load("createOrder", "commands")["$defs"][type_]["properties"])


@pytest.mark.parametrize("name", COMMANDS)
def test_commands_are_strict_at_every_level(name: str) -> None:
    """Unknown fields are refused, nothing may be null, and an integer has its XSD type's limits."""
    loaded = schema.load(name, "commands")

    for part in [loaded, *_schemas(loaded)]:
        assert isinstance(part["type"], str), part
        assert "null" not in part["type"]
        assert ("properties" in part) == (part.get("additionalProperties") is False)
        assert "" not in part.get("enum", [])
        assert ("minimum" in part and "maximum" in part) == (part["type"] == "integer")


def test_what_must_be_given_and_what_is_sent_empty() -> None:
    """Numbers and enums that the XSD requires must be given; texts and lists that it requires may be left out."""
    types = schema.load("createOrder", "commands")["$defs"]

    assert "required" not in types["Order"]
    assert {"type": "string", "default": ""} == types["Order"]["properties"]["orderId"]
    assert ["articleNumber"] == types["Line"]["required"]
    assert ["method", "amount"] == types["Payment"]["required"]
    assert {"type": "string", "minLength": 1} == types["Payment"]["properties"]["method"]
    assert [] == types["EftTransactionDetails"]["properties"]["customerReceipt"]["default"]
    assert "customerReceipt" not in types["EftTransactionDetails"]["required"]
    assert {"txid", "timestampPos", "state"} < set(types["EftTransactionDetails"]["required"])


@pytest.mark.parametrize(
    ("type_", "field", "limits"),
    [
        ("Order", "entryBranchNumber", (-(1 << 31), (1 << 31) - 1)),
        ("Order", "relationNumber", (-(1 << 63), (1 << 63) - 1)),
        ("Order", "vatCountryCode", (-(1 << 15), (1 << 15) - 1)),
        ("TransactionNumber", "branch", (0, (1 << 32) - 1)),
    ],
)
def test_limits_of_integers(type_: str, field: str, limits: tuple[int, int]) -> None:
    """Those of the XSD's types."""
    found = schema.load("updateOrder", "commands")["$defs"][type_]["properties"][field]

    assert limits == (found["minimum"], found["maximum"])


@pytest.mark.parametrize("name", COMMANDS)
def test_reasons(name: str) -> None:
    """The POS's own codes of every version of the operation, and the connector's."""
    loaded = schema.load(name, "results")

    assert [*REASONS[name], *OTHER_REASONS] == loaded["properties"]["reason"]["enum"]
    assert {"const": name} == loaded["properties"]["command"]


def test_a_result() -> None:
    """The contract's is valid, and each of its fields is required."""
    rules = jsonschema_rs.Draft202012Validator(schema.load("payOrder", "results"), validate_formats=True)

    rules.validate(RESULT)
    assert list(RESULT) == list(schema.load("payOrder", "results")["properties"])
    for field in RESULT:
        assert not rules.is_valid({name: value for name, value in RESULT.items() if name != field}), field


@pytest.mark.parametrize(
    "wrong",
    [
        {"command": "cancelOrder"},
        {"outcome": "failed"},
        {"reason": "CANCEL-ORDER-RESULT-OK"},
        {"reason": ""},
        {"message": None},
        {"orderId": 5},
        {"syncMarker": "101"},
        {"attempts": -1},
        {"reconciled": None},
        {"at": "2026-07-01 10:00"},
    ],
)
def test_no_result(wrong: dict[str, Any]) -> None:
    """Another command's reason, another kind of value."""
    rules = jsonschema_rs.Draft202012Validator(schema.load("payOrder", "results"), validate_formats=True)

    assert not rules.is_valid({**RESULT, **wrong})
