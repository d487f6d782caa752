"""What the figures count: news of the shop, each document once, in hours that are shown."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from tests.support.views.histories import TOTAL, Made, at, event, invoice, order
from tests.support.views.machine import MOMENT, NOW, TOPICS, journeys, ran, sums

UNPLACED: list[Mapping[str, Any]] = [
    {"entryTimestamp": None},
    {"entryTimestamp": "yesterday"},
    {"totalInclAmount": None},
    {"entryTimestamp": at(int(NOW), 2 * 24 * 60)},
    {"entryTimestamp": "9999-12-31T23:59:59+00:00"},
]


def published(made: Made, origin: str) -> Made:
    """The event with another reason for its being published."""
    return made._replace(headers=[(name, origin.encode() if name == "ce_origin" else value) for name, value in made.headers])


@pytest.mark.parametrize(
    ("origin", "measure"), [("poll", "changes"), ("late", "changes"), ("resync", "republished"), ("repair", "republished")]
)
def test_what_an_operator_asked_for_again_is_no_change(origin: str, measure: str) -> None:
    """It is counted apart."""
    found = sums(ran(published(order(1, 10), origin), published(order(2, 20), origin)))

    assert [(f"{measure}.order", (2, 0))] == [(name, count) for name, count in found.items() if name.endswith(".order")]


@pytest.mark.parametrize("told", UNPLACED)
def test_a_document_that_cannot_be_placed_is_put_aside_and_said(told: Mapping[str, Any]) -> None:
    """Once, however often it changes; no figure of another hour is touched, and once it can be placed it counts."""
    odd, odder = order(1, 10, **told), order(1, 11, **told)
    bill = event("invoice", "invoices", "i", 3, {**orjson.loads(invoice(1, 3).value), "invoiceId": "i", **told}, at(1))
    found = sums(ran(order(2, 20), odd, odder, bill))

    assert ((1, TOTAL), (1, 0), (1, 0)) == (found["revenue.ordered"], found["aside.ordered"], found["aside.invoiced"])
    mended = sums(ran(order(2, 20), odd, order(1, 12)))
    assert ((2, 2 * TOTAL), (0, 0)) == (mended["revenue.ordered"], mended["aside.ordered"])


@pytest.mark.parametrize("minutes", [-60, 60, 23 * 60])
def test_a_till_whose_clock_is_off_by_hours_counts_in_its_hour(minutes: int) -> None:
    """Only what is of a day to come is put aside."""
    found = sums(ran(order(1, 10, entryTimestamp=datetime.fromtimestamp(NOW + minutes * 60, UTC).isoformat())))

    assert (1, TOTAL) == found["revenue.ordered"]
    assert "aside.ordered" not in found


def test_a_cancelled_order_without_a_date_is_no_riddle() -> None:
    """It counts for nothing anyway."""
    assert "aside.ordered" not in sums(ran(order(1, 10, cancel="COMPLETE", entryTimestamp=None)))


def test_what_was_placed_and_cannot_be_placed_any_more_is_taken_back() -> None:
    """The till corrected the date, to a wrong one."""
    found = sums(ran(order(1, 10), order(1, 11, entryTimestamp=None)))

    assert ((0, 0), (1, 0)) == (found["revenue.ordered"], found["aside.ordered"])


def test_a_topic_that_is_made_anew_is_counted_anew() -> None:
    """All its changes, from the first on; an order is one order whichever topic told it."""
    machine = ran(*(order(number, 10 * number) for number in range(1, 9)))
    machine.make_anew("mplus.orders")
    machine.produce((order(number, 10 * number) for number in range(1, 13)), MOMENT)
    machine.run()

    assert ((20, 0), (12, 12 * TOTAL)) == (sums(machine)["changes.order"], sums(machine)["revenue.ordered"])


def test_an_order_that_its_invoice_names_no_more_is_told_so() -> None:
    """The invoice was corrected to be over another order: it pays for that one."""
    first, corrected = invoice(1, 1, 1), invoice(1, 2, 2)
    for records in ([first, corrected], [corrected, first]):
        found = journeys(ran(order(1, 10), order(2, 20), *records))

        assert {"web-1": "created", "web-2": "paid"} == {key: row["state"] for key, row in found.items()}


@pytest.mark.parametrize("version", ["2", None, [], 2.5, True])
def test_a_journey_that_somebody_else_wrote_begins_anew(version: object) -> None:
    """It must not refuse all that follows."""
    machine = ran(order(1, 10))
    for (topic, _), rows in machine.tables.items():
        for key, value in rows.items() if topic == TOPICS.journeys else []:
            row = orjson.loads(value)
            rows[key] = orjson.dumps({**row, "facts": {**row["facts"], "version": version}})
    machine.produce([order(1, 11, TOTAL)], MOMENT)
    machine.run()

    assert ([], "paid") == (machine.refused, journeys(machine)["web-1"]["state"])
