"""Ordering from the sandbox: requests, and answers as plain values."""

from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree import ElementTree as ET

from connector.sandbox import Sandbox
from connector.sandbox.faults.result_codes import CODES
from tests.support.pos.sandbox_calls import NS, answer

READS = ("findOrder", "getOrder", "getOrdersByExtOrderIds", "getPackingSlipsByOrder")
ORDER_OPERATIONS = frozenset({*READS, *CODES})
WRAPPED = ORDER_OPERATIONS - {"findOrder", "getOrder", "createOrder", "updateOrder", "cancelOrder"}
BREAD, BUN = 20, 10  # articles of 4.25 and 1.95
TWO_AND_FOUR = ((BREAD, 2), (BUN, 4))
TOTAL = 2 * 425 + 4 * 195

Value = Any  # text, number, bool, None, or a mapping or list of such


def xml(name: str, value: Value) -> str:
    """An element; a list repeats it, None leaves it out."""
    if value is None:
        return ""
    if isinstance(value, list | tuple):
        return "".join(xml(name, each) for each in value)
    inner = "".join(xml(*pair) for pair in value.items()) if isinstance(value, Mapping) else str(value)
    return f"<{name}>{inner.lower() if isinstance(value, bool) else inner}</{name}>"


def inner(operation: str, fields: Mapping[str, Value]) -> str:
    """What stands inside the operation's element."""
    written = "".join(xml(*pair) for pair in fields.items())
    return f"<request>{written}</request>" if operation in WRAPPED else written


def plain(element: ET.Element) -> Any:
    """Text, or a mapping in which an element that occurs more than once is a list."""
    if not len(element):
        return element.text or ""
    found: dict[str, Any] = {}
    for child in element:
        name, value = child.tag.removeprefix(NS), plain(child)
        if name in found:
            found[name] = [*(found[name] if isinstance(found[name], list) else [found[name]]), value]
        else:
            found[name] = value
    return found


async def ask(pos: Sandbox, operation: str, **fields: Value) -> dict[str, Any]:
    """The answer; its result without the prefix that all results of the operation have."""
    found = plain(await answer(pos, operation, inner(operation, fields)))
    answered = found if isinstance(found, dict) else {}
    if "result" in answered:
        answered["result"] = answered["result"].partition("-RESULT-")[2]
    return answered


def order(ext: str = "a-1", lines: Sequence[tuple[int, int]] = TWO_AND_FOUR, **fields: Value) -> dict[str, Value]:
    """A new order; `fields` are others of the order, in their order before lineList."""
    rows = [{"articleNumber": article, "data": {"quantity": quantity}} for article, quantity in lines]
    return {"orderId": "", "extOrderId": ext, "relationNumber": 3, **fields, "lineList": {"line": rows}}


def payment(amount: int, reference: str = "", method: str = "IDEAL") -> dict[str, Value]:
    return {"method": method, "amount": amount, "externalReference": reference or None}


def payments(*rows: Mapping[str, Value]) -> dict[str, Value]:
    return {"payment": list(rows)}


async def create(pos: Sandbox, ext: str = "a-1", **fields: Value) -> str:
    """The orderId of a new order."""
    told = await ask(pos, "createOrder", order=order(ext, TWO_AND_FOUR, **fields))
    assert told["result"] == "OK", told
    return str(told["info"]["orderId"])


async def look(pos: Sandbox, order_id: str) -> dict[str, Any]:
    told = await ask(pos, "getOrder", orderId=order_id)
    assert told["result"] == "OK"
    return dict(told["order"])


def effects(pos: Sandbox) -> list[str]:
    return [row["effect"] for row in pos.effects]
