"""Records of the command topic: which are commands, and what is said of those that are not."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector.kafka.records import partition_of
from connector.messages.command import Command, Invalid, read
from connector.messages.strict_json import is_clean
from connector.mplus.request import request

CREATE: Mapping[str, Any] = {
    "commandId": "c-1",
    "command": "createOrder",
    "order": {"extOrderId": "web-1001", "relationNumber": 7, "lineList": [{"articleNumber": 20, "data": {"quantity": 2}}]},
    "prepay": True,
    "paymentList": [{"method": "IDEAL", "amount": 1995}],
}
PAY: Mapping[str, Any] = {
    "commandId": "c-2",
    "command": "payOrder",
    "extOrderId": "web-1001",
    "prepay": False,
    "paymentList": [{"method": "CASH", "amount": 1995}],
}
DELIVER: Mapping[str, Any] = {"commandId": "c-3", "command": "deliverOrder", "extOrderId": "web-1001"}
PART: Mapping[str, Any] = {
    "commandId": "c-4",
    "command": "deliverOrder",
    "extOrderId": "web-1002",
    "lineList": [{"lineId": "l-1", "quantity": 1}],
}
UPDATE: Mapping[str, Any] = {
    "commandId": "c-5",
    "command": "updateOrder",
    "order": {"extOrderId": "web-1001", "changeCounter": 3, "versionNumber": 1},
}
CANCEL: Mapping[str, Any] = {"commandId": "c-6", "command": "cancelOrder", "extOrderId": "web-1001"}
BY_ORDER_ID: Mapping[str, Any] = {"commandId": "c-6", "command": "cancelOrder", "orderId": "o-5"}
CONTRACT = [CREATE, PAY, DELIVER, PART, UPDATE, CANCEL]


def message(body: Mapping[str, Any], **changed: Any) -> bytes:
    """As JSON; a field changed to `...` is left out."""
    return json.dumps({name: value for name, value in {**body, **changed}.items() if value is not ...}).encode()


def order(**changed: Any) -> bytes:
    """A createOrder whose order has these fields."""
    return message(CREATE, order={name: value for name, value in {**CREATE["order"], **changed}.items() if value is not ...})


def taken(value: bytes, key: str = "web-1001") -> Command:
    found = read(key.encode(), value)
    assert isinstance(found, Command), found
    return found


def refused(value: bytes | None, key: bytes | None = b"web-1001") -> Invalid:
    found = read(key, value)
    assert isinstance(found, Invalid), found
    return found


@pytest.mark.parametrize("body", CONTRACT, ids=lambda body: body["commandId"])
def test_the_contracts_commands(body: Mapping[str, Any]) -> None:
    """Each is taken, under its own id, name and key, whole."""
    key = body.get("extOrderId", "web-1001")
    command = taken(message(body), key)

    assert (body["commandId"], body["command"], key) == (command.id, command.name, command.key)
    assert ("", key) == (command.order_id, command.ext_order_id)
    assert body == command.body
    assert command.expires_at is None


@pytest.mark.parametrize(
    ("body", "names"),
    [
        (message(CANCEL, extOrderId=..., orderId="o-5"), ("o-5", "", "o-5")),
        (message(CANCEL, orderId="o-5"), ("o-5", "web-1001", "web-1001")),
        (message(CANCEL, extOrderId=..., orderId="o-5"), ("o-5", "", "web-1001")),
        (message(CANCEL, extOrderId=..., orderId="o" * 255), ("o" * 255, "", "\U0001d11e" * 255)),
        (message(CANCEL, extOrderId="\U0001d11e" * 255), ("", "\U0001d11e" * 255, "\U0001d11e" * 255)),
        (message(UPDATE, order={"orderId": "o-5", "changeCounter": 1}), ("o-5", "", "o-5")),
        (message(UPDATE, order={"orderId": "o-5", "changeCounter": 1}), ("o-5", "", "web-1001")),
        (message(UPDATE, order={"orderId": "o-5", "extOrderId": "é-1"}), ("o-5", "é-1", "é-1")),
        (message(UPDATE, order={"orderId": "o-5", "extOrderId": ""}), ("o-5", "", "o-5")),
        (message(UPDATE, order={"orderId": "", "extOrderId": "a"}), ("", "a", "a")),
        (order(orderId=""), ("", "web-1001", "web-1001")),
    ],
)
def test_how_an_order_is_named(body: bytes, names: tuple[str, str, str]) -> None:
    """By orderId, extOrderId or both, also inside `order`. The key is the extOrderId, or else the order tells it."""
    command = taken(body, names[2])

    assert names == (command.order_id, command.ext_order_id, command.key)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-07-01T10:00:00+02:00", datetime(2026, 7, 1, 8, tzinfo=UTC)),
        ("2026-07-01t08:00:00z", datetime(2026, 7, 1, 8, tzinfo=UTC)),
        ("2026-07-01t10:00:00.250z", datetime(2026, 7, 1, 10, 0, 0, 250_000, tzinfo=UTC)),
        ("2026-07-01T10:00:00.250Z", datetime(2026, 7, 1, 10, 0, 0, 250_000, tzinfo=UTC)),
        ("0001-01-01T00:00:00+14:00", datetime.fromisoformat("0001-01-01T00:00:00+14:00")),
    ],
)
def test_expiry(text: str, moment: datetime) -> None:
    """A moment that can be compared with now."""
    expires = taken(message(CANCEL, expiresAt=text)).expires_at

    assert moment == expires
    assert expires is not None
    assert (expires < datetime(2026, 7, 1, 9, tzinfo=UTC)) == (moment < datetime(2026, 7, 1, 9, tzinfo=UTC))


@pytest.mark.parametrize(
    "body",
    [
        message(PAY, paymentList=[]),
        message(CREATE, prepay=..., paymentList=...),
        message(CREATE, applySalesAndActions=True, scannedVoucherIssuanceCodes=["v-1"]),
        message(CANCEL, branchNumber=3),
        message(DELIVER, turnoverType="DELIVER-ORDER-TURNOVER-TYPE-RECEIPT", orderId="o-5"),
        message(DELIVER, lineList=[{"lineId": "l-1", "quantity": -530, "decimalPlaces": 3}]),
        message(CANCEL, commandId="x" * 255),
        message(CANCEL, commandId="re-drive:1 é𝄞\n"),
        order(deliveryDate="2026-07-31", deliveryPeriodBegin="2026-07-31T10:00:00+02:00", reference="regel 1\nregel 2\t<&>"),
        order(lineList=[], invoiceIds=["a"], totalInclAmount=(1 << 63) - 1, vatCountryCode=-(1 << 15)),
        message(CANCEL).replace(b'"c-6"', b'"\\ud834\\udd1e"'),
        b" \r\n\t" + message(CANCEL) + b"\n",
    ],
)
def test_what_else_is_valid(body: bytes) -> None:
    """The other fields of the POS's requests, and the limits of ids and numbers."""
    assert taken(body).body == json.loads(body)


DEEP = b'{"commandId":"c-1","a":%s1%s}'
PARSE = [
    (None, "the message is empty"),
    (b"", "the message is empty"),
    (b'{"commandId":"\xff"}', "not UTF-8: byte 0xFF at position 14"),
    (b'{"commandId":"\xed\xa0\x80"}', "not UTF-8: byte 0xED at position 14"),
    (b"\xef\xbb\xbf" + message(PAY), "the message begins with a byte order mark"),
    (message(PAY).decode().encode("utf-16"), "not UTF-8: byte 0xFF at position 0"),
    (b"null", "the message is JSON, but not an object"),
    (b"[]", "the message is JSON, but not an object"),
    (b'"createOrder"', "the message is JSON, but not an object"),
    (b"1.5", "the message is JSON, but not an object"),
    (b"[" * 100_000, "nested deeper than 100 levels"),
    (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "nested deeper than 100 levels"),
]


@pytest.mark.parametrize(("value", "problem"), PARSE, ids=range(len(PARSE)))
def test_no_json_object(value: bytes | None, problem: str) -> None:
    """Nothing can be read of it."""
    assert Invalid("parse", problem) == refused(value)


NOT_JSON = [
    b"createOrder",
    message(PAY)[:-1],
    message(PAY) + b"{}",
    b'{"commandId":"c-1",}',
    b"{'commandId':'c-1'}",
    b'{"commandId":"c\n1"}',
    b'{"commandId":"\\x41"}',
    b'{"commandId":01}',
    b'{"commandId":+1}',
    b'{"commandId":.5}',
    b'{"commandId":True}',
    b'{"commandId":"c-1"}\x00',
    b"\xc2\xa0{}",
]


@pytest.mark.parametrize("value", NOT_JSON)
def test_not_json(value: bytes) -> None:
    """What JSON does not allow, with the place."""
    found = refused(value)

    assert ("parse", None) == (found.stage, found.command_id)
    assert re.fullmatch(r"not JSON: [\w ',\\]+: line \d+ column \d+ \(char \d+\)", found.problem)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (b'"amount": 1995', b'"amount": 19.95', "paymentList[0].amount: 19.95 is not an integer"),
        (b'"amount": 1995', b'"amount": 1995.0', "paymentList[0].amount: 1995.0 is not an integer"),
        (b'"amount": 1995', b'"amount": 1e3', "paymentList[0].amount: 1e3 is not an integer"),
        (b'"amount": 1995', b'"amount": 1e400', "paymentList[0].amount: 1e400 is not an integer"),
        (b'"amount": 1995', b'"amount": NaN', "paymentList[0].amount: NaN is not an integer"),
        (b'"amount": 1995', b'"amount": -Infinity', "paymentList[0].amount: -Infinity is not an integer"),
        (
            b'"amount": 1995',
            b'"amount": 9223372036854775808',
            "paymentList[0].amount: 9223372036854775808 does not fit into 64 bits",
        ),
        (
            b'"amount": 1995',
            b'"amount": -9223372036854775809',
            "paymentList[0].amount: -9223372036854775809 does not fit into 64 bits",
        ),
        (
            b'"amount": 1995',
            b'"amount": ' + b"9" * 100_000,
            f"paymentList[0].amount: {'9' * 40}… does not fit into 64 bits",
        ),
        (b'"amount": 1995', b'"amount": 1, "amount": 1', "paymentList[0].amount: given more than once"),
        (b'"prepay": false', b'"prepay": false, "\\u0070repay": false', "prepay: given more than once"),
        (b'"CASH"', b'"\\ud834"', "paymentList[0].method: half a surrogate pair, U+D834"),
        (b'"CASH"', b'"\\udd1e\\ud834\\u0000"', "paymentList[0].method: half a surrogate pair, U+DD1E"),
        (b'"method"', b'"\\ud834"', 'paymentList[0]."\\ud834": its name holds half a surrogate pair'),
        (b'"CASH"', b"[" * 98 + b"]" * 98, "paymentList: nested deeper than 100 levels"),
    ],
)
def test_json_that_can_be_taken_for_two_things(old: bytes, new: bytes, problem: str) -> None:
    """Its place is named; the id and names that stand elsewhere in it are read all the same."""
    assert Invalid("parse", problem, "c-2", "payOrder", "web-1001", None) == refused(message(PAY).replace(old, new))


@pytest.mark.parametrize("twice", [b'"c-2", "commandId": "c-2"', b'"c-2", "commandId": "c-9"', b'"c-2", "command\\u0049d": 5'])
def test_an_id_given_twice_is_none(twice: bytes) -> None:
    """Not even where both are the same."""
    assert Invalid("parse", "commandId: given more than once", None, "payOrder", "web-1001", None) == refused(
        message(PAY).replace(b'"c-2"', twice)
    )


def test_all_at_once() -> None:
    """Every problem of the reading in one line, and likewise every one of the schema, with the key's."""
    value = message(PAY).replace(b"false", b'0.5, "prepay": 1, "x": 1.5').replace(b"1995", b"NaN")
    assert (
        "prepay: given more than once; x: 1.5 is not an integer; paymentList[0].amount: NaN is not an integer"
        == refused(value).problem
    )

    wrong = order(lineList=[{"articleNumber": "20", "data": {"quantity": True}}, {"foo": 1}], reference="\x01", orderType="")
    types = "SALES-ORDER, ORDER-TYPE-REPEAT-SALES-ORDER, ORDER-TYPE-EXTERNAL-SALES-ORDER, ORDER-TYPE-TABLE-ORDER"
    assert {
        "order.reference: character U+0001 cannot be sent in XML",
        "order.lineList[0].articleNumber: '20' is not an integer",
        "order.lineList[0].data.quantity: true is not an integer",
        "order.lineList[1]: articleNumber is missing",
        "order.lineList[1]: unknown: 'foo'",
        f"order.orderType: '' is none of ORDER-TYPE-{types}, ORDER-TYPE-CAFETERIA-ORDER",
        "the record has no key, but its order's is 'web-1001'",
    } == set(refused(wrong, None).problem.split("; "))


COMMANDS = "cancelOrder, createOrder, deliverOrder, payOrder, updateOrder"
VALIDATE = [
    (message(PAY, command=...), "command is missing"),
    (message(PAY, command="prepayOrder"), f"command: 'prepayOrder' is none of {COMMANDS}"),
    (message(PAY, command="payorder"), f"command: 'payorder' is none of {COMMANDS}"),
    (message(PAY, command=["payOrder"]), f"command: an array is none of {COMMANDS}"),
    (message(PAY, commandId=...), "commandId is missing"),
    (message(PAY, commandId=5), "commandId: 5 is not a string"),
    (message(PAY, commandId=None), "commandId: null is not a string"),
    (message(PAY, commandId=""), "commandId: is empty"),
    (message(PAY, commandId="x" * 256), "commandId: is longer than 255 characters"),
    (message(PAY, commandId="redrive:0:7"), "commandId: 'redrive:0:7' begins with what only the connector's own keys do"),
    (message(PAY, commandId="lane:3"), "commandId: 'lane:3' begins with what only the connector's own keys do"),
    (message(PAY, commandId="a\x0bb"), "commandId: character U+000B cannot be sent in XML"),
    (message(PAY, commandId="a\uffff"), "commandId: character U+FFFF cannot be sent in XML"),
    (message(PAY, Comment="x"), "unknown: 'Comment'"),
    (message(PAY, idempotencyKey="k"), "unknown: 'idempotencyKey'"),
    (message(PAY, order={"extOrderId": "web-1001"}), "unknown: 'order'"),
    (message(PAY, prepay=...), "prepay is missing"),
    (message(PAY, prepay=1), "prepay: 1 is not a boolean"),
    (message(PAY, paymentList=...), "paymentList is missing"),
    (message(PAY, paymentList={"payment": []}), "paymentList: an object is not an array"),
    (message(PAY, paymentList=[{"amount": 5}]), "paymentList[0]: method is missing"),
    (message(PAY, paymentList=[{"method": "CASH"}]), "paymentList[0]: amount is missing"),
    (message(PAY, paymentList=[{"method": "", "amount": 5}]), "paymentList[0].method: is empty"),
    (message(PAY, paymentList=[{"method": "CASH", "amount": "5"}]), "paymentList[0].amount: '5' is not an integer"),
    (message(PAY, paymentList=[{"method": "CASH", "amount": 5, "tip": 1}]), "paymentList[0]: unknown: 'tip'"),
    (message(PAY, extOrderId=...), "orderId or extOrderId must be given"),
    (message(PAY, orderId=""), "orderId: is empty"),
    (message(PAY, orderId=None), "orderId: null is not a string"),
    (message(PAY, expiresAt="tomorrow"), "expiresAt: 'tomorrow' is not a date and time such as 2026-07-31T10:00:00+02:00"),
    (
        message(PAY, expiresAt="2026-07-01T10:00:00"),
        "expiresAt: '2026-07-01T10:00:00' is not a date and time such as 2026-07-31T10:00:00+02:00",
    ),
    (message(PAY, expiresAt=1785000000), "expiresAt: 1785000000 is not a string"),
    (message(CREATE, order=...), "order is missing"),
    (message(CREATE, order=[]), "order: an array is not an object"),
    (message(CREATE, extOrderId="web-1001"), "unknown: 'extOrderId'"),
    (order(extOrderId=...), "order: extOrderId is missing"),
    (order(extOrderId=""), "order.extOrderId: is empty"),
    (order(relationNumber=...), "order: relationNumber is missing"),
    (order(relationNumber=None), "order.relationNumber: null is not an integer"),
    (order(entryBranchNumber=1 << 31), "order.entryBranchNumber: 2147483648 is more than 2147483647"),
    (order(vatCountryCode=-40_000), "order.vatCountryCode: -40000 is less than -32768"),
    (order(deliveryDate="31-07-2026"), "order.deliveryDate: '31-07-2026' is not a date such as 2026-07-31"),
    (order(deliveryDate="2026-02-30"), "order.deliveryDate: '2026-02-30' is not a date such as 2026-07-31"),
    (
        order(deliveryPeriodEnd="2026-07-31T24:00:00Z"),
        "order.deliveryPeriodEnd: '2026-07-31T24:00:00Z' is not a date and time such as 2026-07-31T10:00:00+02:00",
    ),
    (
        order(lineList=[{"articleNumber": 1, "data": {"quantity": 1, "averagePurchasePrice": "1,5"}}]),
        "order.lineList[0].data.averagePurchasePrice: '1,5' is not a decimal number such as 12.50",
    ),
    (order(deliveryAddress={"city": "\x00"}), "order.deliveryAddress.city: character U+0000 cannot be sent in XML"),
    (order(**{"a\nb": 1}), "order: unknown: 'a\\nb'"),
    (order(orderId="o-5"), "order.orderId: 'o-5' must be left out: the POS gives it"),
    (message(CANCEL, extOrderId=..., orderId="o" * 256), "orderId: is longer than 255 characters"),
    (message(UPDATE, order={"orderId": "o" * 256}), "order.orderId: is longer than 255 characters"),
    (message(UPDATE, order={}), "order: orderId or extOrderId must be given"),
    (message(UPDATE, order={"orderId": "", "extOrderId": ""}), "order: orderId or extOrderId must be given"),
    (message(UPDATE, prepay=True), "unknown: 'prepay'"),
    (message(DELIVER, lineList=[]), "lineList: is empty"),
    (message(DELIVER, lineList=[{"lineId": "", "quantity": 1}]), "lineList[0].lineId: is empty"),
    (message(DELIVER, lineList=[{"lineId": "l-1"}]), "lineList[0]: quantity is missing"),
    (message(CANCEL, branchNumber="3"), "branchNumber: '3' is not an integer"),
]


@pytest.mark.parametrize(("value", "problem"), VALIDATE, ids=range(len(VALIDATE)))
def test_no_command(value: bytes, problem: str) -> None:
    """One line with the place and what is wrong there, and nothing else is said."""
    found = refused(value)

    assert ("validate", problem) == (found.stage, found.problem)


@pytest.mark.parametrize(
    ("body", "key", "problem"),
    [
        (CANCEL, None, "the record has no key, but its order's is 'web-1001'"),
        (CANCEL, b"", "the record has the key '', but its order's is 'web-1001'"),
        (CANCEL, b"web-1002", "the record has the key 'web-1002', but its order's is 'web-1001'"),
        (CANCEL, b'"web-1001"', "the record has the key '\"web-1001\"', but its order's is 'web-1001'"),
        (CANCEL, b"\xff", "the record has the key '\N{REPLACEMENT CHARACTER}', but its order's is 'web-1001'"),
        (CREATE, b"7", "the record has the key '7', but its order's is 'web-1001'"),
        ({**CANCEL, "orderId": "o-5"}, b"o-5", "the record has the key 'o-5', but its order's is 'web-1001'"),
        (CANCEL, b"x" * 5_000_000, f"the record has the key '{'x' * 40}…', but its order's is 'web-1001'"),
        (BY_ORDER_ID, None, "the record has no key"),
        (BY_ORDER_ID, b"", "the record's key, '', is no name of an order"),
        (BY_ORDER_ID, b"\xff", "the record's key, '\N{REPLACEMENT CHARACTER}', is no name of an order"),
        (BY_ORDER_ID, b"a\0b", "the record's key, 'a\\x00b', is no name of an order"),
        (BY_ORDER_ID, b"x" * 256, f"the record's key, '{'x' * 40}…', is no name of an order"),
        (BY_ORDER_ID, b"x" * 5_000_000, f"the record's key, '{'x' * 40}…', is no name of an order"),
    ],
)
def test_another_key(body: Mapping[str, Any], key: bytes | None, problem: str) -> None:
    """An order's commands stand under one key: any other is refused, and the right one is named."""
    found = refused(message(body), key)

    assert ("validate", problem, body["commandId"]) == (found.stage, found.problem, found.command_id)


@pytest.mark.parametrize("partitions", [1, 2, 16])
def test_another_partition(partitions: int) -> None:
    """Beside the others of its order it would run at the same time; where it lies right it is taken, also one by orderId."""
    right = partition_of(b"web-1001", partitions)
    for body in (CANCEL, BY_ORDER_ID):
        for place in range(partitions):
            found = read(b"web-1001", message(body), place, partitions)
            if place == right:
                assert isinstance(found, Command)
                continue
            assert isinstance(found, Invalid)
            assert ("validate", "c-6") == (found.stage, found.command_id)
            assert found.problem.startswith(
                f"the record lies in partition {place}, but the key of its order belongs in {right}: "
            )


def test_a_wrong_key_is_not_looked_for_in_its_partition() -> None:
    """One thing is wrong, and one is said; and a key of megabytes is not hashed."""
    for key in (b"web-1", b"k" * 4_300_000, None):
        found = read(key, message(CANCEL), 0, 16)
        assert isinstance(found, Invalid)
        assert "partition" not in found.problem


@pytest.mark.parametrize(
    ("value", "read_of_it"),
    [
        (message(PAY, prepay=1), ("c-2", "payOrder", "web-1001", None)),
        (message(PAY, orderId="o-5", prepay=1), ("c-2", "payOrder", "web-1001", "o-5")),
        (message(PAY, command="x"), ("c-2", None, "web-1001", None)),
        (message(PAY, commandId="lane:1"), (None, "payOrder", "web-1001", None)),
        (message(PAY, commandId="x" * 256), (None, "payOrder", "web-1001", None)),
        (message(PAY, commandId="\x00"), (None, "payOrder", "web-1001", None)),
        (message(PAY, commandId=5), (None, "payOrder", "web-1001", None)),
        (message(PAY, extOrderId=5, orderId="\x00"), ("c-2", "payOrder", None, None)),
        (message(PAY, extOrderId="x" * 256), ("c-2", "payOrder", None, None)),
        (order(relationNumber=..., orderId="o-5"), ("c-1", "createOrder", "web-1001", None)),
        (b"{}", (None, None, None, None)),
    ],
)
def test_what_is_read_of_an_invalid_one(value: bytes, read_of_it: tuple[str | None, ...]) -> None:
    """What is well formed by itself, so that a result can be published under it."""
    found = refused(value)

    assert read_of_it == (found.command_id, found.name, found.ext_order_id, found.order_id)


@pytest.mark.parametrize(
    "value",
    [
        order(**{f"field-{number}-{'x' * 5000}": 1 for number in range(100)}),
        order(reference=["x" * 100_000] * 5),
        order(lineList=[{"articleNumber": "x" * 1000}] * 200),
        order(lineList=[{"articleNumber": "x"}] * 20_000),
        order(lineList=[{"text": "\x00"}] * 50, reference="\x00\ud800"),
        message(PAY, **{"\x85\u2028\n\ud800" * 100: "\x85\u2028\n"}),
        message(PAY, command="\x85\u2028\n" * 100),
        message(PAY, commandId="\x85\u2028\n" * 1000, prepay="\x85\u2028\n"),
        message(PAY).replace(b"1995", b"[" + b"1.5," * 10_000 + b"1]"),
    ],
    ids=range(9),
)
def test_problems_are_short(value: bytes) -> None:
    """One line of at most 1000 characters, however large or odd the message is."""
    problem = refused(value, b"\x85\n" * 1000).problem

    assert [problem] == problem.splitlines()
    assert len(problem) <= 1000


def test_illegal_characters_are_those_that_cannot_be_sent() -> None:
    """What is taken can be put into a request, and nothing else is refused for its characters."""
    for number in (*range(0x300), *range(0xD700, 0xE100), *range(0xFFF0, 0x10010), 0x10FFFF):
        assert _can_be_sent(chr(number)) == is_clean(chr(number)), hex(number)


def _can_be_sent(text: str) -> bool:
    try:
        request("x", [("y", text)])
    except ValueError:
        return False
    return True


def shuffled(value: Any, dice: Any) -> Any:
    """The same content with its fields in another order."""
    if isinstance(value, dict):
        names = list(value)
        dice.shuffle(names)
        return {name: shuffled(value[name], dice) for name in names}
    return [shuffled(part, dice) for part in value] if isinstance(value, list) else value


@given(st.randoms(use_true_random=False), st.booleans(), st.sampled_from([None, 1, "\t"]))
def test_digest_is_that_of_the_content(dice: Any, escaped: bool, indent: int | str | None) -> None:
    """Neither the order of fields, nor spaces, nor the spelling of characters change it."""
    body = {**CREATE, "order": {**CREATE["order"], "reference": "é𝄞 \u2028/"}}
    other = json.dumps(shuffled(body, dice), ensure_ascii=escaped, indent=indent).encode()

    assert taken(message(body)).digest == taken(other).digest


@pytest.mark.parametrize(
    "other",
    [
        message(CREATE, commandId="c-9"),
        message(CREATE, prepay=False),
        message(CREATE, paymentList=[{"method": "IDEAL", "amount": 1996}]),
        order(reference=""),
        order(lineList=[*CREATE["order"]["lineList"]] * 2),
    ],
)
def test_another_content_has_another_digest(other: bytes) -> None:
    """Whatever differs."""
    assert taken(message(CREATE)).digest != taken(other).digest


def test_when_it_expires_is_no_content() -> None:
    """Whoever sends a command again because no result came in time gives it another time, and it is the same command."""
    assert taken(message(CREATE)).digest == taken(message(CREATE, expiresAt="2026-07-01T10:00:00Z")).digest


def test_digest_stays_the_same_over_versions() -> None:
    """It stands in the ledger: what an older version wrote must be recognised."""
    assert "dc93af13161e616df8f786ef1de067f2" == taken(message(CANCEL)).digest


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=10,
)
FIELDS = sorted({*CREATE, *PAY, *PART, *UPDATE, "orderId", "expiresAt", "branchNumber"})


@given(st.none() | st.binary(), st.none() | st.binary())
def test_any_bytes(key: bytes | None, value: bytes | None) -> None:
    """Are no command, and no error."""
    assert isinstance(read(key, value), Invalid)


@settings(suppress_health_check=[HealthCheck.too_slow])  # the first text of a session takes seconds
@given(st.dictionaries(st.sampled_from(FIELDS), JSON), st.sampled_from(CONTRACT))
def test_any_json(fields: dict[str, Any], body: Mapping[str, Any]) -> None:
    """Of any kind in any field gives one or the other, with one line."""
    found = read(b"web-1001", json.dumps({**body, **fields}).encode())

    assert isinstance(found, Command) or (found.problem and found.problem.splitlines() == [found.problem])


@settings(max_examples=300)
@given(st.data(), st.sampled_from(CONTRACT))
def test_damaged_messages(data: st.DataObject, body: Mapping[str, Any]) -> None:
    """Bytes overwritten, added or cut off are no error either."""
    value = bytearray(message(body))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(value) - 1))
        value[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    assert read(b"web-1001", bytes(value))
