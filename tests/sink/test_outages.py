"""A POS that is down delays commands, and does not fail them; a command that alone fails is given up."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from itertools import pairwise
from typing import Any

import pytest

from connector.errors import AccessDenied, NotSent, Retry, Unanswered
from connector.mplus.request import Fields
from connector.mplus.responses.answers import OrderAnswer
from connector.sandbox import Sandbox, SandboxOptions
from connector.sink.context import Deadlines
from connector.sink.pos.calls import Pos
from tests.sink.lanes import Lanes, laning
from tests.support.sink.commanding import create, pay
from tests.support.sink.lone_executor import Time, lone_executor
from tests.support.sink.lost_answers import told

ORDERS = 1000
UNKNOWN_AFTER_S = 2.0
OUTAGES: dict[str, Callable[[], Exception]] = {
    "5xx": lambda: Unanswered("createOrderV3: HTTP 502 is no answer of the POS", after=None),
    "timeouts": lambda: Unanswered("createOrderV3: the POS did not answer in time"),
    "refused": lambda: NotSent("createOrderV3: the POS cannot be reached"),
}


class Unwell:
    """A Pos that fails all calls while `down`, then every third."""

    def __init__(self, pos: Pos, error: Callable[[], Exception]) -> None:
        self._pos, self._error = pos, error
        self.down, self.stutters, self.asked, self.failed = True, True, 0, 0
        self.turn, self.page = pos.turn, pos.page

    async def order(self, operation: str, fields: Fields) -> OrderAnswer:
        self._fail()
        return await self._pos.order(operation, fields)

    async def change(self, operation: str, fields: Fields) -> OrderAnswer:
        self._fail()
        return await self._pos.change(operation, fields)

    def _fail(self) -> None:
        self.asked += 1
        if self.down or (self.stutters and self.asked % 3 == 0):
            self.failed += 1
            raise self._error()


@pytest.fixture
async def shop(bootstrap: str, prefix: str) -> AsyncIterator[Lanes]:
    """Lanes of an administration."""
    async with Sandbox(SandboxOptions(items=3)) as pos, laning(bootstrap, prefix, pos) as found:
        yield found


@pytest.mark.parametrize("kind", OUTAGES)
async def test_an_outage_of_all_fails_nobody(shop: Lanes, kind: str) -> None:
    """Longer than an unknown outcome is waited for, and then a third of the calls fails: all orders are made, each once."""
    async with shop.worker() as (_, calls):
        unwell = calls.pos = Unwell(calls.pos, OUTAGES[kind])
        async with shop.owning(calls, in_flight=64, deadlines=Deadlines(0.5, UNKNOWN_AFTER_S, 0.5)):
            await shop.send(*(create(f"c-{number}", f"web-{number}") for number in range(ORDERS)))
            await asyncio.sleep(2 * UNKNOWN_AFTER_S)  # the outage itself
            assert unwell.failed > 100
            unwell.down = False
            results = await shop.results(ORDERS, 120)
    assert {"succeeded": ORDERS} == Counter(row["outcome"] for row in results)
    assert ORDERS == len(shop.effects("created")) == len(set(shop.effects("created")))
    assert [] == await shop.letters()


async def test_a_pos_that_asks_to_wait_is_not_asked_meanwhile() -> None:
    """Retry-After of 503 and 429, for changing and for looking; what a POS may ask for is bounded."""
    async with lone_executor() as bench:
        bench.pos.faults.switch("unavailable", count=3, operations=["createOrderV3"], seconds=120)
        result = await bench.run(create("c-1", "web-1"))
        assert ("succeeded", 4) == (result["outcome"], result["attempts"])
        changes = [at for at, _ in bench.wire.changes]
        assert all(later - earlier >= 120 for earlier, later in pairwise(changes))
    async with lone_executor() as bench:
        bench.pos.faults.switch("unavailable", count=1, operations=["createOrderV3"], seconds=86_400)
        await bench.run(create("c-1", "web-1"))
        assert 300 <= bench.time.passed < 400


class Firewall:
    """A Pos behind something that refuses every call about one order: HTTP 401 or 403, or any other silence."""

    def __init__(self, pos: Pos, name: str, error: Exception, *, looks: bool) -> None:
        self._pos, self._name, self._error, self._looks = pos, name, error, looks
        self.turn, self.page = pos.turn, pos.page

    async def order(self, operation: str, fields: Fields) -> OrderAnswer:
        if self._looks and self._name in str(fields):
            raise AccessDenied("HTTP 403", "403")
        return await self._pos.order(operation, fields)

    async def change(self, operation: str, fields: Fields) -> OrderAnswer:
        if self._name in str(fields):
            raise self._error
        return await self._pos.change(operation, fields)


@pytest.mark.parametrize("looks", [False, True])
@pytest.mark.parametrize("error", [Unanswered("HTTP 403 is no answer of the POS"), AccessDenied("who are you?", "403")])
async def test_what_a_firewall_refuses_for_one_order_only(error: Exception, *, looks: bool) -> None:
    """Others are carried out once an hour: it is given up, after so many failures that chance does not explain them."""
    through = lambda pos, _: Firewall(pos, "web-bad", error, looks=looks)  # noqa: E731
    async with lone_executor(through=through) as bench:
        for hour in range(1, 48):
            bench.time.at(3600.0 * hour, lambda hour=hour: bench.run(create(f"o-{hour}", f"web-{hour}")))  # type: ignore[misc]
        result = await bench.run(create("c-1", "web-bad"))
        assert ("unknown", "OUTCOME-UNKNOWN") == told(result)[:2]
        assert 900 <= bench.time.passed < 24 * 3600
        assert "it alone fails again and again" in result["message"]


@pytest.mark.parametrize("command", [create("a-1", "web-a"), pay("a-1", "web-a", 100)])
async def test_one_failure_after_an_outage_is_not_its_own(command: dict[str, Any]) -> None:
    """Twenty minutes of silence for all, another succeeds, then this one fails once more: it is carried out."""
    left = [1]

    class Outage(Firewall):
        def __init__(self, pos: Pos, time: Time) -> None:
            super().__init__(pos, "", Unanswered("HTTP 502"), looks=False)
            self._time = time

        async def order(self, operation: str, fields: Fields) -> OrderAnswer:
            self._check(fields)
            return await self._pos.order(operation, fields)

        async def change(self, operation: str, fields: Fields) -> OrderAnswer:
            self._check(fields)
            return await self._pos.change(operation, fields)

        def _check(self, fields: Fields) -> None:
            if self._time.passed < 1200:
                raise Retry("HTTP 502")
            if "web-a" in str(fields) and left:
                left.pop()
                raise Retry("HTTP 503")

    async with lone_executor(through=Outage) as bench:
        bench.time.at(1200.5, lambda: bench.run(create("b-1", "web-b")))
        result = await bench.run(command)
        assert "unknown" != result["outcome"]
        assert [] == left
