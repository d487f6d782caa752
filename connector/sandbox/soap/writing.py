"""An item's XML, kept until the item changes."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from connector.sandbox.shop.entities import ENTITIES
from connector.sandbox.shop.item import Item
from connector.sandbox.shop.purchases import as_v1
from connector.sandbox.shop.shop import Shop
from connector.sandbox.soap import markup

Data = dict[str, object]
View = Callable[[Data], Data]


def _whole(data: Data) -> Data:
    return data


def _without_lines(data: Data) -> Data:
    return {name: value for name, value in data.items() if name != "lineList"}


def _first_version(data: Data) -> Data:
    return {name: as_v1(value) for name, value in data.items()}


VIEWS: Mapping[str, View] = MappingProxyType(
    {
        "whole": _whole,
        "brief": _without_lines,
        "whole v1": _first_version,
        "brief v1": lambda data: _first_version(_without_lines(data)),
    }
)


def item_xml(shop: Shop, item: Item, view: str) -> bytes:
    if view not in item.xml:
        item.xml[view] = write(item, VIEWS[view](shop.document(item)))
    return item.xml[view]


def changed_articles_xml(shop: Shop, item: Item, since: int) -> bytes:
    """A product with only those of its articles that changed at marker `since` or later."""
    data = shop.document(item)
    articles = data["articleList"]["article"]
    kept = [article for article, marker in zip(articles, item.parts, strict=True) if marker >= since]
    return write(item, data | {"articleList": {"article": kept}})


def write(item: Item, data: Data) -> bytes:
    """Both spellings of booleans occur: every other item has 1 and 0."""
    booleans = markup.DIGITS if item.number % 2 else markup.WORDS
    return markup.element(ENTITIES[item.entity].element, data, booleans).encode()
