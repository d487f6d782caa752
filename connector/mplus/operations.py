"""The operations the connector calls, and whether repeating one is safe. What a call carries is its caller's knowledge."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Operation:
    """One row. `wrapped`: its fields go into a `request` element. `repeatable`: the client may retry it by itself.

    `told`: the answer's element, where its name does not follow from the operation's.
    """

    name: str
    wrapped: bool = True
    repeatable: bool = False
    told: str = ""

    @property
    def response(self) -> str:
        """The name of the answer's element: what carries another name is no answer to this operation."""
        return self.told or f"{self.name[0].upper()}{self.name[1:]}Response"


def _reading(name: str, *, wrapped: bool = True, told: str = "") -> Operation:
    return Operation(name, wrapped=wrapped, repeatable=True, told=told)


OPERATIONS = {
    row.name: row
    for row in (
        _reading("getApiVersion", wrapped=False, told="getApiVersionResponse"),
        _reading("getCurrentSyncMarkers", wrapped=False, told="getCurrentSyncMarkersResponse"),
        _reading("getCurrentSyncMarkersV2"),
        _reading("getProducts"),
        _reading("getArticleGroupChanges"),
        _reading("getRelations"),
        _reading("getEmployees"),
        _reading("getInvoices"),
        _reading("getReceipts"),
        _reading("getOrders"),
        _reading("getProposals"),
        _reading("getStockHistoryV2", told="GetStockHistoryResponse"),
        _reading("getPurchaseOrders"),
        _reading("getPurchaseOrdersV2"),
        _reading("getPurchaseDeliveries"),
        _reading("getPurchaseDeliveriesV2"),
        _reading("getRelationPoints"),
        _reading("getActivities"),
        _reading("getPackingSlips"),
        _reading("getDeliveryMethods", wrapped=False),
        _reading("getOrderCategories", wrapped=False),
        _reading("findOrder", wrapped=False, told="GetOrderResponse"),
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
