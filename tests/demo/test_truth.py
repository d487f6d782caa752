"""The demo's own idea of what journeys and figures must say, and that it finds what does not."""

import copy
import random
from typing import Any

import orjson
import pytest

from connector.demo.truth import Books, Document, differences, journeys, since
from connector.sandbox.order_operations.staff import StaffedShop
from tests.support.views.histories import complete
from tests.support.views.machine import NOW, TOPICS, Machine

ORDER: Document = {
    "orderId": "id-1",
    "extOrderId": "web-1",
    "entryTimestamp": {"year": 2026, "mon": 11, "day": 21, "hour": 11, "min": 0, "sec": 1, "timezone": 60},
    "totalInclAmount": 1995,
    "prepaidAmount": 1995,
    "fullyPaid": True,
    "deliveryState": "ORDER-DELIVERY-STATE-COMPLETE",
    "paymentList": {"payment": [{"amount": 500}, {"amount": 1495}]},
}
SLIP: Document = {"packingSlipId": "slip-1", "orderId": "id-1", "state": "PACKING-SLIP-STATE-OPEN"}
INVOICE: Document = {
    "invoiceId": "invoice-1",
    "orderIds": {"id": ["id-1"]},
    "entryTimestamp": ORDER["entryTimestamp"],
    "totalInclAmount": 1995,
    "paidAmount": 1995,
    "state": "INVOICE-STATE-PAID",
}
BOOKS = Books([(ORDER, False)], [INVOICE], [SLIP])


def folded() -> tuple[dict[str, Any], dict[str, Any]]:
    """Journeys and windows that `views` makes of such an order."""
    machine = Machine(random.Random(1))
    machine.produce(complete(1), int(NOW * 1000))
    machine.run()
    tables = [machine.table(topic).items() for topic in (TOPICS.journeys, TOPICS.windows)]
    rows, windows = ({key.decode(): orjson.loads(value) for key, value in table} for table in tables)
    return rows, windows


def test_what_views_makes_of_an_order_agrees() -> None:
    """State, amounts, documents and revenue."""
    assert [] == differences(BOOKS, *folded(), NOW)


@pytest.mark.parametrize(
    ("order", "invoice", "words"),
    [
        ({"prepaidAmount": 0, "paymentList": {"payment": []}, "fullyPaid": False}, {"paidAmount": 0}, "the POS invoiced"),
        ({"totalInclAmount": 2000}, {}, "20.00"),
        ({}, {"invoiceId": "another"}, "the POS paid"),
        ({}, {"totalInclAmount": 7}, "revenue.invoiced"),
        ({"extOrderId": "web-2"}, {}, "order web-2: its journey says nothing"),
    ],
)
def test_whatever_differs_is_said(order: Document, invoice: Document, words: str) -> None:
    """A line each."""
    books = Books([({**ORDER, **order}, False)], [{**INVOICE, **invoice}], [SLIP])

    assert words in " ".join(differences(books, *folded(), NOW))


def test_a_figure_that_is_wrong_is_said() -> None:
    """Of an hour that is compared."""
    rows, windows = folded()
    spoiled = copy.deepcopy(windows)
    for key, row in spoiled.items():
        row["count"] += key.startswith("3600|") and "revenue.ordered" in key

    assert ["revenue.ordered"] == [line.partition(":")[0] for line in differences(BOOKS, rows, spoiled, NOW)]
    assert since(NOW) % 3600 == 0


def test_a_shop_of_the_sandbox_can_be_read() -> None:
    """All of its documents have what is looked at."""
    shop = StaffedShop(items=30)
    orders, invoices, slips = (
        [shop.document(item) for item in shop.sequences[name]] for name in ("order", "invoice", "packingSlip")
    )
    books = Books([(order, False) for order in orders], invoices, slips)

    assert 30 == len(journeys(books))
