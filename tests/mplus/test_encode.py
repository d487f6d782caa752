"""What becomes of a command's values: elements in the XSD's order, and the same values again when they are decoded."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connector.mplus.encode import day, fields, moment
from connector.mplus.request import Fields, request
from connector.mplus.responses.elements import item_converter
from tests.support.pos.filled import Filled
from tests.support.pos.instances import Xsd
from tests.support.pos.xsd import call_in, schema_in

CHANCES = [1.0, 0.5, 0.0]
NAMESPACE = "{urn:mplusqapi}"


@pytest.fixture
def xsd(wsdl: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The schema inside the WSDL, ready to validate with."""
    return schema_in(wsdl, tmp_path_factory.getbasetemp())


def decoded(order: Fields) -> Any:
    """What the source makes of an order with these elements."""
    body = request("x", [("order", order)])
    (element,) = ElementTree.fromstring(body).iter(f"{NAMESPACE}order")
    return item_converter("order", frozenset()).whole(element)


def moment_of(text: str) -> dict[str, Any]:
    """The parts that are sent of it."""
    sent: Any = dict(fields("createOrder", "order")({"entryTimestamp": text}))
    return dict(sent["entryTimestamp"])


def test_an_order() -> None:
    """Elements stand in the XSD's order whatever the order of the fields; lists get their wrappers, orderId is sent empty."""
    order = {
        "lineList": [{"data": {"price": 1995, "quantity": 2}, "articleNumber": 20}, {"articleNumber": 10}],
        "invoiceIds": ["a", "b"],
        "fullyPaid": False,
        "deliveryDate": "2026-07-31",
        "relationNumber": 7,
        "extOrderId": "web-1001",
    }

    assert [
        ("orderId", ""),
        ("extOrderId", "web-1001"),
        ("invoiceIds", [("id", "a"), ("id", "b")]),
        ("relationNumber", 7),
        ("deliveryDate", (("day", 31), ("mon", 7), ("year", 2026))),
        ("fullyPaid", False),
        (
            "lineList",
            [
                ("line", [("articleNumber", 20), ("data", [("quantity", 2), ("price", 1995)])]),
                ("line", [("articleNumber", 10)]),
            ],
        ),
    ] == fields("createOrder", "order")(order)


def test_payments_and_lines() -> None:
    """A list of its own is the content of its wrapper, empty where it is empty."""
    payments = fields("payOrder", "paymentList")
    lines = fields("deliverOrder", "lineList")

    assert [("payment", [("method", "CASH"), ("amount", -5)])] == payments([{"amount": -5, "method": "CASH"}])
    assert [] == payments([])
    assert [("line", [("lineId", "l-1"), ("quantity", 530), ("decimalPlaces", 3)])] == lines(
        [{"lineId": "l-1", "decimalPlaces": 3, "quantity": 530}]
    )


def test_elements_that_repeat_without_a_wrapper() -> None:
    """Each stands for itself, between the others; required texts and lists that are not given are sent empty."""
    details = {"receiptFooters": [{"barcode": {"code": "1"}}, {"barcode": {}}], "amount": 5}
    payment = {"method": "PIN", "amount": 5, "externalPaymentTransactionDetails": details}
    ((_, ((_, _), (_, _), (_, found))),) = fields("payOrder", "paymentList")([payment])  # type: ignore[misc,str-unpack]

    footer = [("text", ""), ("textAfter", ""), ("barcode", [("code", "1"), ("codeType", "")])]
    other = [("text", ""), ("textAfter", ""), ("barcode", [("code", ""), ("codeType", "")])]
    texts = [("externalTransactionReference", ""), ("receiptFooters", footer), ("receiptFooters", other)]
    rest = [("cardType", ""), ("terminalId", ""), ("externalMethod", "")]
    assert [("externalPaymentId", ""), ("amount", 5), *texts, *rest] == found


def test_a_whole_request() -> None:
    """Without a path, all fields of a command but its envelope, in the XSD's order."""
    body = {
        "paymentList": [],
        "commandId": "c-1",
        "command": "createOrder",
        "expiresAt": "2026-07-01T10:00:00Z",
        "scannedVoucherIssuanceCodes": ["x", "y"],
        "prepay": True,
        "order": {"relationNumber": 7, "extOrderId": "web-1001"},
    }

    assert [
        ("order", [("orderId", ""), ("extOrderId", "web-1001"), ("relationNumber", 7)]),
        ("scannedVoucherIssuanceCodes", "x"),
        ("scannedVoucherIssuanceCodes", "y"),
        ("prepay", True),
        ("paymentList", []),
    ] == fields("createOrder")(body)
    assert [("orderId", "5"), ("prepay", False), ("paymentList", [])] == fields("payOrder")(
        {"commandId": "c-2", "command": "payOrder", "extOrderId": "a", "orderId": "5", "prepay": False, "paymentList": []}
    )


@pytest.mark.parametrize("command", ["createOrder", "updateOrder"])
@pytest.mark.parametrize("chance", CHANCES)
@pytest.mark.parametrize("seed", range(5))
def test_orders_are_valid(xsd: Any, command: str, chance: float, seed: int) -> None:
    """As createOrderV3 and updateOrderV2, and as the older createOrder and updateOrder without a request around."""
    order = fields(command, "order")(Filled(command, seed, chance=chance).field("order"))
    key = [("idempotencyKey", "k-1")] if command == "createOrder" else []
    newer = "createOrderV3" if command == "createOrder" else "updateOrderV2"

    xsd.assertValid(call_in(request(newer, [("request", [*key, ("order", order)])])))
    xsd.assertValid(call_in(request(command, [("order", order)])))


@pytest.mark.parametrize("chance", CHANCES)
@pytest.mark.parametrize("seed", range(5))
def test_payments_are_valid(xsd: Any, chance: float, seed: int) -> None:
    """As payOrder and payOrderV2, and beside the order in createOrderV3."""
    payments = fields("payOrder", "paymentList")(Filled("payOrder", seed, chance=chance).field("paymentList"))
    paid: Fields = [("orderId", "o-1"), ("prepay", False), ("paymentList", payments)]

    xsd.assertValid(call_in(request("payOrder", [("request", paid)])))
    xsd.assertValid(call_in(request("payOrderV2", [("request", [("idempotencyKey", "k-1"), *paid])])))
    created: Fields = [("order", [("orderId", "")]), ("scannedVoucherIssuanceCodes", "x"), *paid[1:]]
    xsd.assertValid(call_in(request("createOrderV3", [("request", [("idempotencyKey", "k-1"), *created])])))


@pytest.mark.parametrize("seed", range(5))
def test_deliveries_are_valid(xsd: Any, seed: int) -> None:
    """Part of an order as deliverOrderV2, all of it as deliverOrder."""
    lines = Filled("deliverOrder", seed).field("lineList")
    body = {"orderId": "o-1", "turnoverType": "DELIVER-ORDER-TURNOVER-TYPE-INVOICE"}
    encode = fields("deliverOrder")
    part: Fields = [("orderDelivery", encode({**body, "lineList": lines}))]

    xsd.assertValid(call_in(request("deliverOrderV2", [("request", part)])))
    xsd.assertValid(call_in(request("deliverOrder", [("request", encode(body))])))


def test_every_field_is_filled(wsdl: Path) -> None:
    """The values that these tests are made with leave no field of an order out, so the whole type is covered."""
    names = [element.name for element in Xsd(wsdl).elements("Order")]

    assert names == list(Filled("createOrder", 0).field("order"))


@pytest.mark.parametrize("command", ["createOrder", "updateOrder"])
@pytest.mark.parametrize("seed", range(20))
def test_encoded_and_decoded_is_the_same(command: str, seed: int) -> None:
    """With every field filled: the source publishes what the command said."""
    order = Filled(command, seed).field("order")

    assert order == decoded(fields(command, "order")(order))


def test_what_is_sent_empty_comes_back_empty() -> None:
    """Of an order that says nearly nothing."""
    assert {"orderId": "", "extOrderId": "a", "relationNumber": 7} == decoded(
        fields("createOrder", "order")({"extOrderId": "a", "relationNumber": 7})
    )


OFFSETS = st.integers(-13 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(st.datetimes(timezones=OFFSETS))
@example(datetime(2026, 10, 25, 2, 30, tzinfo=timezone(timedelta(hours=2))))
@example(datetime(2026, 10, 25, 2, 30, tzinfo=timezone(timedelta(hours=1))))
@example(datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14))))
def test_moments_come_back(value: datetime) -> None:
    """Any moment in whole seconds with any offset, also in the hour that comes twice."""
    text = value.replace(microsecond=0).isoformat()

    assert text == decoded([("entryTimestamp", tuple(moment_of(text).items()))])["entryTimestamp"]


@given(st.dates())
def test_days_come_back(value: Any) -> None:
    """Any day of the calendar."""
    order = fields("createOrder", "order")({"financialDate": value.isoformat()})

    assert value.isoformat() == decoded(order)["financialDate"]
    assert value == day(value.isoformat())


@pytest.mark.parametrize(
    ("text", "isdst", "offset"),
    [
        ("2026-07-01T10:00:00+02:00", True, 120),
        ("2026-01-01T10:00:00+01:00", False, 60),
        ("2026-10-25T02:30:00+02:00", True, 120),
        ("2026-10-25T02:30:00+01:00", False, 60),
        ("2026-07-01T08:00:00Z", False, 0),
        ("2026-07-01T08:00:00.000Z", False, 0),
        ("2026-01-01T11:00:00+02:00", False, 120),
        ("2026-07-01T03:30:00-05:30", False, -330),
    ],
)
def test_summer_time_is_the_shops(text: str, isdst: bool, offset: int) -> None:
    """`isdst` is said of the shop's own summer time only: with another offset there is none."""
    parts = moment_of(text)

    assert ["sec", "min", "hour", "day", "mon", "year", "isdst", "timezone"] == list(parts)
    assert (isdst, offset) == (parts["isdst"], parts["timezone"])


@pytest.mark.parametrize(
    "text",
    [
        "2026-07-01",
        "2026-07-01T10:00:00",
        "2026-07-01 10:00:00Z",
        "2026-07-01T10:00Z",
        "2026-07-01T10:00:60Z",
        "2026-07-01T24:00:00Z",
        "2026-02-30T10:00:00Z",
        "0000-01-01T10:00:00Z",
        "2026-07-01T10:00:00+15:00",
        "2026-07-01T10:00:00+01:60",
        "２026-07-01T10:00:00Z",
        "",
        "2026-07-01T10:00:00Z\n",
    ],
)
def test_no_moment(text: str) -> None:
    """Only RFC 3339 with offset, of a second that exists and that the XSD can say."""
    with pytest.raises(ValueError, match="not a date and time with offset"):
        moment(text)


@pytest.mark.parametrize("text", ["2026-7-1", "20260701", "2026-W01-1", "2026-02-30", "0000-00-00", "2026-07-01Z", " 2026-07-01"])
def test_no_day(text: str) -> None:
    """Only YYYY-MM-DD of a day that exists."""
    with pytest.raises(ValueError, match="not a date"):
        day(text)


def test_moments_have_their_offset() -> None:
    """As a datetime that can be compared."""
    assert datetime(2026, 7, 1, 8, 0, 0, 500_000, tzinfo=UTC) == moment("2026-07-01T10:00:00.5+02:00")
    assert datetime(2026, 7, 1, 8, 0, 0, 123_456, tzinfo=UTC) == moment("2026-07-01t08:00:00.123456789z")


@pytest.mark.parametrize("text", ["2026-07-01T10:00:00.999+02:00", "2026-07-01t10:00:00+02:00", "2026-07-01T10:00:00.0+02:00"])
def test_a_moment_is_sent_in_whole_seconds(text: str) -> None:
    """As JavaScript writes them, and in any case of letters that RFC 3339 has; the POS's own type knows no fractions."""
    encode = fields("createOrder", "order")

    assert encode({"entryTimestamp": "2026-07-01T10:00:00+02:00"}) == encode({"entryTimestamp": text})


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        ({"foo": 1, "reference": "x"}, "'foo' is unknown or null"),
        ({"reference": None}, "'reference' is unknown or null"),
        ({"relationNumber": "7"}, "relationNumber: not an integer"),
        ({"relationNumber": True}, "relationNumber: not an integer"),
        ({"relationNumber": 7.0}, "relationNumber: not an integer"),
        ({"fullyPaid": 1}, "fullyPaid: not a boolean"),
        ({"reference": 5}, "reference: not a string"),
        ({"lineList": {"line": []}}, "lineList: not an array"),
        ({"lineList": [[]]}, r"lineList/\[0\]: not an object"),
        ({"lineList": [{"articleNumber": 1}, {"data": {"quantity": 1}}]}, r"lineList/\[1\]: articleNumber is missing"),
        ({"lineList": [{"articleNumber": 1, "data": {}}]}, r"lineList/\[0\]/data: quantity is missing"),
        ({"deliveryDate": "31-07-2026"}, "deliveryDate: '31-07-2026' is not a date"),
        ({"contractPeriod": {"startDate": "x"}}, "contractPeriod/startDate: 'x' is not a date"),
    ],
)
def test_what_cannot_be_encoded(order: dict[str, Any], reason: str) -> None:
    """One line says where and why; nothing is left out in silence."""
    with pytest.raises(ValueError, match=f"^{reason}$"):
        fields("createOrder", "order")(order)


def test_no_such_command_or_field() -> None:
    """A mistake of the caller is a KeyError."""
    for command, path in (("getOrder", "order"), ("payOrder", "order")):
        with pytest.raises(KeyError):
            fields(command, path)
