"""The bytes that a worker holds: bounded, shared fairly, and nobody waits for ever."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import dataclass, field

import pytest
from aiohttp import web
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from connector.sandbox import Sandbox, SandboxOptions
from connector.source.budget import PAGE_BYTES_MIN, MemoryBudget, Reservation
from tests.source.interposed import interpose
from tests.support.source.polling import eventually, only, reading, truth

LIMIT = 100
SOME = st.integers(0, 10**6)
BYTES = st.one_of(st.integers(0, 40), st.integers(0, 300))


@dataclass(eq=False)
class Page:
    """One being read: what it asked for last, and whether it is on its way to Kafka."""

    administration: str
    reservation: Reservation
    growing: "asyncio.Task[None] | None" = None
    by: int = 0
    kept: list["asyncio.Future[None]"] = field(default_factory=list)

    @property
    def waits(self) -> bool:
        return self.growing is not None and not self.growing.done()


class Sharing(RuleBasedStateMachine):
    """Some administrations read pages of all sizes, drop them, keep them, and are cancelled, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.budget = MemoryBudget(LIMIT)
        self.pages: list[Page] = []
        self.together = 0
        self.largest: dict[str, int] = {}

    def settle(self) -> None:
        """Let everybody run who can."""
        for _ in range(4):
            self.loop.run_until_complete(asyncio.sleep(0))
        self.together = max(self.together, len(self.sharing()))
        for page in self.pages:
            self.largest[page.administration] = max(self.largest.get(page.administration, 0), page.reservation.size)

    def sharing(self) -> set[str]:
        return {page.administration for page in self.pages if page.reservation.size or page.waits}

    def of(self, administration: str) -> list[Page]:
        return [page for page in self.pages if page.administration == administration]

    def one(self, number: int, *, waiting: bool) -> Page | None:
        found = [page for page in self.pages if page.waits is waiting and not page.kept]
        return found[number % len(found)] if found else None

    @rule(administration=st.sampled_from("abc"))
    def begins(self, administration: str) -> None:
        assert self.budget.share(administration) > 0
        self.pages.append(Page(administration, self.budget.reserve(administration)))

    @rule(number=SOME, by=BYTES)
    def arrives(self, number: int, by: int) -> None:
        if page := self.one(number, waiting=False):
            page.by, page.growing = by, self.loop.create_task(page.reservation.grow(by))
            self.settle()

    @rule(number=SOME, size=st.integers(0, 60))
    def turns_out_smaller(self, number: int, size: int) -> None:
        if page := self.one(number, waiting=False):
            page.reservation.resize(min(size, page.reservation.size))
            self.settle()

    @rule(number=SOME, parts=st.integers(0, 2))
    def ends(self, number: int, parts: int) -> None:
        if page := self.one(number, waiting=False):
            self.end(page, parts)

    def end(self, page: Page, parts: int = 0) -> None:
        """Dropped, or so many parts of it are on their way."""
        page.kept = [self.loop.create_future() for _ in range(parts)]
        for part in page.kept:
            page.reservation.keep_until(part)
        self.loop.run_until_complete(page.reservation.__aexit__())
        self.pages = [other for other in self.pages if other is not page or page.kept]
        self.settle()

    @rule(number=SOME)
    def is_committed(self, number: int) -> None:
        if kept := [page for page in self.pages if page.kept]:
            self.committed(kept[number % len(kept)])

    def committed(self, page: Page) -> None:
        page.kept.pop().set_result(None)
        self.pages = [other for other in self.pages if other is not page or page.kept]
        self.settle()

    @rule(number=SOME)
    def is_cancelled(self, number: int) -> None:
        if page := self.one(number, waiting=True):
            assert page.growing is not None
            page.growing.cancel()
            with suppress(asyncio.CancelledError):
                self.loop.run_until_complete(page.growing)
            self.end(page)

    @precondition(lambda self: self.pages)
    @rule()
    def all_are_over_in_the_end(self) -> None:
        """Whoever does not wait ends, again and again: then nobody is left, and everything was given back."""
        while self.pages:
            free = [page for page in self.pages if not page.waits]
            assert free, "all wait for each other"
            self.committed(free[0]) if free[0].kept else self.end(free[0])
        assert self.budget.used == 0

    @invariant()
    def nobody_waits_for_himself(self) -> None:
        """Of an administration that waits, one page gets on by itself, or is on its way to Kafka."""
        for administration in {page.administration for page in self.pages if page.waits}:
            assert any(not page.waits and page.reservation.size for page in self.of(administration)), administration

    @invariant()
    def what_others_hold_costs_nobody_his_share(self) -> None:
        fair = LIMIT // max(1, len(self.sharing()))
        for page in self.pages:
            if page.waits:
                held = sum(other.reservation.size for other in self.of(page.administration))
                assert held + page.by > fair

    @invariant()
    def what_is_held_is_known_and_bounded(self) -> None:
        """The limit, shares that were lent, and one page of each."""
        assert self.budget.used == sum(page.reservation.size for page in self.pages)
        lent = sum(LIMIT / number for number in range(1, self.together + 1))
        assert self.budget.used <= lent + sum(self.largest.values())

    def teardown(self) -> None:
        if self.pages:
            self.all_are_over_in_the_end()
        self.loop.close()


TestSharing = Sharing.TestCase
TestSharing.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


@contextmanager
def waiting(*tasks: "asyncio.Task[None]") -> Iterator[None]:
    """They end with the test."""
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()


async def test_a_page_that_does_not_come_holds_nothing() -> None:
    """However many are asked: room is taken by what is here."""
    budget = MemoryBudget(LIMIT)
    pages = [budget.reserve("hangs") for _ in range(50)]
    async with budget.reserve("well") as page:
        await page.grow(LIMIT)
        assert budget.used == LIMIT
    assert [0] * 50 == [each.size for each in pages]


async def test_a_slow_one_keeps_what_it_has_and_the_other_gets_its_share_at_once() -> None:
    """The first one had all, as it was alone, and gives nothing back."""
    budget = MemoryBudget(LIMIT)
    for _ in range(10):
        await budget.reserve("slow").grow(10)
    first, second = budget.reserve("well"), budget.reserve("well")
    await first.grow(25)
    await second.grow(25)
    more = asyncio.create_task(budget.reserve("slow").grow(1))
    with waiting(more):
        await more  # one page of it goes ahead
    behind = asyncio.create_task(budget.reserve("slow").grow(1))
    with waiting(behind):
        await asyncio.sleep(0)
        assert not behind.done()


async def test_of_two_half_read_pages_the_older_goes_ahead() -> None:
    """Although the younger asked first; they do not wait for each other."""
    budget = MemoryBudget(LIMIT)
    old, young, large = budget.reserve("a"), budget.reserve("a"), budget.reserve("a")
    for page, size in ((old, 30), (young, 30), (large, 100)):
        await page.grow(size)
    younger = asyncio.create_task(young.grow(60))
    await asyncio.sleep(0)
    older = asyncio.create_task(old.grow(60))
    await asyncio.sleep(0)
    with waiting(younger, older):
        assert (False, False) == (younger.done(), older.done())
        budget.release(large)
        await older
        assert not younger.done()
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        old.keep_until(done)
        done.set_result(None)
        await younger


async def test_a_page_larger_than_everything_goes_alone_within_its_administration() -> None:
    """Nobody else is held up by it."""
    budget = MemoryBudget(LIMIT)
    async with budget.reserve("large") as page:
        await page.grow(5 * LIMIT)
        next_one = asyncio.create_task(budget.reserve("large").grow(60))
        with waiting(next_one):
            await budget.reserve("other").grow(LIMIT // 2)
            await asyncio.sleep(0)
            assert not next_one.done()


async def test_a_page_that_hangs_after_it_went_ahead_holds_up_no_other_large_one() -> None:
    """As soon as its administration is back within its share, the next one goes ahead."""
    budget = MemoryBudget(LIMIT)
    full, hangs, large = budget.reserve("a"), budget.reserve("a"), budget.reserve("a")
    await full.grow(LIMIT)
    await hangs.grow(10)
    more = asyncio.create_task(large.grow(5 * LIMIT))
    await asyncio.sleep(0)
    with waiting(more):
        assert not more.done()
        budget.release(full)
        await more


async def test_half_read_pages_of_one_that_holds_more_than_its_share_get_on() -> None:
    """They were read while it was alone; then another one came, and the page that went ahead has ended."""
    budget = MemoryBudget(LIMIT)
    first, second, ahead = budget.reserve("a"), budget.reserve("a"), budget.reserve("a")
    for page in (first, second, ahead):
        await page.grow(40)
    tasks = [asyncio.create_task(page.grow(40)) for page in (first, second)]
    with waiting(*tasks):
        await asyncio.sleep(0)
        await budget.reserve("b").grow(10)
        assert [False, False] == [task.done() for task in tasks]
        budget.release(ahead)
        await tasks[0]
        budget.release(first)
        await tasks[1]


async def test_who_is_cancelled_at_the_moment_of_being_let_in_holds_nothing() -> None:
    """Both happen before its task runs again."""
    budget = MemoryBudget(LIMIT)
    first, other = budget.reserve("a"), budget.reserve("a")
    await first.grow(LIMIT)
    await other.grow(1)  # goes ahead
    late = budget.reserve("a")
    task = asyncio.create_task(late.grow(10))
    await asyncio.sleep(0)
    assert not task.done()
    first.resize(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (0, 1) == (late.size, budget.used)


async def test_a_page_that_turns_out_smaller_lets_the_next_one_in() -> None:
    """What is sent to Kafka may be less than what came."""
    budget = MemoryBudget(LIMIT)
    first, ahead = budget.reserve("a"), budget.reserve("a")
    await first.grow(LIMIT)
    await ahead.grow(1)
    waits = asyncio.create_task(budget.reserve("a").grow(20))
    with waiting(waits):
        await asyncio.sleep(0)
        assert not waits.done()
        first.resize(LIMIT - 21)
        await waits


HANGING = ("article", "relation", "employee", "invoice", "receipt", "order", "proposal")


async def test_a_pos_that_stops_in_the_middle_of_its_pages_holds_up_no_other() -> None:
    """However many it has been asked for, and although one of them is larger than all that a worker may hold."""
    begun: set[str] = set()

    async def half(operation: str, answer: web.Response) -> web.Response | None:
        if "SyncMarkers" in operation:
            return None

        async def body() -> AsyncIterator[bytes]:
            assert isinstance(answer.body, bytes)
            begun.add(operation)
            yield answer.body[: len(answer.body) // 2]
            await asyncio.sleep(3600)

        return web.Response(body=body(), content_type="text/xml")

    budget = MemoryBudget(100_000)
    async with Sandbox(SandboxOptions(items=120)) as hangs, Sandbox(only("order", 120)) as well, AsyncExitStack() as readings:
        interpose(hangs, half)
        for name in HANGING:
            await readings.enter_async_context(reading(hangs, name, limit=1000, administration="hangs", budget=budget))
        await eventually(lambda: len(begun) == len(HANGING) and budget.used)
        read = await readings.enter_async_context(reading(well, "order", limit=50, administration="well", budget=budget))
        await read.caught_up()
        assert truth(well, "order") == read.seen()
        well.shop.change("order", 3)
        await read.caught_up()


def test_a_share_falls_with_those_who_read_and_never_to_nothing() -> None:
    """So that a page is chosen that need not wait half way."""
    budget = MemoryBudget(24 << 20)
    assert 24 << 20 == budget.share("a")
    for number in range(300):
        budget.reserve(f"other-{number}").resize(1 << 20)
    assert PAGE_BYTES_MIN == budget.share("a")
    assert 1000 == MemoryBudget(1000).share("a")
