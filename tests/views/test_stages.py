"""All stages together, with deaths at every point: nothing is lost, nothing is counted twice."""

import random
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.views.windows import Window
from tests.views.histories import COMPLETE, TOTAL, Made, command, complete, invoice, order, result, slip
from tests.views.machine import ENTITIES, NOW, TOPICS, Machine

MOMENT = int(NOW * 1000)


def journeys(machine: Machine) -> Mapping[str, Mapping[str, Any]]:
    """All journeys, by key."""
    return {key.decode(): orjson.loads(value) for key, value in machine.table(TOPICS.journeys).items()}


def sums(machine: Machine, size: int = 3600) -> Mapping[str, tuple[int, int]]:
    """Count and cents of each measure."""
    found: dict[str, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for key, value in machine.table(TOPICS.windows).items():
        window, row = Window.of(key), orjson.loads(value)
        if window.size == size:
            count, amount = found[window.measure]
            found[window.measure] = (count + row["count"], amount + (row["amount"] or 0))
    return dict(found)


def ran(*records: Made, luck: random.Random | None = None, deaths: float = 0.0) -> Machine:
    """A machine that did all there is to do with these records."""
    machine = Machine(luck or random.Random(1), deaths)
    machine.produce(records, MOMENT)
    machine.run()
    return machine


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 1 << 32), st.sampled_from([0.0, 0.02, 0.1, 0.3]))
def test_a_worker_that_dies_anywhere_ends_with_the_same(seed: int, deaths: float) -> None:
    """The journeys and the sums of a worker that never died, records of partitions mixed at will."""
    records = [made for number in range(1, 7) for made in complete(number)]
    records += [order(7, 70), order(7, 71, totalInclAmount=500), order(8, 80), order(8, 81, cancel="COMPLETE")]
    calm, troubled = ran(*records), ran(*records, luck=random.Random(seed), deaths=deaths)

    assert journeys(calm) == journeys(troubled)
    assert sums(calm) == sums(troubled)
    assert sums(calm, 60) == sums(troubled, 60)


def test_the_sums_are_those_of_the_events() -> None:
    """Changes by entity, commands by outcome, revenue as the documents have it at last."""
    records = [made for number in range(1, 4) for made in complete(number)]
    records += [order(7, 70), order(7, 71, totalInclAmount=500), order(8, 80), order(8, 81, cancel="COMPLETE")]

    assert {
        "changes.order": (3 * 4 + 4, 0),
        "changes.packingSlip": (3, 0),
        "changes.invoice": (3, 0),
        "commands.createOrder.succeeded": (3, 0),
        "revenue.ordered": (4, 3 * TOTAL + 500),
        "revenue.invoiced": (3, 3 * TOTAL),
    } == sums(ran(*records))


def test_documents_that_come_before_their_order_wait_for_it() -> None:
    """Only the order's own record tells the journey's key."""
    machine = ran(slip(1, 1), invoice(1, 1))
    assert {} == journeys(machine)

    machine.produce([order(1, 10)], MOMENT)
    machine.run()

    assert {"created", "delivered", "paid", "invoiced"} == {step["step"] for step in journeys(machine)["web-1"]["steps"]}


def test_an_invoice_over_several_orders_is_in_each_journey_and_counted_once() -> None:
    """By the orders' ids."""
    machine = ran(order(1, 10), order(2, 20), invoice(5, 1, 1, 2))

    assert {"web-1": ["invoice-5"], "web-2": ["invoice-5"]} == {
        key: [step["document"] for step in row["steps"] if step["step"] == "invoiced"] for key, row in journeys(machine).items()
    }
    assert (1, TOTAL) == sums(machine)["revenue.invoiced"]


def test_an_order_without_an_external_id_goes_under_its_own() -> None:
    """And so do its commands."""
    own = command(1)._replace(key=b"id-1")

    assert ["id-1"] == list(journeys(ran(order(1, 10, extOrderId=""), slip(1, 1), own)))


def test_a_rejected_create_has_a_journey() -> None:
    """There is no order, and never will be."""
    assert {"web-1": "rejected"} == {
        key: row["state"] for key, row in journeys(ran(command(1), result(1, outcome="rejected"))).items()
    }


def test_a_repeated_result_is_counted_once() -> None:
    """It says itself that it is a repetition."""
    assert (1, 0) == sums(ran(result(1), result(1, duplicate=True)))["commands.createOrder.succeeded"]


BAD = [
    Made("orders", b"id-1", b"{", order(1, 10).headers),
    Made("orders", b"id-1", b"[]", order(1, 10).headers),
    Made("orders", b"id-1", b"{}", order(1, 10).headers),
    Made("orders", b"id-1", order(1, 10).value, []),
    order(1, 10, totalInclAmount="much"),
    order(1, 10, paymentList=7),
    order(1, 10, extOrderId=7),
    Made("order-commands", b"web-1", b"\xff", []),
    Made("order-command-results", b"web-1", b"{}", []),
    Made("packing-slips", b"x", b"null", slip(1, 1).headers),
    Made("invoices", b"x", invoice(1, 1, total="x").value, invoice(1, 1).headers),  # type: ignore[arg-type]
]


@pytest.mark.parametrize("bad", BAD, ids=range(len(BAD)))
def test_a_bad_record_is_passed_over(bad: Made) -> None:
    """It is counted, and those beside it are folded all the same."""
    machine = ran(*complete(2), bad, *complete(3))

    assert 1 == len(machine.refused)
    assert {"web-2": "paid", "web-3": "paid"} == {key: row["state"] for key, row in journeys(machine).items()}


def test_tombstones_and_deletions_take_no_journey_away() -> None:
    """A deletion counts as a change; what was known of the order stays."""
    gone = order(1, 11)._replace(headers=[(name, value.replace(b"changed", b"deleted")) for name, value in order(1, 11).headers])
    machine = ran(order(1, 10), gone, Made("orders", b"id-1", None, [("ce_syncmarker", b"11")]))  # type: ignore[arg-type]

    assert ({"web-1": "created"}, []) == ({key: row["state"] for key, row in journeys(machine).items()}, machine.refused)
    assert (2, 0) == sums(machine)["changes.order"]


def test_a_journey_that_grows_too_large_is_not_written() -> None:
    """What Kafka would refuse must not stop the worker for ever."""
    machine = Machine(random.Random(1))
    machine.produce([command(1, identity="x" * (1 << 20))], MOMENT)
    machine.run()

    assert 1 == len(machine.refused)


def test_every_record_is_read_by_one_stage() -> None:
    """No topic is left out, none is read twice."""
    machine = ran(*complete(1))
    places = [topic for stage in machine._stages for topic in stage.reads]

    assert sorted({*ENTITIES, TOPICS.commands, TOPICS.results, TOPICS.by_document, TOPICS.by_journey, TOPICS.figures}) == sorted(
        places
    )
    assert COMPLETE == sum(len(log) for (topic, _), log in machine.logs.items() if "views" not in topic)
