"""The operations the connector calls, and whether repeating one is safe. What a call carries is its caller's knowledge."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Operation:
    """One row. `wrapped`: its fields go into a `request` element. `repeatable`: the client may retry it by itself."""

    name: str
    wrapped: bool = True
    repeatable: bool = False


def _reading(name: str, *, wrapped: bool = True) -> Operation:
    return Operation(name, wrapped=wrapped, repeatable=True)


OPERATIONS = {
    row.name: row
    for row in (
        _reading("getApiVersion", wrapped=False),
        _reading("getCurrentSyncMarkers", wrapped=False),
        _reading("getCurrentSyncMarkersV2"),
        _reading("getProducts"),
        _reading("getArticleGroupChanges"),
        _reading("getRelations"),
        _reading("getEmployees"),
        _reading("getInvoices"),
        _reading("getReceipts"),
        _reading("getOrders"),
        _reading("getProposals"),
        _reading("getStockHistoryV2"),
        _reading("getPurchaseOrders"),
        _reading("getPurchaseOrdersV2"),
        _reading("getPurchaseDeliveries"),
        _reading("getPurchaseDeliveriesV2"),
        _reading("getRelationPoints"),
        _reading("getActivities"),
        _reading("getPackingSlips"),
        _reading("getDeliveryMethods", wrapped=False),
        _reading("getOrderCategories", wrapped=False),
        _reading("findOrder", wrapped=False),
        _reading("getOrder", wrapped=False),
        _reading("getPackingSlipsByOrder"),
        Operation("createOrder", wrapped=False),
        Operation("createOrderV3"),
        Operation("updateOrder", wrapped=False),
        Operation("updateOrderV2"),
        Operation("cancelOrder", wrapped=False),
        Operation("payOrder"),
        Operation("payOrderV2"),
        Operation("deliverOrder"),
        Operation("deliverOrderV2"),
    )
}
