"""What records tell of an order, without the stages between."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from connector.views.facts import command_fact, invoice_facts, order_fact, result_fact, slip_facts
from connector.views.fold import folded
from connector.views.projection import journey
from connector.views.records import InputRecord, milliseconds
from tests.support.views.histories import Made, at

FACTS: Mapping[str, Callable[[InputRecord], list[Any]]] = {
    "orders": lambda record: [order_fact(record)],
    "packing-slips": lambda record: [fact for _, fact in slip_facts(record)],
    "invoices": lambda record: [fact for order_id, fact in invoice_facts(record) if order_id == "id-1"],
    "order-commands": lambda record: [command_fact(record)],
    "order-command-results": lambda record: [result_fact(record)],
}


def arrived(made: Made, offset: int = 0) -> InputRecord:
    """The record as it is read, ten minutes before the histories begin."""
    moment = milliseconds(at(1, -10)) or 0
    return InputRecord(made.topic, 0, offset, moment, made.key, made.value, dict(made.headers))


def told(*records: Made) -> dict[str, Any]:
    """The journey that these records tell."""
    return journey_of(arrived(record) for record in records)


def journey_of(records: Iterable[InputRecord]) -> dict[str, Any]:
    """The journey that they tell."""
    kept = None
    for record in records:
        for fact in FACTS[record.topic](record):
            kept = folded(kept, fact)
    assert kept is not None
    return journey("web-1", kept)
