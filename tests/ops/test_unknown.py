"""What is not known is not 0: rows and samples of entities whose head nobody tells."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connector.admin.status import _row as fleet_row
from connector.clock import Clock
from connector.events.base import Event
from connector.events.source import (
    GapsCounted,
    HeadSeen,
    HeadUnknown,
    ItemsBelow,
    LateFound,
    PageCommitted,
    PageLimited,
    ShardStarted,
    ShardStopped,
    StateChanged,
)
from connector.ops import fan_out
from connector.ops.metrics import Metrics, Share
from connector.ops.status import WorkerStatus

WHERE = ("shop", "order")
NOON = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
START = 1000.0
"""Monotonic seconds at noon."""


class Ops:
    """WorkerStatus and metrics on a clock of one's own."""

    def __init__(self) -> None:
        self.now = START
        clock = Clock(monotonic=lambda: self.now, wall=lambda: NOON + timedelta(seconds=self.now - START))
        self.status = WorkerStatus(clock, "host:1", "d")
        self.metrics = Metrics(self.status)
        self.metrics.expect(Share("1", "d", [WHERE], [], [], page_size=1000))
        self._tell = fan_out([self.status, self.metrics])

    def told(self, *events: Event, at: float = START) -> "Ops":
        """At this time."""
        self.now = at
        for event in events:
            self._tell(event)
        return self

    def row(self, *names: str, at: float) -> tuple[Any, ...]:
        """Fields of the row, at this time."""
        self.now = at
        row = self.status.rows()[WHERE]
        return tuple(row[name] for name in names)

    def sample(self, name: str, **more: str) -> float | None:
        """Of the entity, now."""
        self.metrics.collect()
        return self.metrics.registry.get_sample_value(
            f"mplus_connector_{name}", {"administration": "shop", "entity": "order", **more}
        )


KNOWN = ("head", "backlog", "unknownSince", "age")


def test_before_the_first_head_nothing_is_known_since_the_start() -> None:
    """And from the first head on it is; an idle entity has a backlog of 0."""
    ops = Ops().told(ShardStarted(*WHERE, 36, "running"))
    assert (None, None, "2026-11-30T12:00:00.000Z", 5.0) == ops.row(*KNOWN, at=START + 5)
    assert (None, 5.0) == (ops.sample("backlog_markers"), ops.sample("head_unknown_seconds"))

    ops.told(HeadSeen(*WHERE, 36, 36, None), at=START + 6)
    assert (36, 0, None, 0.0) == ops.row(*KNOWN, at=START + 9)
    assert (0, 0.0, 0.0) == (
        ops.sample("backlog_markers"),
        ops.sample("head_unknown_seconds"),
        ops.sample("backlog_age_seconds"),
    )


def test_while_the_pos_does_not_tell_its_head_the_backlog_is_unknown_since_then() -> None:
    """Not 0, in the row and in the metrics; the last head stays; each further failure changes nothing; the next head ends it."""
    ops = Ops().told(ShardStarted(*WHERE, 36, "running"), HeadSeen(*WHERE, 36, 36, None))
    for at in (START + 32, START + 64, START + 96):
        ops.told(HeadUnknown(*WHERE, at - 30), at=at)
    assert (36, None, "2026-11-30T12:00:02.000Z", 98.0) == ops.row(*KNOWN, at=START + 100)
    assert (None, 98.0, 98.0) == (
        ops.sample("backlog_markers"),
        ops.sample("head_unknown_seconds"),
        ops.sample("backlog_age_seconds"),
    )
    assert 36 == ops.sample("head_marker")

    ops.told(HeadSeen(*WHERE, 86, 36, START + 110), at=START + 110)
    assert (86, 50, None, 1.0) == ops.row(*KNOWN, at=START + 111)
    assert (50, 0) == (ops.sample("backlog_markers"), ops.sample("head_unknown_seconds"))


def test_a_change_that_was_known_before_stays_the_oldest() -> None:
    """Its age goes on, and is longer than nothing has been known."""
    ops = Ops().told(ShardStarted(*WHERE, 30, "running"), HeadSeen(*WHERE, 36, 30, START))
    ops.told(HeadUnknown(*WHERE, START + 50), at=START + 60)

    assert (100.0,) == ops.row("age", at=START + 100)
    assert 50.0 == ops.sample("head_unknown_seconds")


def test_a_page_that_comes_meanwhile_moves_the_position_and_proves_no_head() -> None:
    """What lies beyond it is as unknown as before."""
    ops = Ops().told(ShardStarted(*WHERE, 30, "running"), HeadSeen(*WHERE, 36, 30, START), HeadUnknown(*WHERE, START))
    ops.told(PageCommitted(*WHERE, 50, 20, 0, 0.1, None), at=START + 10)

    assert (50, 50, None, 10.0) == ops.row("head", "position", "backlog", "age", at=START + 10)


def test_what_the_entity_showed_goes_when_it_goes() -> None:
    """Another worker shows it from then on, also what comes late."""
    names = ("head_unknown_seconds", "open_gaps", "page_limit_items", "shard_running")
    ops = Ops().told(ShardStarted(*WHERE, 30, "running"), HeadSeen(*WHERE, 36, 30, START))
    assert [0.0, 0.0, 1000.0, 1.0] == [ops.sample(name) for name in names]

    ops.told(ShardStopped(*WHERE), GapsCounted(*WHERE, 3, 0), PageLimited(*WHERE, 5, "slow"), StateChanged(*WHERE, "failed", ""))
    assert [None] * 4 == [ops.sample(name) for name in names]
    assert [None, None] == [ops.sample("shard_state", state=state) for state in ("running", "failed")]


@pytest.mark.parametrize("state", ["failed", "topic-lost", "head-doubted", "head-regressed", "unreachable"])
def test_an_entity_is_in_one_state(state: str) -> None:
    """Shown by its name, and no more when it is over."""
    ops = Ops().told(ShardStarted(*WHERE, 30, "running"), StateChanged(*WHERE, state, "why"))
    assert (1, None) == (ops.sample("shard_state", state=state), ops.sample("shard_state", state="running"))
    assert (0, state == "head-regressed") == (ops.sample("shard_running"), ops.sample("head_regressed"))

    ops.told(StateChanged(*WHERE, "running", ""))
    assert (None, 1) == (ops.sample("shard_state", state=state), ops.sample("shard_state", state="running"))


def test_gaps_late_items_and_page_limits_are_shown() -> None:
    """Counters from 0 on; of gaps and limits the last that was told."""
    names = ("open_gaps", "expired_gaps_total", "late_items_total", "items_below_total", "page_limit_items")
    ops = Ops().told(ShardStarted(*WHERE, 30, "running"))
    assert [0, 0, 0, 0, 1000] == [ops.sample(name) for name in names]

    ops.told(GapsCounted(*WHERE, 7, 2), GapsCounted(*WHERE, 4, 1), LateFound(*WHERE, 3), ItemsBelow(*WHERE, 101, 5))
    ops.told(PageLimited(*WHERE, 500, "the page took too long"), PageLimited(*WHERE, 250, "the page took too long"))
    assert [4, 3, 3, 5, 250] == [ops.sample(name) for name in names]


def test_a_worker_that_is_silent_leaves_the_backlog_unknown() -> None:
    """`status` cannot know more than was reported: since the last report nothing is known, and it was not 0 since then."""
    told = (
        b'{"head":36,"position":36,"backlog":0,"age":0.0,"unknownSince":null,"rate":1.0,"state":"running","reason":"",'
        b'"owner":"host:1","digest":"d","at":"2026-11-30T12:00:00.000Z"}'
    )
    fresh, silent = (fleet_row(told, b'{"syncMarker":36}', NOON + timedelta(seconds=seconds)) for seconds in (3, 75))

    assert (0, None, 0.0) == (fresh["backlog"], fresh["unknownSince"], fresh["age"])
    assert (36, None, "2026-11-30T12:00:00.000Z", 75.0) == tuple(silent[name] for name in KNOWN)
    assert ("silent", None) == (silent["state"], silent["rate"])


def test_the_fleet_keeps_an_unknown_backlog_unknown() -> None:
    """The newer position from the position record makes no backlog of a head that nobody tells."""
    told = (
        b'{"head":36,"position":36,"backlog":null,"age":9.0,"unknownSince":"2026-11-30T12:00:00.000Z","rate":1.0,'
        b'"state":"unreachable","reason":"why","owner":"host:1","digest":"d","at":"2026-11-30T12:00:09.000Z"}'
    )
    row = fleet_row(told, b'{"syncMarker":40}', NOON + timedelta(seconds=10))

    assert (36, None, "2026-11-30T12:00:00.000Z", 9.0) == tuple(row[name] for name in KNOWN)
