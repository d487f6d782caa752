"""Folding facts into a journey: whatever the order in which they come, and however often."""

import random
from collections.abc import Iterable

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.views.histories import DEPOSIT, TOTAL, Made, at, command, complete, invoice, order, result, slip
from tests.views.telling import arrived, journey_of, told


def steps(*records: Made) -> list[str]:
    """The names of its steps."""
    return [step["step"] for step in told(*records)["steps"]]


def test_a_complete_history_shows_every_step_with_its_time_and_document() -> None:
    """Times are those of the documents in the POS; markers those at which a step was first seen."""
    found = told(*complete(1))

    assert [
        {"step": "commanded", "at": at(1, -10).replace("+00:00", ".000+00:00")},
        {"step": "created", "at": at(1), "syncMarker": 10},
        {"step": "deposit", "at": at(1, 1), "syncMarker": 11, "amount": DEPOSIT},
        {"step": "paid", "at": at(1, 2), "syncMarker": 13, "amount": TOTAL},
        {"step": "delivered", "at": at(1, 3), "syncMarker": 1, "document": "slip-1", "number": "2026-1", "partly": False},
        {"step": "invoiced", "at": at(1, 4), "syncMarker": 1, "document": "invoice-1", "number": "2026-1", "amount": TOTAL},
    ] == found["steps"]
    assert ("paid", TOTAL, TOTAL, 13) == (found["state"], found["total"], found["paid"], found["syncMarker"])
    assert ("id-1", "web-1", 7, "Jansen") == tuple(
        found[name] for name in ("orderId", "extOrderId", "relationNumber", "relationName")
    )


def test_what_follows_a_command_in_its_second_comes_after_it() -> None:
    """The POS tells whole seconds, Kafka milliseconds."""
    sent, made = arrived(command(1)), arrived(order(1, 10, DEPOSIT, entryTimestamp=at(1, -10)))
    found = journey_of([sent._replace(timestamp=sent.timestamp + 400), made])

    assert ["commanded", "created", "deposit"] == [step["step"] for step in found["steps"]]


@pytest.mark.parametrize("moment", ["13-07-2026 10:00", "20990101T100000Z", ""])
def test_a_producers_time_is_not_believed(moment: str) -> None:
    """A command was given when Kafka got it; what follows is sorted, and shown, by that."""
    sent = arrived(command(1))
    found = journey_of([sent._replace(headers={"ce_time": moment.encode()})])

    assert found["steps"][0]["at"] == found["updatedAt"] == sent.written


HISTORY = [
    *complete(1),
    slip(1, 2, "b"),
    command(1, "payOrder"),
    result(1, "payOrder"),
    result(1, duplicate=True),
    invoice(9, 4, 1, 2),
]


@given(st.lists(st.sampled_from(range(len(HISTORY))), max_size=20), st.randoms(use_true_random=False))
def test_neither_order_nor_repetition_matter(repeated: list[int], luck: random.Random) -> None:
    """Kafka keeps order per partition only, and what a dead worker did is done again."""
    shuffled = [*HISTORY, *(HISTORY[place] for place in repeated)]
    luck.shuffle(shuffled)

    assert told(*HISTORY) == told(*shuffled)


@given(st.permutations([order(1, 10), order(1, 11, DEPOSIT), order(1, 12, TOTAL), order(1, 13, TOTAL, cancel="COMPLETE")]))
def test_what_compaction_removed_changes_no_times(records: Iterable[Made]) -> None:
    """The last record alone tells the same steps at the same times, but where the POS itself does not say when."""
    whole, last = told(*records), told(order(1, 13, TOTAL, cancel="COMPLETE"))

    assert [(step["step"], step["at"]) for step in whole["steps"]] == [(step["step"], step["at"]) for step in last["steps"]]


@pytest.mark.parametrize(
    ("records", "state"),
    [
        ([command(1)], "commanded"),
        ([command(1), result(1, outcome="rejected")], "rejected"),
        ([command(1), result(1, outcome="unknown")], "unknown"),
        ([command(1), result(1)], "created"),
        ([result(1)], "created"),
        ([result(1, outcome="rejected")], "rejected"),
        ([command(1), result(1, outcome="rejected"), order(1, 10)], "created"),
        ([order(1, 10)], "created"),
        ([order(1, 10, DEPOSIT)], "deposit"),
        ([order(1, 10), slip(1, 1)], "delivered"),
        ([order(1, 10), slip(1, 1, state="CANCELLED")], "created"),
        ([order(1, 10), invoice(1, 1, state="OUTSTANDING")], "invoiced"),
        ([order(1, 10), invoice(1, 1, state="PAID")], "paid"),
        ([order(1, 10, TOTAL)], "paid"),
        ([order(1, 10, fullyPaid=True, totalInclAmount=0)], "created"),
        ([order(1, 10, TOTAL, cancel="COMPLETE")], "cancelled"),
        ([order(1, 10, cancel="PARTIAL")], "created"),
        ([order(1, 11), order(1, 10, cancel="COMPLETE")], "created"),
    ],
)
def test_the_state_is_the_furthest_step(records: list[Made], state: str) -> None:
    """Of what is known, whoever made the order."""
    assert state == told(*records)["state"]


def test_several_packing_slips_are_several_steps_of_which_the_last_ends_the_delivery() -> None:
    """Only while the order says that all of it is delivered."""
    parts = [slip(1, 1, "a"), slip(1, 2, "b")]

    assert [True, False] == [step["partly"] for step in told(order(1, 10, delivery="COMPLETE"), *parts)["steps"][1:]]
    assert [True, True] == [step["partly"] for step in told(order(1, 10, delivery="PARTIAL"), *parts)["steps"][1:]]


def test_a_step_that_the_order_no_longer_shows_is_gone() -> None:
    """A cancelled order that lives again, a payment that was taken back."""
    assert ["created"] == steps(order(1, 10, DEPOSIT), order(1, 11, cancel="COMPLETE"), order(1, 12))


def test_after_a_restore_of_the_pos_lower_markers_of_the_new_epoch_hold() -> None:
    """Their ce_id ends in the epoch."""
    again = order(1, 5, DEPOSIT)
    headers = [(name, b"order:id-1:5:e1" if name == "ce_id" else value) for name, value in again.headers]

    assert "deposit" == told(order(1, 10), again._replace(headers=headers))["state"]


def test_a_command_that_was_redriven_shows_its_last_ending() -> None:
    """A mere repetition of a result changes nothing."""
    first, last = result(1, outcome="unknown"), result(1, at=at(1, 9))
    copy = result(1, outcome="rejected", at=at(1, 10), duplicate=True)

    assert [("succeeded", at(1, 9))] == [
        (row["outcome"], row["endedAt"]) for row in told(command(1), first, last, copy)["commands"]
    ]


def test_what_a_journey_shows_is_plain_json() -> None:
    """It is what the topic holds."""
    found = told(*complete(1))

    assert found == orjson.loads(orjson.dumps(found))
