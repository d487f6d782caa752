"""The two short lists without sync markers: delivery methods and order categories."""

from collections.abc import Iterator

from connector.sandbox.shop import catalogue

Row = dict[str, object]


def _delivery_methods() -> Iterator[tuple[str, Row]]:
    for method, description, button, enabled in catalogue.DELIVERY_METHODS:
        yield method, {"deliveryMethod": method, "description": description, "buttonText": button, "enabled": enabled}


def _order_categories() -> Iterator[tuple[str, Row]]:
    for number, description, needs, cancel, process in catalogue.ORDER_CATEGORIES:
        named: Row = {"orderCategoryNumber": number, "orderCategoryDescription": description}
        yield str(number), {**named, "orderCategoryDependencyNumbers": needs, "allowCancel": cancel, "allowProcess": process}


DESCRIPTIONS = {"deliveryMethod": "description", "orderCategory": "orderCategoryDescription"}


class Lists:
    """`rows[entity][identity]` is what the POS answers; tests may put rows in and take them out."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, Row]] = {
            "deliveryMethod": dict(_delivery_methods()),
            "orderCategory": dict(_order_categories()),
        }
        self._changes = 0

    def change(self, entity: str) -> str:
        """Give one row in turn another description and return its identity."""
        rows = self.rows[entity]
        identity = list(rows)[self._changes % len(rows)]
        self._changes += 1
        rows[identity][DESCRIPTIONS[entity]] = f"{identity}, versie {self._changes}"
        return identity
