"""The answers to getCurrentSyncMarkers and its V2."""

from connector.sandbox.shop.entities import ENTITIES
from connector.sandbox.shop.shop import Shop
from connector.sandbox.soap import markup
from connector.sandbox.soap.requests import Asked

V1 = (
    "articleSyncMarker",
    "articleGroupSyncMarker",
    "relationSyncMarker",
    "employeeSyncMarker",
    "invoiceSyncMarker",
    "receiptSyncMarker",
    "orderSyncMarker",
    "proposalSyncMarker",
    "stockId",
    "ticketCounterSaleSyncMarker",
    "purchaseOrderSyncMarker",
    "purchaseDeliverySyncMarker",
    "relationPointsSyncMarker",
    "cashDrawerBalancingSyncMarker",
    "activitySyncMarker",
    "packingSlipSyncMarker",
    "dayStockConfigurationSyncMarker",
)
V2 = (
    *V1,
    "preparationMethodGroupSyncMarker",
    "articleAlterationsGroupsSyncMarker",
    "articleNutritionalCharacteristicsSyncMarker",
    "relationNutritionalCharacteristicsSyncMarker",
    "branchGroupSyncMarker",
)


def include(head: str) -> str:
    """The name of the flag that asks for a head."""
    return f"include{head[0].upper()}{head[1:]}"


FLAGS = " ".join(f"{include(head)}*" for head in V2)


def all_heads(shop: Shop, asked: Asked) -> list[bytes]:
    return _written(shop, V1)


def chosen_heads(shop: Shop, asked: Asked) -> list[bytes]:
    """The heads that are asked for; all of them when the request names none."""
    if not asked.values:
        return _written(shop, V2)
    return _written(shop, tuple(head for head in V2 if asked.flag(include(head), default=False)))


def _written(shop: Shop, names: tuple[str, ...]) -> list[bytes]:
    heads = shop.heads()
    by_field = {row.head: heads[row.name] for row in ENTITIES.values()}
    return [markup.element(name, by_field.get(name, 0)).encode() for name in names]
