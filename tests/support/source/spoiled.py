"""Items of the sandbox that cannot be decoded."""

from connector.sandbox import Sandbox
from connector.sandbox.shop.item import Item
from connector.sandbox.soap.writing import item_xml


def spoil(pos: Sandbox, entity: str, marker: int, old: str, new: str) -> Item:
    """Change what the POS answers for the item at this marker."""
    item = next(item for item in pos.shop.sequences[entity] if item.marker == marker)
    for view in ("whole", "whole v1"):
        xml = item_xml(pos.shop, item, view)
        assert old.encode() in xml
        item.xml[view] = xml.replace(old.encode(), new.encode(), 1)
    return item


def markers(pos: Sandbox, entity: str) -> list[int]:
    """Of all items that are shown."""
    return sorted(pos.truth()[entity].values())
