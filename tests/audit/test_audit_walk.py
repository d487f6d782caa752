"""The audit's walk over odd POSs, on real sockets: all that they show is seen, whatever the limit means and whatever fails."""

import asyncio
from collections.abc import Sequence

import pytest
from aiohttp import web
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from connector.audit.raw import RawItem
from connector.audit.source import Suspect
from connector.audit.versions import NONE, Target
from connector.audit.walk import Place, Walk, other_limit
from connector.clock import Clock
from connector.errors import NotSent, Reject, Retry, Unreadable
from connector.mplus.client import Access, PosClient
from connector.mplus.responses.process import InlineDecoder
from connector.sandbox import Sandbox
from connector.sandbox.options import LimitSemantics
from connector.source.entities import named
from tests.audit.odd_pos import OddPos, envelope, relation, serving, source_of, walked
from tests.support.source.polling import only, truth

DENSE = [(str(number), number) for number in range(1, 61)]
SPARSE = [(str(number), number * number) for number in range(1, 25)]
CROWDED = [(str(number), 5 + number // 9) for number in range(40)]
SHOPS = {"dense": DENSE, "sparse": SPARSE, "crowded": CROWDED, "one": [("1", 1)], "at zero": [("0", 0), ("1", 4)], "empty": []}


@pytest.mark.parametrize("name", SHOPS)
@pytest.mark.parametrize("window", [False, True])
@pytest.mark.parametrize("cap", [10_000, 12])
async def test_everything_is_seen(name: str, cap: int, window: bool) -> None:
    """Under both readings of the limit, several items on a marker, unsorted pages, gaps, a POS that gives fewer than asked."""
    pos = OddPos(SHOPS[name], window=window, cap=cap)
    source, seen = await walked(pos, 7 if cap > 100 else 30)
    assert dict(SHOPS[name]) == seen
    assert ([], 0) == (source.places, source.nameless)


class Model:
    """Stands for a POS under hypothesis: fails where a page would hold what is poisonous."""

    def __init__(self, pos: OddPos, poison: frozenset[int], most: int) -> None:
        self._pos = pos
        self._poison = poison
        self._most = most

    async def page(self, marker: int, limit: int) -> list[RawItem]:
        rows = self._pos.page(marker, limit)
        if len(rows) > self._most or any(row[1] in self._poison for row in rows):
            raise Unreadable("it cannot be read")
        return [RawItem(row[1], row[0]) for row in rows]

    async def head(self) -> int:
        return 0


async def _instantly(_: float) -> None:
    return None


async def _walk(pos: OddPos, asking: Model, limit: int) -> tuple[dict[str, int], Sequence[Place], int]:
    walk = Walk(asking, Clock(sleep=_instantly), limit=limit, after=False)
    seen, places, asked, head = dict[str, int](), list[Place](), 0, max(marker for _, marker in pos.rows)
    while walk.at <= head:
        page = await walk.page(head)
        seen |= {str(item.identity): item.marker or 0 for item in page.items}
        places += [page.place] if page.place else []
        asked += 1
        assert asked < 2000
    return seen, places, asked


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    markers=st.lists(st.integers(0, 120), min_size=1, max_size=60),
    poisonous=st.sets(st.integers(0, 120), max_size=3),
    window=st.booleans(),
    limit=st.integers(1, 50),
    most=st.integers(2, 60),
)
def test_what_can_be_had_is_had_and_the_rest_is_told(
    markers: list[int], poisonous: set[int], limit: int, most: int, *, window: bool
) -> None:
    """Any shop, in which some items break every page that holds them, and pages have a size: what is not seen is told.

    But for a marker with more items than the POS can ever show: the connector is `stuck` there.
    """
    assume(max(markers.count(marker) for marker in markers) <= most)
    pos = OddPos([(str(number), marker) for number, marker in enumerate(markers)], window=window)
    poison = frozenset(poisonous) & set(markers)
    seen, places, _ = asyncio.run(_walk(pos, Model(pos, poison, most), limit))
    hidden = {row for row in pos.rows if row[0] not in seen}
    assert not {row for row in hidden if not any(place.first <= row[1] <= place.last for place in places)}
    assert all(seen[name] == marker for name, marker in pos.rows if name in seen)
    crowded = max(markers.count(marker) for marker in markers) > 1
    if not crowded:
        assert {place.last for place in places} <= poison
        assert len(poison) > 1 or {row[1] for row in hidden} == poison


async def test_an_answer_that_is_none_is_asked_for_again() -> None:
    """An empty element of another name, a page without its list, a fault, half a page: not one of them is an empty page."""
    answers = [
        "<ns:GetRelationsResponse/>",
        "<ns:getApiVersionResponse/>",
        '<x:hello xmlns:x="urn:other"/>',
        "<ns:GetOrdersResponse><ns:orderList/></ns:GetOrdersResponse>",
        "<S:Fault><faultcode>S:Server</faultcode><faultstring>busy</faultstring></S:Fault>",
        "<ns:GetRelationsResponse><ns:relationList>",
    ]

    async def odd(_: int, __: int) -> web.StreamResponse | None:
        return envelope(answers.pop()) if answers else None

    source, seen = await walked(OddPos(DENSE, odd=odd), 40)
    assert (dict(DENSE), []) == (seen, source.places)


async def test_a_page_that_cannot_be_had_is_asked_for_in_parts_which_grow_again() -> None:
    """A gateway that lets no more than ten items through: all is seen, with no request smaller than needed for long."""
    rows = [(str(number), number) for number in range(1, 1001)]

    async def odd(marker: int, limit: int) -> web.StreamResponse | None:
        return web.Response(status=504) if marker < 200 and len(pos.page(marker, limit)) > 10 else None

    pos = OddPos(rows, odd=odd)
    source, seen = await walked(pos, 100)
    assert (dict(rows), []) == (seen, source.places)
    assert 100 == max(limit for _, limit in pos.asked[-3:])
    assert 180 > len(pos.asked)


@pytest.mark.parametrize("window", [False, True])
async def test_one_item_that_cannot_be_had_is_told_by_its_marker(*, window: bool) -> None:
    """Everything else is seen, also what lies behind it."""
    rows = [row for row in DENSE if not 30 < row[1] < 40]

    async def odd(marker: int, limit: int) -> web.StreamResponse | None:
        shown = pos.page(marker, limit)
        return web.Response(status=500) if any(row[1] in (20, 40) for row in shown) else None

    pos = OddPos(rows, window=window, odd=odd)
    source, seen = await walked(pos, 25)
    assert {name: marker for name, marker in rows if marker not in (20, 40)} == seen
    assert {20, 40} == {place.last for place in source.places}
    assert all("HTTP 500" in place.reason for place in source.places)


async def test_a_pos_that_answers_no_page_at_all_is_not_taken_for_unreadable_places() -> None:
    """It is an error, after a bounded number of requests."""

    async def odd(_: int, __: int) -> web.StreamResponse | None:
        return web.Response(status=500)

    pos = OddPos(DENSE, odd=odd)
    with pytest.raises(Retry, match="HTTP 500"):
        await walked(pos, 50)
    assert 40 > len(pos.asked)


async def test_what_lies_below_the_asked_marker_counts_and_is_looked_for_where_it_was_shown() -> None:
    """A POS that shows an item by a marker that it does not tell."""
    rows = [*DENSE, ("999", 50)]
    pos = OddPos(rows, item=lambda row: relation(("999", 5) if row[0] == "999" else row))
    async with serving(pos) as client:
        source, versions = source_of(client, 10)
        await source.read(lambda *_: None, 0)
        assert 5 == versions.source(b"999")
        assert source.below[b"999"].asked in range(6, 51)
        assert {b"999"} == await source.still({b"999": Suspect(Target(5), NONE)})
        pos.rows = DENSE
        assert set() == await source.still({b"999": Suspect(Target(5), NONE)})
        assert NONE == versions.source(b"999")


async def test_a_head_below_what_the_connector_has_read_is_looked_at_again() -> None:
    """A single low one is of a POS that has just started; one that stays is an error, and no reason to take anything for new."""
    pos = OddPos(DENSE, head=0)
    async with serving(pos) as client:
        source, _ = source_of(client, 10)
        with pytest.raises(Reject, match="restored"):
            await source.read(lambda *_: None, 60)
        pos.head = None
        await source.read(lambda *_: None, 60)
        assert 60 <= source.scanned


async def test_a_pos_that_cannot_be_reached_is_no_unreadable_place() -> None:
    """Nothing is asked in parts of nobody."""
    client = PosClient(Access("demo", "http://127.0.0.1:9/", "me", "secret"), InlineDecoder(), lambda _: None)
    source, _ = source_of(client, 10)
    try:
        with pytest.raises(NotSent):
            await source.read(lambda *_: None, 0)
    finally:
        await client.close()
    assert [] == source.places


def test_another_limit_is_asked_with() -> None:
    """Than the pollers', whatever that is, and never more than the POS takes."""
    assert all(other_limit(size) != size and 1 <= other_limit(size) <= 10_000 for size in range(1, 10_001))


@pytest.mark.parametrize("inclusive", [False, True])
@pytest.mark.parametrize("semantics", ["records", "window"])
async def test_stock_is_seen_whether_or_not_the_row_that_is_named_is_shown(*, inclusive: bool, semantics: LimitSemantics) -> None:
    """All rows, and each is found again where it was."""
    (stock,) = named(["stock"])
    async with Sandbox(only("stock", 50, stock_inclusive=inclusive, limit_semantics=semantics)) as pos:
        client = PosClient(Access("demo", pos.url, pos.ident, pos.secret, rate=1000), InlineDecoder(), lambda _: None)
        source, versions = source_of(client, 7, stock)
        rows = {f"{key}:{marker}".encode(): Suspect(Target(marker), NONE) for key, marker in truth(pos, "stock")}
        try:
            await source.read(lambda *_: None, 0)
            again = await source.still(rows)
        finally:
            await client.close()
    assert (set(rows), set(rows), {}) == (set(versions.names()), again, source.below)


async def test_one_empty_answer_does_not_pass_a_page_of_markers() -> None:
    """An empty list of the right name, once, where there are items."""
    empty = ["<ns:GetRelationsResponse><ns:relationList/></ns:GetRelationsResponse>"]

    async def odd(marker: int, _: int) -> web.StreamResponse | None:
        return envelope(empty.pop()) if empty and marker > 20 else None

    _, seen = await walked(OddPos(DENSE, odd=odd), 10)
    assert dict(DENSE) == seen


@pytest.mark.parametrize("window", [False, True])
async def test_a_marker_far_above_the_head_leads_nowhere(*, window: bool) -> None:
    """Nothing is taken for seen because an item among others has a marker that no POS can have given."""
    rows = [*DENSE[:10], ("999", 5), *DENSE[10:]]
    pos = OddPos(rows, window=window, head=60, item=lambda row: relation(("999", 1 << 60) if row[0] == "999" else row))
    source, seen = await walked(pos, 7)
    assert {**dict(DENSE), "999": 1 << 60} == seen
    assert 60 <= source.scanned < 100
