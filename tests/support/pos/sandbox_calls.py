"""Speaking to the sandbox over HTTP, and reading its answers with the standard library alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from xml.etree import ElementTree as ET

import httpx

from connector.sandbox import Sandbox

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
NS = "{urn:mplusqapi}"


@dataclass(frozen=True)
class Way:
    """How an entity is read: the operation, the fields its request needs, where its items and their identities are."""

    operation: str
    item: str
    identity: str
    before: str = ""
    after: str = ""
    since: str = "syncMarker"
    marker: str = "syncMarker"


PLUS = "<articlePluNumbers/><articleBarcodes/>"
WAYS: Mapping[str, Way] = {
    "article": Way(
        "getProducts",
        "product",
        "productNumber",
        "<pluNumbers/>",
        "<includeAllArticlesOfSelectedProducts>true</includeAllArticlesOfSelectedProducts>",
    ),
    "articleGroup": Way("getArticleGroupChanges", "changedArticleGroups", "groupNumber"),
    "relation": Way("getRelations", "relation", "relationNumber"),
    "employee": Way("getEmployees", "employee", "employeeNumber"),
    "invoice": Way("getInvoices", "invoice", "invoiceId", after=PLUS),
    "receipt": Way("getReceipts", "receipt", "receiptId", after=PLUS),
    "order": Way("getOrders", "order", "orderId", after=PLUS),
    "proposal": Way("getProposals", "proposal", "proposalId"),
    "stock": Way("getStockHistoryV2", "articleStockHistory", "stockId", since="sinceStockId", marker="stockId"),
    "purchaseOrder": Way("getPurchaseOrdersV2", "purchaseOrder", "purchaseOrderNumber"),
    "purchaseDelivery": Way("getPurchaseDeliveriesV2", "purchaseDelivery", "purchaseDeliveryNumber"),
    "relationPoints": Way("getRelationPoints", "relationPointsLst", "relationNumber"),
    "activity": Way("getActivities", "activity", "activityId"),
    "packingSlip": Way("getPackingSlips", "packingSlip", "packingSlipId"),
}


def page_request(entity: str, marker: int | None = 0, limit: int | None = None, extra: str = "") -> str:
    """The request element that asks for a page; `extra` stands after the fields that every request needs."""
    way = WAYS[entity]
    since = "" if marker is None else f"<{way.since}>{marker}</{way.since}>"
    count = "" if limit is None else f"<{way.since}Limit>{limit}</{way.since}Limit>"
    return f"<request>{way.before}{since}{count}{way.after}{extra}</request>"


async def post(pos: Sandbox, body: str | bytes, **query: str) -> httpx.Response:
    """The answer to a raw body; `query` replaces ident and secret."""
    async with httpx.AsyncClient(timeout=10) as client:
        return await client.post(pos.url, content=body, params={"ident": pos.ident, "secret": pos.secret, **query})


def envelope(operation: str, inner: str = "") -> str:
    call = f'<{operation} xmlns="urn:mplusqapi">{inner}</{operation}>'
    return f'<e:Envelope xmlns:e="{SOAP}"><e:Body>{call}</e:Body></e:Envelope>'


async def call(pos: Sandbox, operation: str, inner: str = "") -> httpx.Response:
    return await post(pos, envelope(operation, inner))


async def answer(pos: Sandbox, operation: str, inner: str = "") -> ET.Element:
    """The element inside the answer's SOAP body."""
    response = await call(pos, operation, inner)
    assert response.status_code == 200, response.text
    body = ET.fromstring(response.content)[0]
    return body[0]


async def page(
    pos: Sandbox, entity: str, marker: int | None = 0, limit: int | None = None, extra: str = ""
) -> list[tuple[str, int]]:
    """The (identity, marker) pairs of a page, in the order in which they came."""
    found = await answer(pos, WAYS[entity].operation, page_request(entity, marker, limit, extra))
    return [(identity(entity, item), marker_of(entity, item)) for item in items(entity, found)]


def items(entity: str, found: ET.Element) -> list[ET.Element]:
    name = WAYS[entity].item
    return [item for item in found.iter(NS + name) if item.find(NS + WAYS[entity].identity) is not None]


def identity(entity: str, item: ET.Element) -> str:
    element = item.find(NS + WAYS[entity].identity)
    assert element is not None
    return "-".join(part.text or "" for part in element) or element.text or ""


def marker_of(entity: str, item: ET.Element) -> int:
    own = item.findtext(NS + WAYS[entity].marker)
    return int(own) if own else max(int(each.text or "") for each in item.iter(NS + "syncMarker"))


async def heads(pos: Sandbox) -> dict[str, int]:
    """The fields of getCurrentSyncMarkers."""
    found = await answer(pos, "getCurrentSyncMarkers")
    return {head.tag.removeprefix(NS): int(head.text or "") for head in found}


async def control(pos: Sandbox, name: str, sent: object = None) -> httpx.Response:
    """GET, or with `sent` POST, one of the sandbox's own routes."""
    async with httpx.AsyncClient(timeout=10) as client:
        url = f"{pos.url}_sandbox/{name}"
        return await (client.get(url) if sent is None else client.post(url, json=sent))


def fault(response: httpx.Response) -> tuple[str, str]:
    """The fault's code and text."""
    assert response.status_code == 500, response.text
    root = ET.fromstring(response.content)
    return root.findtext(".//faultcode") or "", root.findtext(".//faultstring") or ""
