"""All stages together, with deaths at every point: nothing is lost, nothing is counted twice."""

import random
from collections.abc import Mapping
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.views.stages import journeys as fold
from tests.support.kafka.odd_records import VALUES
from tests.support.views.histories import COMPLETE, TOTAL, Made, at, command, complete, invoice, order, result, slip
from tests.support.views.machine import ENTITIES, MOMENT, TOPICS, Machine, journeys, ran, sums


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
    gone = order(1, 11)._replace(
        headers=[(name, (value or b"").replace(b"changed", b"deleted")) for name, value in order(1, 11).headers]
    )
    machine = ran(order(1, 10), gone, Made("orders", b"id-1", None, [("ce_syncmarker", b"11")]))  # type: ignore[arg-type]

    assert ({"web-1": "created"}, []) == ({key: row["state"] for key, row in journeys(machine).items()}, machine.refused)
    assert (2, 0) == sums(machine)["changes.order"]


def test_what_becomes_too_large_is_not_written() -> None:
    """What Kafka would refuse must not stop the worker for ever; the next record of the order is folded as ever."""
    machine = Machine(random.Random(1))
    machine.produce([order(1, 10, relationName="x" * (1 << 20)), order(1, 11)], MOMENT)
    machine.run()

    assert 1 == len(machine.refused)
    assert {"web-1": 11} == {key: found["syncMarker"] for key, found in journeys(machine).items()}


@pytest.mark.parametrize("size", [600_000, 1 << 20])
def test_keys_count_too(size: int) -> None:
    """What is measured is the record as it is sent, not its value alone: nothing that is made is larger than Kafka takes."""
    machine = ran(order(1, 10, orderId="o" * size, extOrderId=""))

    assert 1 == len(machine.refused)
    assert not machine.table(TOPICS.documents)


ODD_KEYS = [b"k" * 4_300_000, b"k" * 256, "\u20ac".encode() * 256, b"", b"\xff\xfe", None]


@pytest.mark.parametrize("key", ODD_KEYS, ids=range(len(ODD_KEYS)))
def test_a_key_that_no_order_has_is_nobodys(key: bytes | None) -> None:
    """Its command makes no journey; its result is counted as any other."""
    machine = ran(*[made._replace(key=key) for made in (command(1), result(1, "payOrder", "rejected"))])

    assert ({}, []) == (journeys(machine), machine.refused)
    assert {"commands.payOrder.rejected": (1, 0)} == sums(machine)


def test_the_longest_name_is_an_orders() -> None:
    """255 characters, whatever they take in bytes."""
    name = "\U0001d11e" * 255

    assert {name} == journeys(ran(command(1)._replace(key=name.encode()))).keys()


ODD = [
    {"commandId": "x" * 256},
    {"commandId": ""},
    {"commandId": 5},
    {"command": "x" * 1_000_000},
    {"command": "a|b"},
    {"command": None},
    {"command": ["payOrder"]},
]


@pytest.mark.parametrize("odd", ODD, ids=range(len(ODD)))
def test_what_is_no_command_is_none_here(odd: Mapping[str, Any]) -> None:
    """The connector rejects it, and its journey does not show it."""
    made = command(1)
    machine = ran(made._replace(value=orjson.dumps({**orjson.loads(made.value), **odd})))

    assert ({}, []) == (journeys(machine), machine.refused)


@pytest.mark.parametrize("odd", [*ODD[:5], {"outcome": None}, {"outcome": 5}, {"outcome": "x" * 1_000_000}, {"outcome": "a|b"}])
def test_what_is_no_result_costs_only_itself(odd: Mapping[str, Any]) -> None:
    """It is passed over and said so, and those around it are counted."""
    machine = ran(result(1, "payOrder"), result(1, "payOrder", **odd), result(1, "payOrder"))

    assert 1 == len(machine.refused)
    assert {"commands.payOrder.succeeded": (2, 0)} == sums(machine)


def test_what_a_result_says_is_bounded() -> None:
    """And what it says in a way that nobody expects is left out: all results of an order must fit into its journey."""
    odd: dict[str, Any] = {
        "message": "m" * 1_000_000,
        "reason": "r" * 1_000_000,
        "orderId": {"a": 1},
        "syncMarker": "7",
        "at": "soon",
    }
    machine = ran(
        *[made._replace(headers=[]) for number in range(40) for made in [result(1, "payOrder", commandId=f"c-{number}", **odd)]]
    )
    (found,) = journeys(machine).values()

    assert [] == machine.refused
    assert {(None, 1000, True)} == {(row["reason"], len(row["message"]), row["endedAt"] < "2027") for row in found["commands"]}


def test_null_headers_are_none() -> None:
    """An event whose headers somebody emptied is no event, and costs only itself."""
    made = order(1, 10)
    machine = ran(made._replace(headers=[(name, None) for name, _ in made.headers]), order(2, 20))

    assert 1 == len(machine.refused)
    assert {"web-2"} == journeys(machine).keys()
    assert (1, 0) == sums(machine)["changes.order"]


@pytest.mark.parametrize("value", [value for value in VALUES.values() if value is not None], ids=list(VALUES)[1:])
def test_what_strangers_write_into_tables_holds_nothing_up(value: bytes) -> None:
    """An entry that is none begins anew with the next record of its order, document or window: that is not refused for ever."""
    machine = Machine(random.Random(1))
    for place, rows in ran(*complete(1)).tables.items():
        machine.tables[place] = dict.fromkeys(rows, value)
    machine.produce(complete(1), MOMENT)
    machine.run()

    assert [] == machine.refused
    assert "paid" == journeys(machine)["web-1"]["state"]


@pytest.mark.parametrize("deaths", [0.0, 0.1])
def test_a_journey_is_bounded(deaths: float) -> None:
    """The newest commands stand in it with their results, the first createOrder, and how many others there were."""
    first, pays = 120, [made for number in range(300) for made in (command(1, "payOrder", f"c-{number}"), _rejected(number))]
    machine = ran(command(1), result(1), *pays[:first], order(1, 10), *pays[first:], luck=random.Random(7), deaths=deaths)
    found = journeys(machine)["web-1"]

    assert ["createOrder-1", *(f"c-{number}" for number in range(251, 300))] == _ids(found)
    assert 251 == found["commandsLeftOut"]
    assert {"rejected"} == {row["outcome"] for row in found["commands"] if row["command"] == "payOrder"}
    assert ["commanded", "created"] == [step["step"] for step in found["steps"]]


def _rejected(number: int) -> Made:
    return result(1, "payOrder", "rejected", commandId=f"c-{number}", at=at(number))


def _ids(found: Mapping[str, Any]) -> list[str]:
    return sorted((row["commandId"] for row in found["commands"]), key=lambda each: (len(each) < 7, int(each.rpartition("-")[2])))


def test_documents_are_bounded_too() -> None:
    """An order that is delivered in thousands of parts keeps those of the highest markers, also before its own record came."""
    slips = [slip(1, number, f"-{number}") for number in range(1, 450)]
    machine = ran(*slips[:300], order(1, 500), *slips[300:])
    found = journeys(machine)["web-1"]

    assert {f"slip-1-{number}" for number in range(250, 450)} == {row.get("document") for row in found["steps"]} - {None}
    assert found["documentsLeftOut"]


def test_a_journey_costs_the_same_for_its_last_command_as_for_its_hundredth() -> None:
    """What is written grows with the number of commands, not with its square."""
    few, many = (sum(len(value) for value in _written(count)) / count for count in (200, 3000))

    assert many < 1.5 * few


def _written(count: int) -> list[bytes]:
    """What the journeys' stage writes, of so many commands of one order."""
    made = ran(*[command(1, "payOrder", f"c-{number}") for number in range(count)])
    rows: dict[bytes, bytes] = {}
    found: list[bytes] = []
    for record in (each for (topic, _), log in made.logs.items() if topic == TOPICS.by_journey for each in log):
        (value,) = [value for value in fold(record, rows.get).writes.values() if value is not None]
        rows[record.name] = value
        found.append(value)
    return found


def test_every_record_is_read_by_one_stage() -> None:
    """No topic is left out, none is read twice."""
    machine = ran(*complete(1))
    places = [topic for stage in machine._stages for topic in stage.reads]

    assert sorted({*ENTITIES, TOPICS.commands, TOPICS.results, TOPICS.by_document, TOPICS.by_journey, TOPICS.figures}) == sorted(
        places
    )
    assert COMPLETE == sum(len(log) for (topic, _), log in machine.logs.items() if "views" not in topic)
