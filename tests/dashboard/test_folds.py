"""What the dashboard makes of records, part by part."""

import re
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import orjson
import pytest

import connector.dashboard
from connector.dashboard.folds.advice import BY_REASON, OTHERWISE, UNKNOWN, for_result
from connector.dashboard.folds.dead_letters import NewestLetters
from connector.dashboard.folds.journeys import Index, Journeys, RecordLocation
from connector.dashboard.folds.outcomes import Outcomes
from connector.dashboard.folds.statuses import POINTS, STEP_S, Arrival, Statuses
from connector.dashboard.folds.windows import Windows, day_in
from connector.dashboard.parts import PageParts, exact
from connector.dashboard.read_model import ReadModel
from connector.kafka.reading.batches import readable
from connector.kafka.records import Place
from connector.messages.dead_letter import DeadLetter, dead_letter_headers
from connector.messages.position import State
from tests.support.kafka.odd_records import zoo
from tests.support.views.viewing import journey, result, stamp, status

NOW = 1_800_000_000.0
"""On the hour."""


def test_a_viewer_gets_what_changed_since_its_version() -> None:
    """Everything from version 0 on; the same value again is no change."""
    shown = PageParts()
    shown.put("one", 1)
    shown.put("two", 2)
    version = shown.version
    shown.put("one", 1)
    shown.put("two", 3)

    assert {"one": 1, "two": 3} == shown.since(0)
    assert {"two": 3} == shown.since(version)
    assert {} == shown.since(shown.version)


def test_an_entity_that_nobody_reports_is_unowned_and_others_are_as_reported() -> None:
    """And one that is not configured is not shown."""
    shown = PageParts()
    statuses = Statuses(shown, ["a"], ["order", "invoice"])
    statuses.take("a", b"order", orjson.dumps(status("order", backlog=3, at=stamp(NOW))), Arrival(NOW, NOW))
    statuses.take("a", b"receipt", orjson.dumps(status("receipt")), Arrival(NOW, NOW))
    parts = shown.since(0)

    assert {"row/a/order", "row/a/invoice", "trend/a/order"} == parts.keys()
    assert "unowned" == parts["row/a/invoice"]["state"]
    assert (3, NOW) == (parts["row/a/order"]["backlog"], parts["row/a/order"]["at"])


def test_a_chart_has_a_point_per_step_and_gaps_where_nobody_reported() -> None:
    """The last report of a step counts, and the oldest steps are dropped."""
    shown = PageParts()
    statuses = Statuses(shown, ["a"], ["order"])
    for at, rate in ((0, 1.0), (STEP_S, 2.0), (STEP_S + 1, 3.0), (4 * STEP_S, 5.0)):
        statuses.take("a", b"order", orjson.dumps(status("order", rate=rate)), Arrival(NOW + at, NOW))

    assert [1.0, 3.0, None, None, 5.0] == shown.since(0)["trend/a/order"]["rate"]
    for step in range(5, 5 + POINTS):
        statuses.take("a", b"order", orjson.dumps(status("order", rate=9.0)), Arrival(NOW + step * STEP_S, NOW))
    assert [9.0] * POINTS == shown.since(0)["trend/a/order"]["rate"]


def test_a_backlog_that_nobody_knows_is_a_gap_and_not_0() -> None:
    """With since when, as a time; a record that says it in no time at all makes no sense."""
    shown = PageParts()
    statuses = Statuses(shown, ["a"], ["order"])
    statuses.take("a", b"order", orjson.dumps(status("order", backlog=3, at=stamp(NOW), unknownSince=None)), Arrival(NOW, NOW))
    unknown = status("order", backlog=None, age=40.0, at=stamp(NOW + STEP_S), unknownSince=stamp(NOW - 30))
    statuses.take("a", b"order", orjson.dumps(unknown), Arrival(NOW + STEP_S, NOW))
    parts = shown.since(0)

    assert (None, NOW - 30) == (parts["row/a/order"]["backlog"], parts["row/a/order"]["unknownSince"])
    assert [3, None] == parts["trend/a/order"]["backlog"]
    with pytest.raises(ValueError, match="no status record"):
        statuses.take("a", b"order", orjson.dumps(unknown | {"unknownSince": "since lunch"}), Arrival(NOW, NOW))


@pytest.mark.parametrize("off", [-3600, -8, -1, 0, 1, 8, 3600])
def test_a_worker_whose_clock_is_wrong_is_no_worker_that_stopped(off: int) -> None:
    """What counts is when its report came. How far its clock is off is said, and taken off what it says."""
    shown = PageParts()
    statuses = Statuses(shown, ["a"], ["order"])
    for second in range(0, 20, 2):
        arrival = Arrival(NOW + second, NOW + second + off)
        told = status("order", at=stamp(NOW + second + off), backlog=None, unknownSince=stamp(NOW - 30 + off))
        statuses.take("a", b"order", orjson.dumps(told), arrival)
    row = shown.since(0)["row/a/order"]

    assert (NOW + 18, off, NOW - 30) == (row["at"], row["ahead"], row["unknownSince"])


def test_a_report_that_was_long_on_its_way_makes_no_clock_wrong() -> None:
    """The quickest of the last ones tells the clock."""
    shown = PageParts()
    statuses = Statuses(shown, ["a"], ["order"])
    for late in (0, 25):
        statuses.take("a", b"order", orjson.dumps(status("order", at=stamp(NOW))), Arrival(NOW + late, NOW))

    assert 0 == shown.since(0)["row/a/order"]["ahead"]


@pytest.mark.parametrize(("written", "known"), [(NOW - 60, NOW - 60), (NOW + 3600, NOW)])
def test_what_lay_in_kafka_is_as_old_as_its_record_and_tells_no_clock(written: float, known: float) -> None:
    """One that was written in the future is as new as it can be."""
    shown = PageParts()
    statuses = Statuses(shown, ["a"], ["order"])
    statuses.take("a", b"order", orjson.dumps(status("order", at=stamp(NOW + 5))), Arrival(NOW, written, live=False))
    row = shown.since(0)["row/a/order"]

    assert (known, None) == (row["at"], row["ahead"])


@pytest.mark.parametrize("state", [state for state in State if state is not State.RUNNING])
def test_the_page_says_what_to_do_about_every_state(state: str) -> None:
    """In its table of advice."""
    script = (Path(connector.dashboard.__file__).parent / "page" / "health.js").read_text()
    advice = script.partition("const ADVICE = {")[2].partition("};")[0]

    assert re.search(rf'^  "?{state}"?: "\w.{{20,}}",$', advice, re.MULTILINE)


def test_results_are_counted_by_command_and_outcome_for_an_hour() -> None:
    """Repeated results are not counted, and those that failed are shown with what to do, the newest first."""
    shown = PageParts()
    outcomes = Outcomes(shown, ["a"])
    insufficient = "PAY-ORDER-RESULT-PAYMENT-INSUFFICIENT"
    for at, value in (
        (NOW - 3700, result("c-0")),
        (NOW - 60, result("c-1")),
        (NOW - 50, result("c-1", duplicate=True)),
        (NOW - 40, result("c-2", "rejected", insufficient)),
        (NOW - 50, result("c-3", "unknown", "OUTCOME-UNKNOWN")),
    ):
        outcomes.take("a", int(at * 1000), b"web-1", orjson.dumps(value))
    outcomes.tick(NOW)
    parts = shown.since(0)

    assert {"payOrder": {"succeeded": 1, "rejected": 1, "unknown": 1}} == parts["commands/a"]
    assert [("c-2", "web-1", insufficient), ("c-3", "web-1", "OUTCOME-UNKNOWN")] == [
        (row["commandId"], row["order"], row["reason"]) for row in parts["failures/a"]
    ]
    assert UNKNOWN == parts["failures/a"][1]["advice"]


def test_a_command_that_was_redriven_is_no_failure_any_more() -> None:
    """Of the results of a command the last counts; where it failed again it is one failure."""
    shown = PageParts()
    outcomes = Outcomes(shown, ["a"])
    for at, outcome in ((NOW - 9, "unknown"), (NOW - 8, "unknown"), (NOW - 7, "succeeded")):
        outcomes.take("a", int(at * 1000), b"web-1", orjson.dumps(result("c-1", outcome)))
        outcomes.take("a", int(at * 1000), b"web-2", orjson.dumps(result("c-1", "rejected")))
    outcomes.tick(NOW)

    assert [("web-2", NOW - 7)] == [(row["order"], row["at"]) for row in shown.since(0)["failures/a"]]


def test_the_refusal_of_another_message_solves_nothing() -> None:
    """The producer used the commandId again, for something else: what became of the command is as open as before."""
    shown = PageParts()
    outcomes = Outcomes(shown, ["a"])
    outcomes.take("a", int(NOW * 1000), b"web-1", orjson.dumps(result("c-1", "unknown", attempts=3)))
    outcomes.take("a", int(NOW * 1000) + 1, b"web-1", orjson.dumps(result("c-1", "rejected", "INVALID-COMMAND", attempts=0)))
    outcomes.tick(NOW)

    assert ["unknown"] == [row["outcome"] for row in shown.since(0)["failures/a"]]


def test_letters_of_a_day_that_was_read_whole_are_counted_exactly() -> None:
    """What was not read is older."""
    shown = PageParts()
    letters = NewestLetters(shown, ["a"])
    letters.clipped("a", NOW)
    for offset, at in ((1, NOW - 90_000), (2, NOW - 10)):
        letters.take("a", letter(offset, "outcome", at))
    letters.tick(NOW)

    assert (1, False) == tuple(shown.since(0)["letters/a"][name] for name in ("day", "atLeast"))


def test_counts_of_what_was_not_all_read_are_at_least_so_many() -> None:
    """Until all that was not read is too old to be counted."""
    shown = PageParts()
    letters, outcomes = NewestLetters(shown, ["a"]), Outcomes(shown, ["a"])
    letters.take("a", letter(1, "outcome", NOW - 3600))
    letters.clipped("a", NOW)
    outcomes.clipped("a", NOW)
    for hours, least in ((0, True), (25, False)):
        letters.tick(NOW + hours * 3600)
        outcomes.tick(NOW + hours * 3600)

        assert (least, least or None) == (shown.since(0)["letters/a"]["atLeast"], shown.since(0)["commandsAtLeast/a"])


@pytest.mark.parametrize("ending", [ending for ending, _ in BY_REASON])
def test_every_reason_of_the_table_has_its_own_advice(ending: str) -> None:
    """No earlier row takes it away; a success needs none."""
    assert dict(BY_REASON)[ending] == for_result("rejected", f"PAY-ORDER-RESULT-{ending}")
    assert "" == for_result("succeeded", ending)
    assert UNKNOWN == for_result("unknown", ending)
    assert OTHERWISE == for_result("rejected", "SOMETHING-NEW")


def letter(offset: int, stage: str, at: float) -> DeadLetter:
    """A dead letter."""
    headers = dict(dead_letter_headers(("a.order-commands", 0, 5), stage, "Reject", "no such thing"))
    return DeadLetter(Place("a.dead-letters", 2), offset, int(at * 1000), b"web-1", b"a body", headers)


def test_dead_letters_are_counted_for_a_day_and_shown_without_their_bodies() -> None:
    """The newest first, with the commands that show and redrive one; a letter of the source cannot be redriven."""
    shown = PageParts()
    letters = NewestLetters(shown, ["a"])
    for offset, stage, at in ((1, "validate", NOW - 90_000), (2, "outcome", NOW - 10), (3, "decode", NOW - 5)):
        letters.take("a", letter(offset, stage, at))
    letters.tick(NOW)
    part = shown.since(0)["letters/a"]

    assert 2 == part["day"]
    assert ["decode", "outcome", "validate"] == [row["stage"] for row in part["latest"]]
    assert (None, "mplus-connector dead-letters redrive 2:2") == (part["latest"][0]["redrive"], part["latest"][1]["redrive"])
    assert "mplus-connector dead-letters show 2:3" == part["latest"][0]["show"]
    assert b"a body" not in orjson.dumps(part)


def test_windows_are_summed_over_partitions_and_by_day() -> None:
    """A row takes its former one's place; what began before midnight, or after the next, is not of today."""
    shown = PageParts()
    windows = Windows(shown, ["a"], lambda now: (now - 3600, now + 3600))
    for key, count, amount in (
        (f"60|{NOW - 60:.0f}|changes.order|0", 2, None),
        (f"60|{NOW - 60:.0f}|changes.order|0", 5, None),
        (f"60|{NOW - 60:.0f}|changes.invoice|1", 1, None),
        (f"3600|{NOW - 3600:.0f}|revenue.ordered|0", 1, 500),
        (f"3600|{NOW - 3600:.0f}|revenue.ordered|1", 2, 700),
        (f"3600|{NOW - 3600:.0f}|commands.payOrder.rejected|1", 3, None),
        (f"3600|{NOW - 7200:.0f}|revenue.ordered|1", 9, 9000),
        (f"3600|{NOW - 3600 * 30:.0f}|changes.order|1", 9, None),
        (f"3600|{NOW + 3600:.0f}|revenue.ordered|1", 9, 99900),
    ):
        windows.take("a", key.encode(), orjson.dumps({"count": count, "amount": amount}))
    windows.tick(NOW)
    part = shown.since(0)["today/a"]

    assert [0] * 58 + [6, 0] == part["minutes"]["changes"]
    assert [0] * 24 == part["hours"]["changes"]
    assert {"ordered": {"count": 3, "amount": 1200}, "invoiced": {"count": 0, "amount": 0}} == part["revenue"]
    assert {"payOrder.rejected": 3} == part["commands"]


@pytest.mark.parametrize(
    ("zone", "now", "begins", "hours"),
    [
        ("Europe/Amsterdam", "2026-10-25T12:00:00+01:00", "2026-10-25T00:00:00+02:00", 25),
        ("Europe/Amsterdam", "2026-10-25T02:30:00+02:00", "2026-10-25T00:00:00+02:00", 25),
        ("Europe/Amsterdam", "2026-10-24T23:59:59+02:00", "2026-10-24T00:00:00+02:00", 24),
        ("Europe/Amsterdam", "2026-03-29T12:00:00+02:00", "2026-03-29T00:00:00+01:00", 23),
        ("Europe/Amsterdam", "2026-03-29T00:00:00+01:00", "2026-03-29T00:00:00+01:00", 23),
        ("Europe/Amsterdam", "2026-12-31T23:30:00+01:00", "2026-12-31T00:00:00+01:00", 24),
        ("America/Curacao", "2026-10-25T01:00:00+01:00", "2026-10-24T00:00:00-04:00", 24),
        ("UTC", "2026-03-29T00:30:00+00:00", "2026-03-29T00:00:00+00:00", 24),
    ],
)
def test_a_day_is_that_of_the_till(zone: str, now: str, begins: str, hours: int) -> None:
    """Through both changes of daylight saving, wherever `views` runs."""
    begin, end = day_in(zone)(datetime.fromisoformat(now).timestamp())

    assert datetime.fromisoformat(begins).timestamp() == begin
    assert hours * 3600 == end - begin


def test_an_order_is_found_by_either_id_where_its_latest_record_lies() -> None:
    """Until a tombstone comes."""
    shown = PageParts()
    journeys = Journeys(shown, ["a"])
    for offset, state in enumerate(("commanded", "created", "paid")):
        journeys.take("a", b"web-1", orjson.dumps(journey("web-1", "id-1" if offset else None, state)), RecordLocation(3, offset))
    journeys.take("a", b"id-2", orjson.dumps(journey("id-2", "id-2", "created")), RecordLocation(4, 1 << 40))
    index = journeys.indexes["a"]

    assert (b"web-1", RecordLocation(3, 2)) == index.find("web-1") == index.find("id-1")
    assert (b"id-2", RecordLocation(4, 1 << 40)) == index.find("id-2")
    journeys.tick()
    assert [2, {"paid", "created"}] == [
        shown.since(0)["orders/a"]["count"],
        {row["state"] for row in shown.since(0)["orders/a"]["latest"]},
    ]
    journeys.take("a", b"web-1", None, RecordLocation(3, 3))
    assert None is index.find("web-1") is index.find("id-1")


def test_an_unknown_outcome_stays_open_until_a_later_result_tells_it() -> None:
    """However long ago it was; all are counted, the newest are shown."""
    shown = PageParts()
    journeys = Journeys(shown, ["a"])
    for number in range(30):
        command = {"commandId": f"c-{number}", "command": "payOrder", "outcome": "unknown", "endedAt": stamp(NOW - 9e6 + number)}
        told = journey(f"web-{number}", None, "unknown", commands=[command, {"outcome": "succeeded"}])
        journeys.take("a", f"web-{number}".encode(), orjson.dumps(told), RecordLocation(0, number))
    journeys.tick()
    part = shown.since(0)["open/a"]

    assert (30, 20) == (part["count"], len(part["latest"]))
    assert ("c-29", "payOrder", "web-29", UNKNOWN) == tuple(
        part["latest"][0][name] for name in ("commandId", "command", "order", "advice")
    )
    solved = journey("web-29", "id-1", "paid", commands=[{"commandId": "c-29", "outcome": "succeeded"}])
    journeys.take("a", b"web-29", orjson.dumps(solved), RecordLocation(0, 99))
    journeys.take("a", b"web-28", None, RecordLocation(0, 100))
    journeys.tick()
    assert 28 == shown.since(0)["open/a"]["count"]


def test_numbers_that_a_browser_would_round_are_told_as_text() -> None:
    """A sync marker is shown as it is."""
    most = (1 << 53) - 1

    assert [most, str(most + 1), {"a": [str(-most - 1), 1.5, True, None]}] == exact(
        [most, most + 1, {"a": [-most - 1, 1.5, True, None]}]
    )


def test_an_order_that_was_given_its_ext_order_id_later_is_found_as_it_is_now() -> None:
    """Its old journey lies under its orderId."""
    index = Index()
    index.put(b"id-1", "id-1", RecordLocation(0, 1))
    assert (b"id-1", RecordLocation(0, 1)) == index.find("id-1")
    index.put(b"web-1", "id-1", RecordLocation(2, 2))
    assert (b"web-1", RecordLocation(2, 2)) == index.find("id-1")
    index.drop(b"web-1")
    assert (b"id-1", RecordLocation(0, 1)) == index.find("id-1")


def test_the_index_keeps_the_orders_that_moved_last() -> None:
    """So many, and no more."""
    index = Index(most=2)
    for offset, name in enumerate(("one", "two", "one", "three")):
        index.put(name.encode(), f"id-{name}", RecordLocation(0, offset))

    assert 2 == len(index)
    assert [(b"one", RecordLocation(0, 2)), None, (b"three", RecordLocation(0, 3))] == [
        index.find(name) for name in ("id-one", "id-two", "id-three")
    ]


def test_the_advice_is_documented() -> None:
    """Word for word."""
    text = (Path(__file__).parents[2] / "docs" / "dashboard.md").read_text()
    told = [f"| …`{ending}` | {advice} |" for ending, advice in BY_REASON]

    assert [] == [words for words in (*told, UNKNOWN, OTHERWISE) if words not in text]


class Read(NamedTuple):
    """A record as a consumer returns it."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]


KINDS = ("connector-status", "order-command-results", "dead-letters", "views-windows", "order-journeys")


@pytest.mark.parametrize("off", [-3600, -10, 10, 3600])
def test_a_broker_whose_clock_is_wrong_moves_no_command_and_no_letter(off: int) -> None:
    """What comes is of now; what lay in Kafka, no later than now."""
    read_model = ReadModel(["a"], ["order"], day_in("Europe/Amsterdam"))
    written = int((NOW + off) * 1000)
    headers = tuple(dead_letter_headers(("a.order-commands", 0, 5), "outcome", "Reject", "no such thing"))
    for live in (True, False):
        failed = orjson.dumps(result(f"c-{live}", "rejected", "EXPIRED"))
        read_model.take(Read("a.order-command-results", 0, 1, written, b"web-1", failed, ()), NOW, live=live)
        read_model.take(Read("a.dead-letters", 0, 1, written, b"web-1", b"", headers), NOW, live=live)
    read_model.tick(NOW)
    parts = read_model.shown.since(0)

    known = {NOW, min(NOW, NOW + off)}
    assert known == {row["at"] for row in parts["failures/a"]} == {row["at"] for row in parts["letters/a"]["latest"]}
    assert 2 - (off == -3600) == parts["commands/a"]["payOrder"]["rejected"]


@pytest.mark.parametrize("timestamp", [-1, 0, int(NOW * 1000), 1 << 62])
def test_odd_records_cost_nobody_anything(timestamp: int) -> None:
    """Whatever lies in a topic: what comes behind it is shown, and the page stays small and can be sent."""
    read_model = ReadModel(["a"], ["order"], day_in("Europe/Amsterdam"))
    keys = (b"order", b"web-1", b"60|1795255260|changes.order|0")
    for kind in KINDS:
        for offset, row in enumerate(zoo(keys, orjson.dumps(result("odd", "rejected", "INVALID-COMMAND")))):
            headers = tuple((readable(name), value) for name, value in row.headers)
            read_model.take(Read(f"a.{kind}", 0, offset, timestamp, row.key, row.value, headers), NOW)
    read_model.take(
        Read("a.connector-status", 0, 999, 0, b"order", orjson.dumps(status("order", backlog=3, at=stamp(NOW))), ()), NOW
    )
    read_model.take(Read("a.order-command-results", 0, 999, int(NOW * 1000), b"w", orjson.dumps(result("c-1")), ()), NOW)
    read_model.tick(NOW)
    parts = read_model.shown.since(0)

    assert 3 == parts["row/a/order"]["backlog"]
    assert 1 == parts["commands/a"]["payOrder"]["succeeded"]
    assert len(orjson.dumps(parts)) < 100_000
    assert parts["unreadable"] > 0


@pytest.mark.parametrize("odd", [None, 5, 1e400, [], {"a": 1}, "x" * 5_000_000, "nan"])
def test_results_of_strangers_do_not_stop_the_clock(odd: object) -> None:
    """An outcome that is no text is counted as its text, beside the others."""
    shown = PageParts()
    outcomes = Outcomes(shown, ["a"])
    for value in (result("c-1"), {**result("c-2"), "outcome": odd, "command": odd, "reason": odd, "message": odd}):
        outcomes.take("a", int(NOW * 1000), b"web-1", orjson.dumps(value))
    outcomes.tick(NOW)

    assert 1 == shown.since(0)["commands/a"]["payOrder"]["succeeded"]
    assert len(orjson.dumps(shown.since(0))) < 10_000


def test_what_a_viewer_gets_of_a_letter_is_short() -> None:
    """Also under a key of megabytes, from a topic and a stage that call themselves anything."""
    shown = PageParts()
    letters = NewestLetters(shown, ["a"])
    for number in range(3):
        headers = dict(dead_letter_headers(("t" * 1_000_000, 0, 1), "s" * 1_000_000, "k", "m" * 1_000_000))
        letters.take("a", DeadLetter(Place("a.dead-letters", 0), number, int(NOW * 1000), b"k" * 4_300_000, None, headers))
    letters.tick(NOW)

    assert len(orjson.dumps(shown.since(0))) < 10_000
