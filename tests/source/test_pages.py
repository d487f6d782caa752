"""The poller between a real sandbox and a list: pages that are hard to read."""

from typing import Any

import pytest

from connector.sandbox import Sandbox, SandboxOptions
from connector.source.entities import ENTITIES
from connector.source.reading.paging import LIMIT_MAX
from tests.support.source.limit_semantics import SEMANTICS, Semantics
from tests.support.source.polling import eventually, only, reading, truth

MARKED = [entity.name for entity in ENTITIES if entity.head]


@pytest.mark.parametrize("name", MARKED)
@pytest.mark.parametrize("semantics", SEMANTICS)
async def test_every_entity_is_read_whole_in_rising_order(name: str, semantics: Semantics) -> None:
    """Whatever the limit counts, from unsorted pages with gaps: each item once, the markers rising, up to the head."""
    async with Sandbox(only(name, 18, limit_semantics=semantics)) as pos, reading(pos, name, limit=5) as read:
        await read.caught_up()

        assert truth(pos, name) == sorted(read.seen(), key=lambda pair: (pair[1], pair[0]))
        assert [marker for _, marker in read.seen()] == sorted(marker for _, marker in read.seen())
        assert [] == read.letters
        assert pos.shop.heads()[name] == read.position.marker


@pytest.mark.parametrize("limit", [1, 2, 3, 40, 1000])
@pytest.mark.parametrize("semantics", SEMANTICS)
async def test_any_page_size_will_do(limit: int, semantics: Semantics) -> None:
    """Also one at which every page is full, and one at which none is."""
    async with Sandbox(only("order", 15, limit_semantics=semantics)) as pos, reading(pos, "order", limit=limit) as read:
        await read.caught_up()

        assert truth(pos, "order") == read.seen()


@pytest.mark.parametrize("semantics", ["records", "window"])
async def test_several_items_on_one_marker_are_all_published_once(semantics: Semantics) -> None:
    """Also where a page ends within them."""
    async with Sandbox(only("article", 30, limit_semantics=semantics)) as pos:
        for start in range(0, 25, 5):
            pos.shop.touch_together("article", list(pos.shop.sequences["article"].by_identity)[start : start + 5])
        async with reading(pos, "article", limit=7) as read:
            await read.caught_up()

            assert truth(pos, "article") == sorted(read.seen(), key=lambda pair: (pair[1], pair[0]))


async def test_more_items_on_one_marker_than_a_page_holds_are_asked_for_with_a_higher_limit() -> None:
    """And the configured page size applies again afterwards."""
    async with Sandbox(only("relation", 60)) as pos:
        pos.shop.touch_together("relation", list(pos.shop.sequences["relation"].by_identity)[:30])
        for _ in range(20):
            pos.shop.create("relation")
        async with reading(pos, "relation", limit=4) as read:
            await read.caught_up()

            assert truth(pos, "relation") == sorted(read.seen(), key=lambda pair: (pair[1], pair[0]))
        limits = [
            int(body.partition("<syncMarkerLimit>")[2].partition("<")[0]) for body in pos.requests.bodies if "getRel" in body
        ]
        assert {4, 40} == set(limits)
        assert 4 == limits[-1]


async def test_more_items_on_one_marker_than_the_pos_can_show_stop_the_entity() -> None:
    """It says so, remembers it, publishes nothing of that marker and does not ask for ever."""
    async with Sandbox(only("relationPoints", 3)) as pos:
        for _ in range(LIMIT_MAX):
            pos.shop.create("relationPoints")
        before = dict(truth(pos, "relationPoints")[:2])
        last = truth(pos, "relationPoints")[2:]
        pos.shop.touch_together("relationPoints", [identity for identity, _ in last])
        async with reading(pos, "relationPoints", limit=1000) as read:
            await eventually(lambda: "stuck" in read.states, 60)
            asked = pos.requests.counts["getRelationPoints"]
            looks = pos.requests.counts["getCurrentSyncMarkersV2"]
            await eventually(lambda: pos.requests.counts["getCurrentSyncMarkersV2"] >= looks + 3)

            assert asked == pos.requests.counts["getRelationPoints"]
            assert "stuck" == read.position.state
            assert before == dict(read.seen())
            assert read.position.marker < pos.shop.heads()["relationPoints"]


@pytest.mark.parametrize("semantics", SEMANTICS)
async def test_long_stretches_without_items_are_crossed(semantics: Semantics) -> None:
    """Every item changed again and again leaves windows of markers that nobody has."""
    async with Sandbox(only("employee", 5, limit_semantics=semantics)) as pos:
        for _ in range(40):
            pos.shop.change_item("employee", "1")
        async with reading(pos, "employee", limit=3) as read:
            await read.caught_up()

            assert truth(pos, "employee") == read.seen()


@pytest.mark.parametrize("semantics", SEMANTICS)
async def test_hidden_order_types_use_up_markers_only(semantics: Semantics) -> None:
    """The head is reached although the last orders are not shown, and those asked for by name are read."""
    async with Sandbox(only("order", 30, limit_semantics=semantics)) as pos:
        hidden = [item for item in pos.shop.sequences["order"] if item.identity not in pos.truth()["order"]]
        assert hidden
        for item in hidden:
            pos.shop.change_item("order", item.identity)
        async with reading(pos, "order", limit=5) as read:
            await read.caught_up()
            assert truth(pos, "order") == read.seen()
        kinds = tuple({item.kind for item in hidden})
        async with reading(pos, "order", limit=5, order_types=kinds) as read:
            await read.caught_up()
            assert sorted(item.marker for item in hidden) == [marker for _, marker in read.seen()]


@pytest.mark.parametrize("inclusive", [True, False])
@pytest.mark.parametrize("semantics", SEMANTICS)
@pytest.mark.parametrize("limit", [1, 2, 9])
async def test_stock_is_read_whether_or_not_the_asked_row_comes_along(inclusive: bool, semantics: Semantics, limit: int) -> None:
    """sinceStockId may mean both: nothing is missed, nothing comes twice, also from a position in the middle."""
    async with Sandbox(only("stock", 40, limit_semantics=semantics, stock_inclusive=inclusive)) as pos:
        async with reading(pos, "stock", limit=limit) as read:
            await read.caught_up()
            for _ in range(5):
                pos.shop.create("stock")
            await read.caught_up()
            assert truth(pos, "stock") == read.seen()
        middle = read.position.at(20)
        async with reading(pos, "stock", limit=limit, position=middle) as again:
            await again.caught_up()
            assert [pair for pair in truth(pos, "stock") if pair[1] > 20] == again.seen()


@pytest.mark.parametrize("semantics", ["records", "window"])
@pytest.mark.parametrize("name", ["order", "stock"])
async def test_changes_that_keep_coming_are_all_seen(name: str, semantics: Semantics) -> None:
    """While the shop is busy no head is taken for a restored POS; what the POS showed last is published last."""
    options = SandboxOptions(items=20, limit_semantics=semantics, activity=300)
    async with Sandbox(options) as pos, reading(pos, name, limit=6) as read:
        start = pos.shop.heads()[name]
        await eventually(lambda: pos.shop.heads()[name] > start + 60, 30)
        pos.activity.rate = 0
        await read.caught_up()

        latest = dict(read.seen()) if name != "stock" else {}
        markers = [marker for _, marker in read.seen()]
        assert markers == sorted(markers)
        assert len(set(read.seen())) == len(read.seen())
        assert all(latest.get(identity) == marker for identity, marker in truth(pos, name)) or name == "stock"
        assert [pair for pair in truth(pos, name) if pair not in read.seen()] == []
        assert {"running"} >= set(read.states)


async def test_an_entity_without_any_item_is_at_its_head() -> None:
    """A head of zero is not a restored POS, and nothing is asked for."""
    async with Sandbox(SandboxOptions(items=0)) as pos, reading(pos, "invoice") as read:
        await eventually(lambda: pos.requests.counts["getCurrentSyncMarkersV2"] >= 5)
        pos.shop.create("invoice")
        await read.caught_up()

        assert truth(pos, "invoice") == read.seen()
        assert [] == [state for state in read.states if state != "running"]


async def test_one_page_of_a_shard_is_read_at_a_time() -> None:
    """And its bundles are handed over in reading order, each only after the one before was committed."""
    open_calls = most = 0
    async with Sandbox(only("order", 40)) as pos:
        pos.faults.switch("delay_seconds", probability=1, operations=["getOrders"], seconds=0.02)
        handled = pos._endpoint._early

        async def counted(*arguments: Any) -> Any:
            nonlocal open_calls, most
            open_calls += arguments[1].operation == "getOrders"
            most = max(most, open_calls)
            answer = await handled(*arguments)
            open_calls -= arguments[1].operation == "getOrders"
            return answer

        pos._endpoint._early = counted  # type: ignore[method-assign,assignment]
        async with reading(pos, "order", limit=4) as read:
            await read.caught_up()

    assert 1 == most
    reached = [bundle.position.marker for bundle in read.bundles]
    assert reached == sorted(reached)
