"""Every answer is what the vendor's WSDL says it is."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from connector.sandbox import Sandbox, SandboxOptions
from connector.sandbox.operations import OPERATIONS
from connector.sandbox.soap import order_fields
from tests.support.pos.sandbox_calls import PLUS, WAYS, call, page_request
from tests.support.pos.sandbox_orders import ORDER_OPERATIONS
from tests.support.pos.sandbox_requests import REQUESTS, V1, WITHOUT_REQUEST
from tests.support.pos.zeep_client import service

ALL_TYPES = ("SALES-ORDER", "REPEAT-SALES-ORDER", "EXTERNAL-SALES-ORDER", "TABLE-ORDER", "CAFETERIA-ORDER")
TYPES = "".join(f"<orderType>ORDER-TYPE-{name}</orderType>" for name in ALL_TYPES)
BRIEF = "<includeLineList>false</includeLineList>"
NESTED = {
    order_fields.ORDER: "Order",
    order_fields.LINE: "Line",
    order_fields.LINE_DATA: "LineData",
    order_fields.PAYMENT: "Payment",
    order_fields.ADDRESS: "Address",
    order_fields.DATE: "SoapMplusDate",
    order_fields.MOMENT: "SoapMplusDateTime",
    order_fields.DELIVERY: "OrderDelivery",
    order_fields.DELIVERY_LINE: "OrderDeliveryLine",
    order_fields.CANCELLER: "CancelOrderRequest",
    order_fields.WORKPLACE: "WorkplaceIdentifier",
    order_fields.EMPLOYEE: "EmployeeIdentifier",
    order_fields.LINES: "LineList",
    order_fields.PAYMENTS: "PaymentList",
    order_fields.IDS: "IdList",
}
VARIANTS = (
    ("getProducts", "<request><pluNumbers/><syncMarker>30</syncMarker></request>"),
    ("getOrders", page_request("order", extra=f"<orderTypeList>{TYPES}</orderTypeList>")),
    ("getOrders", page_request("order", extra=BRIEF)),
    ("getPurchaseOrders", page_request("purchaseOrder", extra=BRIEF)),
    ("getRelations", ""),
    ("getInvoices", f"<request><syncMarker>99999999</syncMarker>{PLUS}</request>"),
)


def _check(schema: Any, content: bytes) -> int:
    element = etree.fromstring(content)[0][0]
    alone = etree.fromstring(etree.tostring(element))
    assert schema.validate(alone), schema.error_log
    return len(list(alone.iter()))


def test_the_samples_cover_every_operation() -> None:
    """No operation is left out of the checks below."""
    assert REQUESTS.keys() == OPERATIONS.keys() - ORDER_OPERATIONS


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_every_answer_is_valid(schema: Any, seed: int) -> None:
    """After much activity, deletions and a restore, every operation answers what the XSD allows, and more than a shell."""
    async with Sandbox(SandboxOptions(seed=seed, items=60)) as pos:
        for _ in range(400):
            pos.activity.step()
        pos.shop.fall_back("order", 10)
        pos.shop.change("order", 20)
        for operation, inner in (*REQUESTS.items(), *VARIANTS):
            response = await call(pos, operation, inner)
            assert response.status_code == 200, response.text
            empty = "99999999" in inner
            assert _check(schema, response.content) > (1 if empty else 4), operation


async def test_every_request_that_the_tests_send_is_valid(schema: Any) -> None:
    """The sandbox is asked as the XSD wants it, so that it is not merely lenient towards its own tests."""
    for operation, inner in (*REQUESTS.items(), *VARIANTS):
        request = etree.fromstring(f'<{operation} xmlns="urn:mplusqapi">{inner}</{operation}>')
        assert schema.validate(request), (operation, schema.error_log)


async def test_the_sandbox_knows_every_field_of_every_request(wsdl: Path) -> None:
    """The fields that the sandbox accepts are those of the WSDL, in its order, with the same ones required."""
    xsd = "{http://www.w3.org/2001/XMLSchema}"
    root = etree.parse(wsdl)
    for name, operation in OPERATIONS.items():
        own = root.findall(f".//{xsd}schema/{xsd}element[@name='{name}']/{xsd}complexType/{xsd}sequence/{xsd}element")
        inside = own[0] if own and operation.request != "bare" else None
        elements = own if inside is None else _fields(root, inside.get("type").partition(":")[2])
        told = [(field.get("name"), field.get("minOccurs", "1") == "1") for field in elements]
        assert [(field.rstrip("!*"), "!" in field) for field in operation.fields.split()] == told, name
        bare = "bare" if own and operation.request == "bare" else "no"
        must = bare if inside is None else {"0": "may", "1": "must"}[inside.get("minOccurs", "1")]
        assert operation.request == must, name
        assert (len(own) == 1 and own[0].get("name") == "request") == (must in ("may", "must")), name


def test_the_sandbox_knows_every_field_inside_an_order(wsdl: Path) -> None:
    """Orders, lines, payments and what else nests in requests have the fields of the WSDL, in its order."""
    root = etree.parse(wsdl)
    for row, name in NESTED.items():
        told = [(field.get("name"), field.get("minOccurs", "1") == "1") for field in _fields(root, name)]
        assert [(field.rstrip("!*"), "!" in field) for field in row.split()] == told, name


def _fields(root: Any, name: str) -> list[Any]:
    """The elements of a type, those of the type it extends first."""
    xsd = "{http://www.w3.org/2001/XMLSchema}"
    found = root.find(f".//{xsd}complexType[@name='{name}']")
    extension = found.find(f".//{xsd}extension")
    base = [] if extension is None else _fields(root, extension.get("base").partition(":")[2])
    return [*base, *found.findall(f".//{xsd}sequence/{xsd}element")]


async def test_a_client_made_from_the_wsdl_finds_the_truth(pos: Sandbox, wsdl: Path) -> None:
    """zeep, which knows only the WSDL, reads every operation and finds each identity at its marker."""
    for _ in range(60):
        pos.activity.step()
    found = await asyncio.to_thread(_read_all, pos, wsdl)
    assert found == pos.truth()


def _read_all(pos: Sandbox, wsdl: Path) -> dict[str, dict[str, int]]:
    service = _service(pos, wsdl)
    for operation in WITHOUT_REQUEST:
        assert service[operation]() is not None
    assert service["getCurrentSyncMarkersV2"](request={})["stockId"] == pos.shop.heads()["stock"]
    for operation, entity in V1.items():
        assert _pairs(entity, service[operation](request={"syncMarker": 0})) == pos.truth()[entity]
    return {entity: _pairs(entity, service[way.operation](request=_arguments(entity))) for entity, way in WAYS.items()}


def _service(pos: Sandbox, wsdl: Path) -> Any:
    return service(str(wsdl), f"{pos.url}?ident={pos.ident}&secret={pos.secret}")


def _arguments(entity: str) -> dict[str, object]:
    way = WAYS[entity]
    empty: dict[str, object] = {"text": []}
    needed = (
        {"pluNumbers": empty}
        if way.before
        else {"articlePluNumbers": empty, "articleBarcodes": empty}
        if way.after == PLUS
        else {}
    )
    everything = {"includeAllArticlesOfSelectedProducts": True} if entity == "article" else {}
    return {**needed, way.since: 0, **everything}


def _pairs(entity: str, found: Any) -> dict[str, int]:
    return {_identity(item, WAYS[entity].identity): _marker(item, WAYS[entity].marker) for item in _rows(found)}


def _rows(found: Any) -> list[Any]:
    """The items, whether the answer repeats them directly, sits in a list element, or is that list (zeep unwraps it)."""
    while not isinstance(found, list):
        names = list(found)
        found = found[names[0]]
    return found


def _identity(item: Any, name: str) -> str:
    value = item[name]
    return f"{value['year']}-{value['number']}" if hasattr(value, "year") else str(value)


def _marker(item: Any, name: str) -> int:
    own: int | None = item[name]
    return max(article["syncMarker"] for article in item["articleList"]["article"]) if own is None else own
