"""The operations that the sandbox speaks, one row each. A new one is a row here."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from xml.etree import ElementTree as ET

from . import heads, pages
from . import request_fields as rows
from .pages import Page
from .requests import Asked, fields, read_request
from .shop import Shop
from .soap import Call, client, local

Answer = Callable[[Shop, Asked], Iterable[bytes]]


@dataclass(frozen=True, slots=True)
class Operation:
    """`response` is the answer's element; `request` says whether there is a request element: must, may or no."""

    response: str
    answer: Answer
    fields: str = rows.NOTHING
    request: str = "must"

    def carry_out(self, shop: Shop, call: Call) -> list[bytes]:
        asked = read_request(self._request_of(call.element), fields(self.fields))
        inner = self.answer(shop, asked)
        return [f"<ns:{self.response}>".encode(), *inner, f"</ns:{self.response}>".encode()]

    def _request_of(self, element: ET.Element) -> ET.Element:
        if [local(child) for child in element] not in ALLOWED[self.request]:
            raise client(f"'{local(element)}' needs {NEEDS[self.request]}")
        return element[0] if len(element) else element


ALLOWED: Mapping[str, list[list[str]]] = {"must": [["request"]], "may": [["request"], []], "no": [[]]}
NEEDS: Mapping[str, str] = {"must": "one request element", "may": "at most one request element", "no": "no elements inside"}

OPERATIONS: Mapping[str, Operation] = MappingProxyType(
    {
        "getApiVersion": Operation("getApiVersionResponse", pages.api_version, request="no"),
        "getCurrentSyncMarkers": Operation("getCurrentSyncMarkersResponse", heads.all_heads, request="no"),
        "getCurrentSyncMarkersV2": Operation("GetCurrentSyncMarkersV2Response", heads.chosen_heads, heads.FLAGS),
        "getDeliveryMethods": Operation("GetDeliveryMethodsResponse", pages.delivery_methods, request="no"),
        "getOrderCategories": Operation("GetOrderCategoriesResponse", pages.order_categories, request="no"),
        "getProducts": Operation("GetProductsResponse", Page("article", "productNumbers").answer, rows.PRODUCTS),
        "getArticleGroupChanges": Operation(
            "GetArticleGroupChangesResponse", Page("articleGroup", "groupNumbers").answer, rows.ARTICLE_GROUPS
        ),
        "getRelations": Operation("GetRelationsResponse", Page("relation", "relationNumbers").answer, rows.RELATIONS, "may"),
        "getEmployees": Operation("GetEmployeesResponse", Page("employee", "employeeNumbers").answer, rows.EMPLOYEES, "may"),
        "getInvoices": Operation("GetInvoicesResponse", Page("invoice", "invoiceIds").answer, rows.INVOICES),
        "getReceipts": Operation("GetReceiptsResponse", Page("receipt", "receiptIds").answer, rows.RECEIPTS),
        "getOrders": Operation("GetOrdersResponse", Page("order", "orderIds").answer, rows.ORDERS),
        "getProposals": Operation("GetProposalsResponse", Page("proposal", "proposalIds").answer, rows.PROPOSALS),
        "getStockHistoryV2": Operation("GetStockHistoryResponse", Page("stock", since="sinceStockId").answer, rows.STOCK),
        "getPurchaseOrders": Operation(
            "GetPurchaseOrdersResponse", Page("purchaseOrder", version="v1").answer, rows.PURCHASE_ORDERS
        ),
        "getPurchaseOrdersV2": Operation("GetPurchaseOrdersV2Response", Page("purchaseOrder").answer, rows.PURCHASE_ORDERS),
        "getPurchaseDeliveries": Operation(
            "GetPurchaseDeliveriesResponse", Page("purchaseDelivery", version="v1").answer, rows.PURCHASE_DELIVERIES
        ),
        "getPurchaseDeliveriesV2": Operation(
            "GetPurchaseDeliveriesV2Response", Page("purchaseDelivery").answer, rows.PURCHASE_DELIVERIES_V2
        ),
        "getRelationPoints": Operation(
            "GetRelationPointsResponse", Page("relationPoints", "relationNumbers").answer, rows.RELATION_POINTS
        ),
        "getActivities": Operation("GetActivitiesResponse", Page("activity").answer, rows.ACTIVITIES),
        "getPackingSlips": Operation("GetPackingSlipsResponse", Page("packingSlip", "packingSlipIds").answer, rows.PACKING_SLIPS),
    }
)


def carry_out(shop: Shop, call: Call, missing: frozenset[str]) -> list[bytes]:
    """The parts of the answer's body. Operations in `missing` are treated as an old administration treats them."""
    if call.operation not in OPERATIONS or call.operation in missing:
        raise client(f"Method '{call.operation}' not implemented")
    return OPERATIONS[call.operation].carry_out(shop, call)
