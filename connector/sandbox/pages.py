"""The answers that hold a page of items, and the two short lists."""

from collections.abc import Callable
from dataclasses import dataclass

from connector.sandbox.shop.entities import ENTITIES
from connector.sandbox.shop.item import Item
from connector.sandbox.shop.selection import Selection
from connector.sandbox.shop.shop import Shop, shown, shuffled
from connector.sandbox.soap import markup
from connector.sandbox.soap.requests import Asked
from connector.sandbox.soap.soap import client
from connector.sandbox.soap.writing import changed_articles_xml, item_xml

DEFAULT_LIMIT = 1000
HIGHEST_LIMIT = 10_000


@dataclass(frozen=True, slots=True)
class Page:
    """How one operation answers with an entity's items: `ids` names the field that asks for some by their identity."""

    entity: str
    ids: str = ""
    version: str = ""
    since: str = "syncMarker"

    def answer(self, shop: Shop, asked: Asked) -> list[bytes]:
        selection = self._selection(shop, asked)
        found = shop.select(self.entity, selection)
        page = shuffled(found, shop.seed, self.entity, selection.marker, selection.limit)
        return wrapped(ENTITIES[self.entity].wrapper, [self._write(shop, asked, item) for item in page])

    def _selection(self, shop: Shop, asked: Asked) -> Selection:
        marker, limit = asked.number(self.since, 0), asked.number(f"{self.since}Limit", DEFAULT_LIMIT)
        if limit < 1:
            raise client(f"{self.since}Limit must be 1 or more")
        past = self.since == "sinceStockId" and not shop.stock_inclusive
        return Selection(marker + past, min(limit, HIGHEST_LIMIT), self._visible(asked))

    def _visible(self, asked: Asked) -> Callable[[Item], bool]:
        kinds = frozenset(asked.texts("orderTypeList")) - {""}
        identities = frozenset(asked.texts(self.ids))
        if identities:
            return lambda item: item.identity in identities
        return (lambda item: item.kind in kinds) if kinds else shown

    def _write(self, shop: Shop, asked: Asked, item: Item) -> bytes:
        if self.entity == "article" and not asked.flag("includeAllArticlesOfSelectedProducts", default=False):
            return changed_articles_xml(shop, item, asked.number(self.since, 0))
        detail = "whole" if asked.flag("includeLineList", default=True) else "brief"
        return item_xml(shop, item, f"{detail} {self.version}".strip())


def wrapped(wrapper: str | None, items: list[bytes]) -> list[bytes]:
    """The items inside their list element, if the answer has one."""
    return items if wrapper is None else [f"<ns:{wrapper}>".encode(), *items, f"</ns:{wrapper}>".encode()]


def delivery_methods(shop: Shop, asked: Asked) -> list[bytes]:
    rows = list(shop.lists.rows["deliveryMethod"].values())
    return [markup.element("deliveryMethodList", {"deliveryMethod": rows}).encode()]


def order_categories(shop: Shop, asked: Asked) -> list[bytes]:
    rows = list(shop.lists.rows["orderCategory"].values())
    return [markup.element("orderCategory", rows).encode()]


def api_version(shop: Shop, asked: Asked) -> list[bytes]:
    version = {"majorNumber": 67, "minorNumber": 1, "revisionNumber": 3, "inDebugMode": False}
    return [markup.element(name, value).encode() for name, value in version.items()]
