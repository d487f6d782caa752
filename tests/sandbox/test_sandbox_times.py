"""When things happened in the sandbox: before it opened by the seed, from then on by its clock."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from connector.sandbox import Shop, StaffedShop

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
SUMMER = datetime(2027, 7, 1, 12, 30, 15, tzinfo=AMSTERDAM)
LATER = datetime(2028, 1, 2, 9, 0, 0, tzinfo=AMSTERDAM)


class Clock:
    """Stands still until it is set."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def __call__(self) -> float:
        return self.at.timestamp()


@pytest.fixture
def clock() -> Clock:
    return Clock(SUMMER)


@pytest.fixture
def shop(clock: Clock) -> StaffedShop:
    return StaffedShop(items=40, clock=clock)


def read(moment: dict[str, int]) -> datetime:
    """Its time, with the zone that it names."""
    at = datetime(moment["year"], moment["mon"], moment["day"], moment["hour"], moment["min"], moment["sec"], tzinfo=AMSTERDAM)
    zone = at.utcoffset()
    assert zone is not None
    assert (moment["timezone"], moment["isdst"]) == (zone.seconds // 60, zone.seconds == 7200)
    return at


def payment_times(document: dict[str, Any]) -> set[datetime]:
    return {read(payment["entryTimestamp"]) for payment in document["paymentList"]["payment"]}


def documents(shop: Shop) -> dict[str, list[dict[str, Any]]]:
    return {entity: [shop.document(item) for item in sequence] for entity, sequence in shop.sequences.items()}


def test_what_a_shop_opens_with_does_not_depend_on_the_clock(shop: StaffedShop) -> None:
    """Shops of one seed that opened at different times hold the same."""
    assert documents(Shop(items=40, clock=Clock(LATER))) == documents(shop)


def test_a_new_item_is_made_now(shop: StaffedShop) -> None:
    """Its times, its booking date and the year of its number are the clock's."""
    made = shop.document(shop.create("invoice"))
    assert read(made["entryTimestamp"]) == SUMMER
    assert made["financialDate"] == {"day": 1, "mon": 7, "year": 2027}
    assert made["dueDate"] == {"day": 15, "mon": 7, "year": 2027}
    assert made["invoiceNumber"]["year"] == 2027


def test_a_new_purchase_order_is_called_by_the_year_it_carries(shop: StaffedShop) -> None:
    """Its identity and its number say the same year."""
    item = shop.create("purchaseOrder")
    assert item.identity == "{year}-{number}".format_map(shop.document(item)["purchaseOrderNumber"])
    assert item.identity.startswith("2027-")


def test_a_change_is_dated_and_its_item_stays_as_old_as_it_was(shop: StaffedShop) -> None:
    """A relation keeps its createTimestamp; changeTimestamp is the time of the last change."""
    item = shop.sequences["relation"].by_identity["3"]
    created = shop.document(item)["createTimestamp"]
    shop.change_item("relation", "3")
    after = shop.document(item)
    assert after["createTimestamp"] == created
    assert read(after["changeTimestamp"]) == SUMMER


def test_a_payment_keeps_its_time(shop: StaffedShop, clock: Clock) -> None:
    """An order that is paid by its first change was paid then, whatever happens to it later."""
    order = shop.create("order").identity
    shop.change_item("order", order)
    clock.at = LATER
    shop.change_item("order", order)
    assert payment_times(shop.document(shop.sequences["order"].by_identity[order])) == {SUMMER}


def test_a_restore_brings_old_times_back(shop: StaffedShop, clock: Clock) -> None:
    """After a fall-back an item was changed when it was changed before that."""
    shop.change_item("employee", "3")
    clock.at = LATER
    shop.change_item("employee", "3")
    shop.fall_back("employee", 1)
    assert read(shop.document(shop.sequences["employee"].by_identity["3"])["changeTimestamp"]) == SUMMER


def test_what_a_cashier_does_is_dated_by_the_clock(shop: StaffedShop, clock: Clock) -> None:
    """A deposit, packing slip, movement of the stock and invoice each carry the time at which they were booked."""
    item = shop.create("order")
    shop.cashier_pays(item.identity, 100)
    clock.at = LATER
    shop.cashier_pays(item.identity, shop.document(item)["totalInclAmount"], prepay=False)
    order = shop.document(item)
    booked = {entity: documents(shop)[entity][-1] for entity in ("packingSlip", "invoice", "stock")}
    assert read(order["entryTimestamp"]) == SUMMER
    assert payment_times(order) == {SUMMER, LATER}
    assert {read(booked[entity]["entryTimestamp"]) for entity in ("packingSlip", "invoice")} == {LATER}
    assert read(booked["stock"]["timestamp"]) == LATER
    assert order["invoiceNumbers"]["yearNumber"][-1]["year"] == 2028
