"""Reading without publishing: pages that cannot be had as they were asked, and places that cannot be read at all."""

import asyncio
import re

import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.errors import Retry, Unreadable
from connector.mplus.client import Arrived, Page
from connector.mplus.responses.pages import Item, Undecodable
from connector.sandbox import Sandbox
from connector.source.budget import MemoryBudget
from connector.source.entities import Choices, Entity, named
from connector.source.reading.reader import Reader
from connector.source.reading.scan import BAD_PLACES_MAX, Scan
from tests.source.interposed import client_of, cut, interpose
from tests.support.source.limit_semantics import SEMANTICS, Semantics
from tests.support.source.polling import only, truth

(RELATION,) = named(["relation"])
(STOCK,) = named(["stock"])
(ARTICLE,) = named(["article"])


class Shelf:
    """A POS of items in memory: (identity, marker), bad ones make their page unreadable; it stands for a reader."""

    def __init__(self, items: list[tuple[str, int]], bad: set[str], semantics: str, *, inclusive: bool = True) -> None:
        self.items, self.bad = sorted(items, key=lambda item: item[1]), bad
        self.window, self.past = semantics == "window", not inclusive
        self.asked: list[tuple[int, int]] = []

    async def page(self, marker: int, limit: int, arrived: Arrived | None = None) -> Page:
        self.asked.append((marker, limit))
        marker += self.past
        found = [item for item in self.items if item[1] >= marker and (not self.window or item[1] < marker + limit)]
        found = found if self.window else found[:limit]
        if self.bad & {name for name, _ in found}:
            raise Unreadable("cut")
        return [Item(marker=at, identity=name, deleted=False, value=b"{}") for name, at in found]


async def scanned(shelf: Shelf, entity: Entity, limit: int, head: int) -> tuple[set[str], int]:
    """What was shown, and how many that nobody can name."""
    scan = Scan(shelf, entity, limit)
    names, unknown = set(), 0
    while scan.marker < head:
        for item in await scan.page(head):
            names |= {item.identity} - {None}
            unknown += item.identity is None
    return {str(name) for name in names}, unknown


def shelves(unique: bool) -> st.SearchStrategy[list[int]]:
    """Markers of items."""
    return st.lists(st.integers(3, 40), min_size=1, max_size=25, unique=unique)


@settings(max_examples=200, deadline=None)
@given(st.data(), st.sampled_from(["records", "window"]), st.integers(1, 30))
def test_whatever_cannot_be_read_is_passed_and_nothing_is_taken_for_absent(
    data: st.DataObject, semantics: str, limit: int
) -> None:
    """Every item is shown, or at least one that nobody can name is; where each has a marker of its own, all but the bad ones."""
    markers = data.draw(shelves(unique=False))
    items = [(f"i{number}", marker) for number, marker in enumerate(markers)]
    items += [("first", 1), ("second", 2)]
    bad = data.draw(st.sets(st.sampled_from([name for name, _ in items[:-2]]), max_size=4))
    names, unknown = asyncio.run(scanned(Shelf(items, bad, semantics), RELATION, limit, max(markers)))
    assert names.isdisjoint(bad)
    assert bool(unknown) == bool(bad)
    if not bad or len(set(markers)) == len(markers):
        assert {name for name, _ in items} - bad == names


@settings(max_examples=200, deadline=None)
@given(st.data(), st.sampled_from(["records", "window"]), st.integers(1, 30), st.booleans())
def test_an_operation_that_takes_the_last_marker_seen_too(
    data: st.DataObject,
    semantics: str,
    limit: int,
    inclusive: bool,
) -> None:
    """It shows the last item again, or does not."""
    markers = data.draw(shelves(unique=True))
    items = [(f"i{number}", marker) for number, marker in enumerate(markers)]
    items += [("first", 1), ("second", 2)]
    bad = data.draw(st.sets(st.sampled_from([name for name, _ in items[:-2]]), max_size=3))
    shelf = Shelf(items, bad, semantics, inclusive=inclusive)
    names, unknown = asyncio.run(scanned(shelf, STOCK, limit, max(markers)))
    assert names.isdisjoint(bad)
    assert unknown >= bool(bad)
    if not bad:
        assert {name for name, _ in items} == names


@pytest.mark.parametrize("semantics", SEMANTICS)
@pytest.mark.parametrize("limit", [1, 7, 100])
async def test_a_real_page_with_one_bad_item_is_read_around_it(semantics: Semantics, limit: int) -> None:
    """Whatever the limit counts, at the first item, in the middle and at the last one; the budget is given back."""
    async with Sandbox(only("relation", 40, limit_semantics=semantics)) as pos, client_of(pos) as client:
        rows = truth(pos, "relation")
        bad = [rows[0], rows[30], rows[31], rows[-1]]

        async def spoilt(operation: str, answer: web.Response) -> web.Response | None:
            assert isinstance(answer.body, bytes)
            found = {int(marker) for marker in re.findall(rb"<ns:syncMarker>(\d+)<", answer.body)}
            return cut(answer) if operation == "getRelations" and found & {marker for _, marker in bad} else None

        interpose(pos, spoilt)
        budget, head = MemoryBudget(1 << 20), pos.shop.heads()["relation"]
        scan, names, unknown = Scan(Reader(client, RELATION, Choices()), RELATION, limit), set(), 0
        while scan.marker < head:
            async with budget.reserve("demo") as room:
                page = await scan.page(head, room)
            names |= {(item.identity, item.marker) for item in page if isinstance(item, Item)}
            unknown += sum(isinstance(item, Undecodable) for item in page)
    assert set(rows) - set(bad) == names
    assert unknown >= 4
    assert 0 == budget.used


async def test_the_limit_grows_back() -> None:
    """At once behind a bad item; after some pages where pages took too long."""
    items = [(f"i{marker}", marker) for marker in range(1, 401)]
    shelf = Shelf(items, {"i70"}, "records")
    assert 399 == len((await scanned(shelf, RELATION, 64, 400))[0])
    limits = [limit for _, limit in shelf.asked]
    assert {1, 2, 4, 8, 16, 32, 64} <= set(limits)
    assert 64 == limits[-1]
    assert 40 > len(limits)

    class Slow(Shelf):
        async def page(self, marker: int, limit: int, arrived: Arrived | None = None) -> Page:
            found = await super().page(marker, limit, arrived)
            if limit > 20:
                raise Retry("504")
            return found

    slow = Slow(items, set(), "records")
    assert (400, 0) == (len((await scanned(slow, RELATION, 64, 400))[0]), 0)
    assert 5 > [limit for _, limit in slow.asked].count(32)


async def test_a_page_that_takes_too_long_is_asked_smaller_and_at_last_given_up() -> None:
    """Where there is a limit of time; where a POS asks to wait, it is obeyed."""

    class Hanging(Shelf):
        async def page(self, marker: int, limit: int, arrived: Arrived | None = None) -> Page:
            found = await super().page(marker, limit, arrived)
            await asyncio.sleep(0 if limit <= self.quick else 3600)
            return found

        quick = 10

    shelf = Hanging([(f"i{marker}", marker) for marker in range(1, 31)], set(), "records")
    scan = Scan(shelf, RELATION, 40)
    assert 9 == len(await scan.page(30, within=0.01))
    shelf.quick = 0
    with pytest.raises(Retry, match="1 items"):
        await scan.page(30, within=0.01)

    class Busy(Shelf):
        async def page(self, marker: int, limit: int, arrived: Arrived | None = None) -> Page:
            await super().page(marker, limit, arrived)
            raise Retry("503", after=5)

    busy = Busy([], set(), "records")
    with pytest.raises(Retry, match="503"):
        await Scan(busy, RELATION, 40).page(30)
    assert [(0, 40)] == busy.asked


async def test_more_items_of_one_marker_than_the_pos_shows_in_time_are_passed_as_unknown() -> None:
    """Neither a smaller page nor a larger one shows them all."""

    class Slow(Shelf):
        async def page(self, marker: int, limit: int, arrived: Arrived | None = None) -> Page:
            found = await super().page(marker, limit, arrived)
            if len(found) > 10:
                raise Retry("504")
            return found

    slow = Slow([*[(f"i{number}", 7) for number in range(20)], ("last", 9)], set(), "records")
    names, unknown = await scanned(slow, RELATION, 64, 9)
    assert ("last" in names, 1) == (True, unknown)
    assert 20 > len(slow.asked)


async def test_an_error_by_chance_hides_nothing() -> None:
    """Whichever call it strikes, and the next one too."""
    items = [(f"i{marker}", marker // 2) for marker in range(2, 60)]
    for struck in range(25):

        class Unlucky(Shelf):
            async def page(self, marker: int, limit: int, arrived: Arrived | None = None) -> Page:
                if len(self.asked) in (self.struck, self.struck + 1):
                    self.asked.append((marker, limit))
                    raise Retry("500")
                return await super().page(marker, limit, arrived)

            struck = 0

        unlucky = Unlucky(items, set(), "records")
        unlucky.struck = struck
        assert ({name for name, _ in items}, 0) == await scanned(unlucky, RELATION, 8, 29)


@pytest.mark.parametrize("known", [True, False])
async def test_a_pos_of_which_nothing_can_be_read_for_a_while_is_not_passed_by(known: bool) -> None:
    """That is no bad item: the error is told, the marker stays, and what lies there is read when the POS is well again."""
    items = [(f"i{marker}", marker) for marker in range(1, 1000)]
    shelf = Shelf(items, set(), "records")
    scan = Scan(shelf, RELATION, 64)
    names = {item.identity for item in await scan.page(999)} if known else set()
    shelf.bad = {name for name, _ in items}
    before = scan.marker
    for _ in range(3):
        with pytest.raises(Unreadable):
            await scan.page(999)
    assert (before, 40 > len(shelf.asked)) == (scan.marker, True)
    shelf.bad = set()
    while scan.marker < 999:
        names |= {item.identity for item in await scan.page(999)}
    assert {name for name, _ in items} == names


async def test_an_item_that_the_pos_itself_fails_at_is_passed() -> None:
    """With a fault, a status or no answer in time, whatever it may be: others come."""
    items = [(f"i{marker}", marker) for marker in range(1, 100)]

    class Failing(Shelf):
        async def page(self, marker: int, limit: int, arrived: Arrived | None = None) -> Page:
            found = await super().page(marker, limit, arrived)
            if "i50" in {item.identity for item in found}:
                raise Retry("the POS failed: cannot convert a date")
            return found

    names, unknown = await scanned(Failing(items, set(), "records"), RELATION, 64, 99)
    assert ({name for name, _ in items} - {"i50"}, 1) == (names, unknown)


async def test_where_all_places_behind_one_are_bad_there_is_an_end() -> None:
    """It is the POS that is not understood."""
    items = [(f"i{marker}", marker) for marker in range(1, 1000)]
    shelf = Shelf(items, {name for name, marker in items if marker > 100}, "records")
    with pytest.raises(Unreadable):
        await scanned(shelf, RELATION, 64, 999)
    assert 4 * BAD_PLACES_MAX > len(shelf.asked)


async def test_an_item_below_the_asked_marker_is_there() -> None:
    """A product that keeps its own marker is shown for the sake of one of its articles."""
    shelf = Shelf([("low", 5), ("high", 120)], set(), "records")

    async def page(marker: int, limit: int, arrived: Arrived | None = None) -> Page:
        return [Item(marker=at, identity=name, deleted=False, value=b"{}") for name, at in shelf.items]

    shelf.page = page  # type: ignore[method-assign]
    scan = Scan(shelf, ARTICLE, 10, 100)
    assert {"low", "high"} == {item.identity for item in await scan.page(120)}
