"""Whether the POS answers: what a worker shows of one that hangs, and when the alert about it fires."""

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import promql_parser
import pytest

from connector.backoff import backoff
from connector.clock import Clock
from connector.errors import Retry
from connector.events.commands import CommandTaken
from connector.events.kafka import PartitionLost, PartitionOwned
from connector.events.pos import CallBegan, CallMade
from connector.events.source import ShardStarted, ShardStopped
from connector.mplus.client import Access, PosClient, Retries
from connector.mplus.responses.process import InlineDecoder
from connector.ops.calls import HANGS_S
from connector.ops.metrics import Metrics
from connector.ops.status import RECENT_S, WorkerStatus
from connector.wiring import not_ready
from tests.support.expressions import rules
from tests.support.pos.silent import silent

SCRAPE_S = 15
HOUR_S = 3600
SMALL_CALL_S, PAGE_S = 30.0, 600.0
"""How long a head and a page are waited for."""


@dataclass
class Seen:
    """A board on simulated time, looked at as Prometheus would; `series` is what it scraped: None where there was no sample."""

    now: float = 0.0
    series: list[tuple[float, float | None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.status = WorkerStatus(Clock(monotonic=lambda: self.now), "me", "")
        self.metrics = Metrics(self.status)
        self.status(ShardStarted("shop", "order", 5, "running"))

    def until(self, at: float) -> None:
        """Let time pass."""
        while self.now < at:
            self.now = min(at, (self.now // SCRAPE_S + 1) * SCRAPE_S)
            if self.now % SCRAPE_S == 0:
                self.series.append((self.now, self.reachable))

    @property
    def reachable(self) -> float | None:
        return self.sample("reachable")

    def sample(self, name: str) -> float | None:
        """Of the POS, now."""
        self.metrics.collect()
        return self.metrics.registry.get_sample_value(f"mplus_connector_pos_{name}", {"administration": "shop"})

    def call(self, number: int, seconds: float, fault: str = "", *, cancelled: bool = False) -> None:
        """A call from its beginning to its end."""
        self.status(CallBegan("shop", "getCurrentSyncMarkersV2", number))
        self.until(self.now + seconds)
        made = CallMade("shop", "getCurrentSyncMarkersV2", seconds, fault, number, cancelled)
        self.status(made)
        self.metrics(made)


def fires(series: list[tuple[float, float | None]]) -> list[tuple[float, float]]:
    """From when to when MplusPosUnreachable fires over such a series."""
    (rule,) = [rule for rule in rules() if rule["alert"] == "MplusPosUnreachable"]
    assert "min by (administration) (mplus_connector_pos_reachable) == 0" == rule["expr"]
    assert isinstance(promql_parser.parse(rule["expr"]), promql_parser.BinaryExpr)
    (minutes,) = re.findall(r"^(\d+)m$", rule["for"])
    found: list[tuple[float, float]] = []
    since: float | None = None
    for at, value in series:
        since = (at if since is None else since) if value == 0 else None
        if since is not None and at - since >= 60 * int(minutes):
            found = [*found, (at, at)] if not found or found[-1][1] != at - SCRAPE_S else [*found[:-1], (found[-1][0], at)]
    return found


def hanging(limit: float, attempts: int) -> Iterator[float]:
    """Seconds between the calls to a POS that accepts and never answers: as a poller waits, most impatiently and least."""
    failures = 0
    while True:
        for _ in range(attempts - 1):
            yield 0.3
        failures += 1
        yield backoff(failures, failures % 3 / 3)


@pytest.mark.parametrize(("limit", "attempts"), [(SMALL_CALL_S, 1), (PAGE_S, 4), (59.0, 1), (61.0, 2)])
def test_a_pos_that_hangs_is_told_within_five_minutes_and_stays_told(limit: float, attempts: int) -> None:
    """Whatever the time limit of the call that finds it. No gap ends the alert before the POS answers."""
    seen = Seen()
    for number in range(100):
        seen.call(number, 0.05)
        seen.until(seen.now + 2)
    began = seen.now
    for number, pause in enumerate(hanging(limit, attempts), 1000):
        seen.call(number, limit, "Unanswered")
        seen.until(seen.now + pause)
        if seen.now > began + HOUR_S:
            break
    ended = seen.now
    for number in range(5000, 5010):
        seen.call(number, 0.05)
        seen.until(seen.now + 2)
    ((fired, resolved),) = fires(seen.series)

    assert fired - began <= 300
    assert resolved >= ended - SCRAPE_S
    assert {value for at, value in seen.series if began + HANGS_S < at < ended} == {0}
    assert 1 == seen.reachable


def test_a_pos_that_hangs_on_pages_and_answers_heads_is_reachable() -> None:
    """The oldest call says that something hangs."""
    seen = Seen()
    seen.status(CallBegan("shop", "getOrders", 1))
    for number in range(2, 200):
        seen.call(number, 0.05)
        seen.until(seen.now + 2)

    assert {1.0} == {value for _, value in seen.series}
    assert seen.sample("oldest_call_seconds") == seen.now > 300
    seen.status(CallMade("shop", "getOrders", seen.now, "", 1))
    assert 0 == seen.sample("oldest_call_seconds")


def test_heads_that_stop_while_a_page_hangs_are_noticed_though_the_page_is_older() -> None:
    """The page began before the last answer: the head's own minute counts."""
    seen = Seen()
    seen.status(CallBegan("shop", "getOrders", 1))
    seen.until(300)
    seen.call(2, 0.5)
    assert 1 == seen.reachable
    seen.status(CallBegan("shop", "getCurrentSyncMarkersV2", 3))
    seen.until(300.5 + HANGS_S)
    assert 1 == seen.reachable
    seen.until(302 + HANGS_S)
    assert 0 == seen.reachable


def test_a_call_that_was_given_up_tells_nothing_but_how_long_it_hung() -> None:
    """An operator who pauses does not make a POS answer: neither is it well then, nor is it ill for a call of a second."""
    seen = Seen()
    seen.call(1, 0.5)
    seen.call(2, 1.0, cancelled=True)
    assert 1 == seen.reachable
    (faults,) = [row for row in seen.metrics.registry.collect() if row.name == "mplus_connector_pos_faults"]
    assert [] == faults.samples
    seen.call(3, HANGS_S + 1, cancelled=True)
    seen.status(CallBegan("shop", "getOrders", 4))
    assert 0 == seen.reachable
    seen.status(CallMade("shop", "getOrders", 0.1, "Refused", 4))
    assert 1 == seen.reachable


def test_the_first_call_of_a_worker_that_took_over_is_no_gap() -> None:
    """A POS that hung before hangs now: nothing was answered yet."""
    seen = Seen()
    assert None is seen.reachable
    seen.status(CallBegan("shop", "getOrders", 1))
    assert 0 == seen.reachable
    seen.until(10)
    seen.status(CallMade("shop", "getOrders", 10.0, "", 1))
    assert 1 == seen.reachable


def test_there_is_no_sample_where_there_is_nothing_to_ask() -> None:
    """What entities are read of is asked however seldom; what commands are owned of only while there are some."""
    seen = Seen()
    seen.call(1, 1.0, "Unanswered")
    seen.until(2 * RECENT_S)
    assert 0 == seen.reachable

    seen.status(PartitionOwned("shop.order-commands", 0, 0.1))
    seen.status(ShardStopped("shop", "order"))
    assert None is seen.reachable
    seen.status(CommandTaken("shop", "payOrder"))
    assert 0 == seen.reachable


def test_calls_of_an_administration_that_moved_away_tell_nothing_when_they_end() -> None:
    """They were begun here, and say nothing about what this worker does now."""
    seen = Seen()
    seen.status(PartitionOwned("shop.order-commands", 0, 0.1))
    seen.status(CallBegan("shop", "getOrders", 1))
    seen.status(ShardStopped("shop", "order"))
    seen.status(PartitionLost("shop.order-commands", 0, "revoked"))
    seen.status(CallMade("shop", "getOrders", 1.0, "Unanswered", 1))

    assert None is seen.reachable


def test_readiness_says_since_when() -> None:
    """Of a call that failed the time of the first of them; of one that hangs when it began."""
    seen = Seen()
    seen.call(1, 1.0)
    for number in (2, 3, 4):
        seen.call(number, 30.0, "Unanswered")
    (reason,) = not_ready(seen.status, [])
    assert re.fullmatch(r"shop: the last call of the POS failed \(Unanswered\), since \d{4}-\d\d-\d\dT\d\d:\d\d:[\d.]+Z", reason)
    ((_, failed),) = seen.status.outages.items()
    seen.call(5, 1.0)
    assert [] == not_ready(seen.status, [])
    seen.status(CallBegan("shop", "getOrders", 6))
    seen.until(seen.now + HANGS_S + 1)
    (reason,) = not_ready(seen.status, [])

    assert reason.startswith("shop: a call of the POS has no answer, since ")
    assert failed.startswith("the last call of the POS failed")


async def test_a_real_pos_that_accepts_and_never_answers_is_not_reachable() -> None:
    """From the first call that ends on, in every sample, with the time of the calls stretched: a second for ten minutes."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    board = WorkerStatus(Clock(monotonic=lambda: (loop.time() - started) * 600), "me", "")
    board(ShardStarted("shop", "order", 5, "running"))
    seen: list[dict[str, str]] = []
    async with silent() as port:
        access = Access("shop", f"http://127.0.0.1:{port}", "i", "s", rate=1000, timeout=0.2)
        client = PosClient(access, InlineDecoder(), board, retries=Retries(attempts=1))
        for _ in range(3):
            asking = asyncio.create_task(client.numbers("getCurrentSyncMarkersV2"))
            while not asking.done():
                await asyncio.sleep(0.02)
                seen.append(board.faults)
            with pytest.raises(Retry):
                await asking
        await client.close()
    told = [fault for faults in seen for fault in faults.values()]

    assert "" not in told
    assert "Unanswered" == told[-1]
