"""Every request that the sink sends, against the schema in the vendor's WSDL."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest
from lxml import etree

from connector.messages.command import Command, read
from connector.mplus.operations import OPERATIONS
from connector.mplus.request import Fields, request
from connector.sink.commands.spec import CommandSpec, Variant
from connector.sink.commands.table import SPECS
from connector.sink.ledger.ledger import Intent
from tests.support.pos.filled import Filled
from tests.support.pos.xsd import call_in, schema_in
from tests.support.sink.commanding import cancel, create, deliver, key_of, pay, update
from tests.support.sink.lone_executor import lone_executor

WAYS = [pytest.param(name, row, way, id=f"{name}-{way.operation}") for name, row in SPECS.items() for way in row.variants]
SENT = {
    "createOrder": ["createOrderV3", "createOrder"],
    "updateOrder": ["updateOrderV2", "updateOrder"],
    "payOrder": ["payOrderV2", "payOrder"],
    "deliverOrder": ["deliverOrder"],
    "deliverPart": ["deliverOrderV2"],
    "cancelOrder": ["cancelOrder"],
}
FLAGS = {"applySalesAndActions": True, "applySalesPrices": False, "applyPriceGroups": True}
SEEN: Mapping[str, Any] = {"orderId": "o-1", "extOrderId": "web-1", "changeCounter": 3, "versionNumber": 1, "paymentList": []}
"""The order as it was looked up before."""


@pytest.fixture
def xsd(wsdl: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The schema inside the WSDL, ready to validate with."""
    return schema_in(wsdl, tmp_path_factory.getbasetemp())


def body_of(name: str, seed: int, chance: float) -> dict[str, Any]:
    """A valid command with these fields filled as its schema lets them."""
    filled = Filled("deliverOrder" if name == "deliverPart" else name, seed, chance=chance)
    body: dict[str, Any] = {"commandId": "c-1", "command": name.replace("Part", "Order")}
    if name in ("createOrder", "updateOrder"):
        order = {**filled.field("order"), "orderId": "" if name == "createOrder" else "o-1", "extOrderId": "web-1"}
        body |= {"order": {"relationNumber": 7, **order}, **FLAGS}
    else:
        body |= {"orderId": "o-1", "extOrderId": "web-1"}
    more = {"payOrder": ["prepay", "paymentList"], "deliverPart": ["lineList", "turnoverType"], "cancelOrder": ["branchNumber"]}
    more |= {"createOrder": ["prepay", "paymentList", "scannedVoucherIssuanceCodes"], "deliverOrder": ["turnoverType"]}
    return body | {field: filled.field(field) for field in more.get(name, [])}


def command_of(body: Mapping[str, Any]) -> Command:
    taken = read(key_of(body).encode(), orjson.dumps(body))
    assert isinstance(taken, Command), taken
    return taken


def intent_of(row: CommandSpec, way: Variant, command: Command) -> Intent:
    """What stands in the ledger before the call."""
    order_id = "" if command.name == "createOrder" else "o-1"
    noted = row.snapshot(command, None if command.name == "createOrder" else SEEN)
    before = orjson.loads(orjson.dumps(noted))
    return Intent("c-1", command.name, "web-1", 0, "d", way.operation, order_id, "web-1", "web-1/c-1", before, 1, "i", "t")


def sent(operation: str, fields: Fields) -> Any:
    """The element that the client sends for these fields."""
    return call_in(request(operation, [("request", fields)] if OPERATIONS[operation].wrapped else fields))


def test_the_ways_are_these() -> None:
    """Each command's operations, the newer first; none of them is repeated by the client itself."""
    assert SENT == {name: [way.operation for way in row.variants] for name, row in SPECS.items()}
    assert not any(OPERATIONS[way.operation].repeatable for row in SPECS.values() for way in row.variants)


@pytest.mark.parametrize(("name", "row", "way"), WAYS)
@pytest.mark.parametrize("chance", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("seed", range(3))
def test_every_request_is_valid(xsd: Any, name: str, row: CommandSpec, way: Variant, chance: float, seed: int) -> None:
    """Of every way, from an order with little in it to one with every field."""
    command = command_of(body_of(name, seed, chance))
    call = sent(way.operation, way.request(command, intent_of(row, way, command)))
    xsd.assertValid(call)
    assert way.operation == etree.QName(call).localname
    assert ["o-1"] == [it.text for it in call.iter("{*}orderId")][:1] or name == "createOrder"


async def test_looking_is_valid_too(xsd: Any) -> None:
    """Everything that a sandbox was asked in the course of all commands, as it was sent."""
    async with lone_executor() as bench:
        commands = [
            create("c-1", "web-1"),
            update("c-2", "web-1", reference="red"),
            pay("c-3", "web-1", 100),
            cancel("c-5", "web-1"),
        ]
        for command in commands:
            bench.pos.faults.switch("drop_after", count=1, operations=["createOrderV3", "updateOrderV2", "payOrderV2"])
            await bench.run(command)
        await bench.run(create("c-6", "web-2"))
        bench.pos.faults.switch("drop_after", count=1, operations=["deliverOrderV2"])
        line = bench.order("web-2")["lineList"]["line"][0]["lineId"]
        await bench.run(deliver("c-7", "web-2", {"lineId": line, "quantity": 1}))
        calls = [call_in(body.encode()) for body in bench.pos.requests.bodies]
    assert {"findOrder", "getOrder", "getPackingSlipsByOrder"} <= {etree.QName(call).localname for call in calls}
    for call in calls:
        xsd.assertValid(call)
