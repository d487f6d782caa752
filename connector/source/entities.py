"""The table of entities: what differs between them is a row here. Facts: the vendor's WSDL and tutorials."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from connector.errors import Misconfigured
from connector.mplus.request import Fields, Value
from connector.mplus.responses.pages import PageSpec


@dataclass(frozen=True, slots=True)
class Choices:
    """Settings that shape requests: which order types getOrders shall return (empty: the POS's own choice)."""

    order_types: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """An operation that reads an entity, and its fields in the XSD's order for a marker and a limit."""

    operation: str
    fields: Callable[[int, int, Choices], Fields]


@dataclass(frozen=True, slots=True)
class Entity:
    """One row.

    `number` is fixed for ever: it decides the work partition. `head` is the field of getCurrentSyncMarkers;
    a slow list has none. `readings`: the preferred operation first, then those of older administrations.
    `asks_after`: the operation takes the last marker seen instead of the next one. `drifting`: elements that may change without a
    new marker.
    """

    name: str
    number: int
    topic: str
    readings: tuple[Reading, ...]
    page: PageSpec
    head: str = ""
    compacted: bool = True
    asks_after: bool = False
    drifting: frozenset[str] = frozenset()

    @property
    def listed(self) -> bool:
        """A slow list without sync markers: published when it changed."""
        return not self.head

    def first_after(self, marker: int) -> int:
        """What a page behind this marker is asked with."""
        return max(0, marker + (not self.asks_after))

    def name_of(self, identity: str, marker: int) -> str:
        """What tells items apart: the identity; where every change is kept, with its marker."""
        return identity if self.compacted else f"{identity}:{marker}"


def _plain(operation: str, *rest: tuple[str, Value], before: Sequence[tuple[str, Value]] = ()) -> Reading:
    def fields(marker: int, limit: int, _: Choices) -> Fields:
        return [*before, ("syncMarker", marker), ("syncMarkerLimit", limit), *rest]

    return Reading(operation, fields)


def _orders(marker: int, limit: int, choices: Choices) -> Fields:
    types: Fields = [("orderTypeList", [("orderType", kind) for kind in choices.order_types])] if choices.order_types else []
    return [("syncMarker", marker), ("syncMarkerLimit", limit), *_NO_ARTICLES, *types, _LINES]


def _stock(marker: int, limit: int, _: Choices) -> Fields:
    return [("sinceStockId", marker), ("sinceStockIdLimit", limit)]


_LINES = ("includeLineList", True)
_NO_ARTICLES: Fields = (("articlePluNumbers", ()), ("articleBarcodes", ()))
"""Required by the XSD, and may be empty."""

_PICTURES = frozenset({"imageData", "thumbData"})
_CREDENTIALS = frozenset({"password", "rfid"})
_NUMBER = (("year", None), ("number", None))


def _page(*path: str, schema: str, identity: str, numbered: bool = False, **more: object) -> PageSpec:
    parts = tuple((f"{identity}.{part}", default) for part, default in _NUMBER) if numbered else ((identity, None),)
    return PageSpec(path=path, schema=schema, identity=parts, **{"marker": "syncMarker", **more})  # type: ignore[arg-type]


ENTITIES: tuple[Entity, ...] = (
    Entity(
        "article", 1, "articles", head="articleSyncMarker",
        readings=(_plain("getProducts", ("includeAllArticlesOfSelectedProducts", True), before=[("pluNumbers", ())]),),
        page=_page(
            "productList", "product", schema="article", identity="productNumber", marker_within="articleList", omit=_PICTURES
        ),
    ),
    Entity(
        "articleGroup", 2, "article-groups", head="articleGroupSyncMarker",
        readings=(_plain("getArticleGroupChanges"),),
        page=_page(
            "changedArticleGroupList", "changedArticleGroups", schema="articleGroup",
            identity="groupNumber", deleted="isDeleted", omit=_PICTURES,
        ),
    ),
    Entity(
        "relation", 3, "relations", head="relationSyncMarker", drifting=frozenset({"points", "balance", "accountBalance"}),
        readings=(_plain("getRelations"),),
        page=_page("relationList", "relation", schema="relation", identity="relationNumber", omit=_PICTURES),
    ),
    Entity(
        "employee", 4, "employees", head="employeeSyncMarker",
        readings=(_plain("getEmployees"),),
        page=_page("employeeList", "employee", schema="employee", identity="employeeNumber", omit=_CREDENTIALS | _PICTURES),
    ),
    Entity(
        "invoice", 5, "invoices", head="invoiceSyncMarker",
        readings=(_plain("getInvoices", *_NO_ARTICLES, _LINES),),
        page=_page("invoiceList", "invoice", schema="invoice", identity="invoiceId"),
    ),
    Entity(
        "receipt", 6, "receipts", head="receiptSyncMarker",
        readings=(_plain("getReceipts", *_NO_ARTICLES, _LINES),),
        page=_page("receiptList", "receipt", schema="receipt", identity="receiptId"),
    ),
    Entity(
        "order", 7, "orders", head="orderSyncMarker",
        readings=(Reading("getOrders", _orders),),
        page=_page("orderList", "order", schema="order", identity="orderId"),
    ),
    Entity(
        "proposal", 8, "proposals", head="proposalSyncMarker",
        readings=(_plain("getProposals", _LINES),),
        page=_page("proposalList", "proposal", schema="proposal", identity="proposalId"),
    ),
    Entity(
        "stock", 9, "stock", head="stockId", compacted=False, asks_after=True,
        readings=(Reading("getStockHistoryV2", _stock),),
        page=PageSpec(
            path=("articleStockHistory",), schema="stock", marker="stockId",
            identity=(("branchNumber", "0"), ("articleNumber", None)),
        ),
    ),
    Entity(
        "purchaseOrder", 10, "purchase-orders", head="purchaseOrderSyncMarker",
        readings=(_plain("getPurchaseOrdersV2", _LINES), _plain("getPurchaseOrders", _LINES)),
        page=_page("purchaseOrderList", "purchaseOrder", schema="purchaseOrder", identity="purchaseOrderNumber", numbered=True),
    ),
    Entity(
        "purchaseDelivery", 11, "purchase-deliveries", head="purchaseDeliverySyncMarker",
        readings=(_plain("getPurchaseDeliveriesV2", _LINES), _plain("getPurchaseDeliveries", _LINES)),
        page=_page(
            "purchaseDeliveryList", "purchaseDelivery", schema="purchaseDelivery",
            identity="purchaseDeliveryNumber", numbered=True,
        ),
    ),
    Entity(
        "relationPoints", 12, "relation-points", head="relationPointsSyncMarker",
        readings=(_plain("getRelationPoints"),),
        page=_page("relationPointsLst", schema="relationPoints", identity="relationNumber"),
    ),
    Entity(
        "activity", 13, "activities", head="activitySyncMarker",
        readings=(_plain("getActivities"),),
        page=_page("activityList", "activity", schema="activity", identity="activityId", deleted="isDeleted"),
    ),
    Entity(
        "packingSlip", 14, "packing-slips", head="packingSlipSyncMarker",
        readings=(_plain("getPackingSlips", _LINES),),
        page=_page("packingSlipList", "packingSlip", schema="packingSlip", identity="packingSlipId"),
    ),
    Entity(
        "deliveryMethod", 15, "delivery-methods",
        readings=(Reading("getDeliveryMethods", lambda *_: ()),),
        page=_page("deliveryMethodList", "deliveryMethod", schema="deliveryMethod", identity="deliveryMethod", marker=None),
    ),
    Entity(
        "orderCategory", 16, "order-categories",
        readings=(Reading("getOrderCategories", lambda *_: ()),),
        page=_page("orderCategory", schema="orderCategory", identity="orderCategoryNumber", marker=None),
    ),
)  # fmt: skip


def named(names: Sequence[str]) -> tuple[Entity, ...]:
    """The entities of these names (`purchaseOrder` or the topic's word, `purchase-orders`); none means all.

    Raises Misconfigured.
    """
    words = {word: entity for entity in ENTITIES for word in (entity.name, entity.topic)}
    if unknown := [name for name in names if name not in words]:
        raise Misconfigured(f"unknown entities {', '.join(unknown)}: use {', '.join(entity.name for entity in ENTITIES)}")
    chosen = {words[name].name for name in names}
    return tuple(entity for entity in ENTITIES if not chosen or entity.name in chosen)
