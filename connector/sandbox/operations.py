"""The operations that the sandbox speaks, one row each. A new one is a row here."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from xml.etree import ElementTree as ET

from connector.sandbox import heads, pages
from connector.sandbox.faults.switches import Faults
from connector.sandbox.order_operations import delivering, order_reads, orders, paying
from connector.sandbox.order_operations.commands import Command
from connector.sandbox.pages import Page
from connector.sandbox.shop.shop import Shop
from connector.sandbox.soap import order_fields as order_rows
from connector.sandbox.soap import request_fields as rows
from connector.sandbox.soap.requests import Asked, fields, read_request
from connector.sandbox.soap.soap import Call, client, local

Answer = Callable[[Shop, Asked], Iterable[bytes]]


@dataclass(frozen=True, slots=True)
class Operation:
    """`response` is the answer's element; `request` says whether there is a request element: must, may or no; bare:
    the fields stand in the operation's own element.
    """

    response: str
    answer: Answer
    fields: str = rows.NOTHING
    request: str = "must"

    def carry_out(self, shop: Shop, call: Call) -> list[bytes]:
        asked = read_request(self._request_of(call.element), fields(self.fields))
        inner = self.answer(shop, asked)
        return [f"<ns:{self.response}>".encode(), *inner, f"</ns:{self.response}>".encode()]

    def _request_of(self, element: ET.Element) -> ET.Element:
        if self.request == "bare":
            return element
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
        "findOrder": Operation("GetOrderResponse", order_reads.find_order, order_rows.BY_EXT_ID, "bare"),
        "getOrder": Operation("GetOrderResponse", order_reads.get_order, order_rows.BY_ID, "bare"),
        "getOrdersByExtOrderIds": Operation(
            "GetOrdersByExtOrderIdsResponse", order_reads.orders_by_ext_ids, order_rows.BY_EXT_IDS
        ),
        "getPackingSlipsByOrder": Operation("GetPackingSlipsByOrderResponse", order_reads.slips_by_order, order_rows.BY_ID),
        "createOrder": Operation(
            "CreateOrderResponse",
            Command("createOrder", orders.create, "result info errorMessage").answer,
            order_rows.ONE_ORDER,
            "bare",
        ),
        "createOrderV3": Operation(
            "CreateOrderV3Response",
            Command(
                "createOrderV3", orders.create, "idempotencyResult result order errorMessage info payResult invoiceId"
            ).answer,
            order_rows.CREATE_V3,
        ),
        "updateOrder": Operation(
            "UpdateOrderResponse",
            Command("updateOrder", orders.update, "result info errorMessage").answer,
            order_rows.ONE_ORDER,
            "bare",
        ),
        "updateOrderV2": Operation(
            "UpdateOrderV2Response",
            Command("updateOrderV2", orders.update, "result order errorMessage info").answer,
            order_rows.UPDATE_V2,
        ),
        "cancelOrder": Operation(
            "CancelOrderResponse", Command("cancelOrder", orders.cancel, "result message").answer, order_rows.CANCEL, "bare"
        ),
        "cancelOrderV2": Operation(
            "CancelOrderResponse",
            Command("cancelOrderV2", orders.cancel_or_undo, "result message").answer,
            order_rows.CANCEL_V2,
        ),
        "payOrder": Operation(
            "PayOrderResponse", Command("payOrder", paying.pay, "result invoiceId errorMessage").answer, order_rows.PAY
        ),
        "payOrderV2": Operation(
            "PayOrderV2Response",
            Command("payOrderV2", paying.pay, "idempotencyResult result invoiceId errorMessage").answer,
            order_rows.PAY_V2,
        ),
        "deliverOrder": Operation(
            "DeliverOrderResponse",
            Command("deliverOrder", delivering.deliver, "result packingSlipId invoiceId errorMessage").answer,
            order_rows.DELIVER,
        ),
        "deliverOrderV2": Operation(
            "DeliverOrderV2Response",
            Command("deliverOrderV2", delivering.deliver_part, "result packingSlipId invoiceId errorMessage").answer,
            order_rows.DELIVER_V2,
        ),
    }
)


def carry_out(shop: Shop, call: Call, faults: Faults) -> list[bytes]:
    """The parts of the answer's body. Missing operations are treated as an old administration treats them."""
    if call.operation not in OPERATIONS or call.operation in faults.missing_operations:
        raise client(f"Method '{call.operation}' not implemented")
    if call.operation in faults.unlicensed_operations:
        raise client(f"No licence for '{call.operation}'")
    shop.memory.book_queued()
    return OPERATIONS[call.operation].carry_out(shop, call)
