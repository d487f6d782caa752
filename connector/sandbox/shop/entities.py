"""The fourteen entities, one row each: what differs between them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from connector.sandbox.shop import facts, goods, people, purchases, sales
from connector.sandbox.shop.item import Build, Draft
from connector.sandbox.shop.wares import articles_of


@dataclass(frozen=True, slots=True)
class Entity:
    """`wrapper` is the list element around its items, None where the answer repeats them directly."""

    name: str
    head: str
    element: str
    wrapper: str | None
    build: Build
    identify: Callable[[Draft], str]
    kind: Callable[[Draft], str] = lambda draft: ""


def _plain(draft: Draft) -> str:
    return str(draft.number)


def _year_number(draft: Draft) -> str:
    return "{year}-{number}".format_map(draft.year_number())


def _uuid(draft: Draft) -> str:
    return facts.uuid_text(draft.seed, draft.item.entity, draft.number, draft.item.epoch)


def parts_of(entity: str, number: int) -> int:
    """How many parts with a marker of their own an item has: a product's articles."""
    return len(articles_of(number)) if entity == "article" else 0


_ROWS = (
    Entity("article", "articleSyncMarker", "product", "productList", goods.product, _plain),
    Entity(
        "articleGroup", "articleGroupSyncMarker", "changedArticleGroups", "changedArticleGroupList", goods.article_group, _plain
    ),
    Entity("relation", "relationSyncMarker", "relation", "relationList", people.relation, _plain),
    Entity("employee", "employeeSyncMarker", "employee", "employeeList", people.employee, _plain),
    Entity("invoice", "invoiceSyncMarker", "invoice", "invoiceList", sales.invoice, _uuid),
    Entity("receipt", "receiptSyncMarker", "receipt", "receiptList", sales.receipt, _uuid),
    Entity("order", "orderSyncMarker", "order", "orderList", sales.order, _uuid, sales.order_type),
    Entity("proposal", "proposalSyncMarker", "proposal", "proposalList", sales.proposal, _uuid),
    Entity("stock", "stockId", "articleStockHistory", None, goods.stock, _plain),
    Entity(
        "purchaseOrder", "purchaseOrderSyncMarker", "purchaseOrder", "purchaseOrderList", purchases.purchase_order, _year_number
    ),
    Entity(
        "purchaseDelivery",
        "purchaseDeliverySyncMarker",
        "purchaseDelivery",
        "purchaseDeliveryList",
        purchases.purchase_delivery,
        _year_number,
    ),
    Entity("relationPoints", "relationPointsSyncMarker", "relationPointsLst", None, people.relation_points, _plain),
    Entity("activity", "activitySyncMarker", "activity", "activityList", people.activity, _uuid),
    Entity("packingSlip", "packingSlipSyncMarker", "packingSlip", "packingSlipList", sales.packing_slip, _uuid),
)
ENTITIES: Mapping[str, Entity] = MappingProxyType({row.name: row for row in _ROWS})


def document(draft: Draft) -> dict[str, Any]:
    """What an item holds now, as elements in their order; numbers that every change moves are always the item's own."""
    item = draft.item
    if item.content is None:
        return dict(ENTITIES[item.entity].build(draft))
    cancelled = f"ORDER-CANCEL-STATE-{'COMPLETE' if item.deleted else 'NOTHING'}"
    own = {**sales.counters(draft), "syncMarker": item.marker, "cancelState": cancelled}
    return {**item.content, **{name: value for name, value in own.items() if name in item.content}}
