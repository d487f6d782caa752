"""Requests that the sandbox must understand, by operation."""

from collections.abc import Mapping

from tests.support.pos.sandbox_calls import WAYS, page_request

WITHOUT_REQUEST = ("getApiVersion", "getCurrentSyncMarkers", "getDeliveryMethods", "getOrderCategories")


V1 = {"getPurchaseOrders": "purchaseOrder", "getPurchaseDeliveries": "purchaseDelivery"}


REQUESTS: Mapping[str, str] = {
    **dict.fromkeys(WITHOUT_REQUEST, ""),
    "getCurrentSyncMarkersV2": "<request/>",
    **{way.operation: page_request(entity) for entity, way in WAYS.items()},
    **{operation: page_request(entity) for operation, entity in V1.items()},
}
