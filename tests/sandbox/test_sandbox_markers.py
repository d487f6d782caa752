"""What a page holds: markers, limits, hidden items."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from connector.sandbox import Sandbox, SandboxOptions, Shop
from connector.sandbox.options import LimitSemantics
from connector.sandbox.shop.entities import ENTITIES
from tests.support.pos.sandbox_calls import NS, WAYS, answer, call, fault, heads, items, marker_of, page, page_request

LIMITS: tuple[LimitSemantics, ...] = ("records", "records-before-filter", "window")


@asynccontextmanager
async def shop_with(semantics: LimitSemantics, entity: str = "invoice", items: int = 60) -> AsyncIterator[Sandbox]:
    options = SandboxOptions(items=0, per_entity={entity: items}, limit_semantics=semantics)
    async with Sandbox(options) as pos:
        yield pos


@pytest.mark.parametrize("entity", WAYS)
async def test_one_large_page_holds_the_truth(pos: Sandbox, entity: str) -> None:
    """A page from 0 on, with a limit above everything, holds each item once at its marker."""
    found = await page(pos, entity, 0, 10_000)
    assert len(found) == len(dict(found))
    assert dict(found) == pos.truth()[entity]


@pytest.mark.parametrize("entity", WAYS)
async def test_pages_are_not_sorted(pos: Sandbox, entity: str) -> None:
    """The items of a page do not come in the order of their markers."""
    markers = [marker for _, marker in await page(pos, entity)]
    assert markers != sorted(markers)


async def test_the_markers_of_a_seeded_shop_have_gaps(pos: Sandbox) -> None:
    """Every entity has markers below its head that no item carries."""
    for entity, sequence in pos.shop.sequences.items():
        assert len({item.marker for item in sequence}) < pos.shop.heads()[entity], entity


async def test_records_counts_the_lowest_records(pos: Sandbox) -> None:
    """With `records` a limit of 7 gives the 7 lowest markers at or above the one asked for."""
    markers = sorted(pos.truth()["invoice"].values())
    found = await page(pos, "invoice", markers[5], 7)
    assert sorted(marker for _, marker in found) == markers[5:12]


async def test_window_counts_markers() -> None:
    """With `window` a limit of 7 gives what lies in the range of 7 markers, and a window may be empty."""
    async with shop_with("window") as pos:
        one = next(iter(pos.truth()["invoice"]))
        start = pos.shop.change_item("invoice", one)
        for _ in range(20):
            last = pos.shop.change_item("invoice", one)
        assert await page(pos, "invoice", start, 20) == []
        assert await page(pos, "invoice", start, 21) == [(one, last)]


async def test_a_limit_before_the_filter_makes_thin_pages() -> None:
    """With `records-before-filter` hidden orders use up the limit; with `records` they do not."""
    for semantics, full in (("records", True), ("records-before-filter", False)):
        async with AsyncExitStack() as stack:
            pos = await stack.enter_async_context(shop_with(semantics, "order"))  # type: ignore[arg-type]
            assert (len(await page(pos, "order", 0, 40)) == 40) is full


@pytest.mark.parametrize("semantics", LIMITS)
async def test_reading_page_by_page_finds_everything(semantics: LimitSemantics) -> None:
    """A reader that goes on from the highest marker, or past the window, ends with the truth under every reading of the limit."""
    async with shop_with(semantics, "order", 150) as pos:
        head, marker, found = (await heads(pos))["orderSyncMarker"], 0, dict[str, int]()
        while marker <= head:
            read = dict(await page(pos, "order", marker, 10))
            found |= read
            marker = max([marker + 9 if len(read) < 10 else 0, *read.values()]) + 1
        assert found == pos.truth()["order"]


async def test_several_items_can_share_a_marker(pos: Sandbox) -> None:
    """Items touched together carry one marker, and a limit by records cuts between them."""
    together = list(pos.truth()["relation"])[:5]
    marker = pos.shop.touch_together("relation", together)
    assert dict(await page(pos, "relation", marker)) == dict.fromkeys(together, marker)
    assert len(await page(pos, "relation", marker, 3)) == 3


async def test_without_limit_a_thousand_come_and_never_more_than_ten_thousand() -> None:
    """The default limit is 1000, the cap 10000."""
    async with shop_with("records", "relationPoints", 10_050) as pos:
        assert len(await page(pos, "relationPoints", 0)) == 1000
        assert len(await page(pos, "relationPoints", 0, 50_000)) == 10_000


async def test_a_change_moves_the_item_up(pos: Sandbox) -> None:
    """A changed item has the head as its marker and is gone from where it was."""
    one, old = min(pos.truth()["employee"].items(), key=lambda pair: pair[1])
    new = pos.shop.change_item("employee", one)
    assert (await heads(pos))["employeeSyncMarker"] == new
    assert (one, old) not in await page(pos, "employee")
    assert await page(pos, "employee", new) == [(one, new)]


async def test_table_and_cafeteria_orders_are_hidden_unless_asked_for(pos: Sandbox) -> None:
    """They use up markers, and come only when orderTypeList names them."""
    everything = {item.identity: item.marker for item in pos.shop.sequences["order"]}
    types = "".join(f"<orderType>ORDER-TYPE-{name}-ORDER</orderType>" for name in ("TABLE", "CAFETERIA"))
    tables = f"<orderTypeList>{types}</orderTypeList>"
    shown, hidden = dict(await page(pos, "order")), dict(await page(pos, "order", extra=tables))
    assert shown
    assert hidden
    assert not shown.keys() & hidden.keys()
    assert shown | hidden == everything


async def test_stock_is_a_ledger(pos: Sandbox) -> None:
    """A change of stock adds a row with a higher stockId and changes none; sinceStockId itself is part of the answer."""
    before = dict(await page(pos, "stock"))
    assert pos.shop.change("stock", 2)
    after = dict(await page(pos, "stock"))
    assert after.items() > before.items()
    assert len(after) == len(before) + 2
    highest = max(before.values())
    assert len(await page(pos, "stock", highest)) == 3
    with pytest.raises(ValueError, match="ledger"):
        pos.shop.touch_together("stock", list(before)[:2])


async def test_stock_can_leave_the_named_row_out() -> None:
    """With stock_inclusive off, sinceStockId is not part of the answer."""
    async with Sandbox(SandboxOptions(items=20, stock_inclusive=False)) as pos:
        lowest = min(pos.truth()["stock"].values())
        assert len(await page(pos, "stock", lowest)) == 19


async def test_a_product_comes_with_its_changed_articles_only(pos: Sandbox) -> None:
    """Without includeAllArticlesOfSelectedProducts the unchanged articles of a product are left out."""
    marker = pos.shop.change_item("article", "5")  # product 5 has three articles
    request = f"<request><pluNumbers/><syncMarker>{marker}</syncMarker>%s</request>"
    changed = await answer(pos, "getProducts", request % "")
    whole = await answer(pos, "getProducts", page_request("article", marker))
    assert [len(list(found.iter(f"{NS}article"))) for found in (changed, whole)] == [1, 3]


async def test_a_product_without_a_marker_has_it_on_an_article(pos: Sandbox) -> None:
    """Some products carry no marker of their own; their articles' highest is the product's."""
    found = items("article", await answer(pos, "getProducts", page_request("article")))
    bare = [item for item in found if item.find(f"{NS}syncMarker") is None]
    assert bare
    for item in bare:
        assert marker_of("article", item) == pos.truth()["article"][item.findtext(f"{NS}productNumber") or ""]


async def test_lines_are_left_out_on_request(pos: Sandbox) -> None:
    """includeLineList=false leaves the lines out and everything else in."""
    with_lines = await answer(pos, "getOrders", page_request("order"))
    without = await answer(pos, "getOrders", page_request("order", extra="<includeLineList>false</includeLineList>"))
    assert list(with_lines.iter(f"{NS}lineList"))
    assert not list(without.iter(f"{NS}lineList"))
    assert len(items("order", with_lines)) == len(items("order", without))


async def test_items_can_be_asked_for_by_identity(pos: Sandbox) -> None:
    """orderIds picks those orders, hidden ones too."""
    wanted = [item.identity for item in pos.shop.sequences["order"]][:4]
    extra = "".join(f"<orderIds>{each}</orderIds>" for each in wanted)
    assert set(dict(await page(pos, "order", None, extra=extra))) == set(wanted)


async def test_a_deletion_shows(pos: Sandbox) -> None:
    """A deleted article group and activity say isDeleted, a deleted relation is not active."""
    for entity, name, word in (("articleGroup", "isDeleted", ("true", "1")), ("relation", "active", ("false", "0"))):
        item = pos.shop.pick(entity)
        assert item
        marker = pos.shop.delete(entity, item.identity)
        found = items(entity, await answer(pos, WAYS[entity].operation, page_request(entity, marker)))
        assert [each.findtext(NS + name) in word for each in found] == [True]


async def test_a_late_change_appears_below_higher_ones(pos: Sandbox) -> None:
    """A change at a reserved marker becomes visible after a higher one was read."""
    late, early = list(pos.truth()["proposal"])[:2]
    reserved = pos.shop.reserve("proposal")
    higher = pos.shop.change_item("proposal", early)
    assert await page(pos, "proposal", reserved) == [(early, higher)]
    pos.shop.commit_late("proposal", late, reserved)
    assert dict(await page(pos, "proposal", reserved)) == {late: reserved, early: higher}


async def test_heads_name_the_highest_markers(pos: Sandbox) -> None:
    """getCurrentSyncMarkers answers every entity's head, V2 those that are asked for and all when none is."""
    every = {ENTITIES[name].head: head for name, head in pos.shop.heads().items()}
    assert (await heads(pos)).items() >= every.items()
    some = await answer(pos, "getCurrentSyncMarkersV2", "<request><includeOrderSyncMarker>1</includeOrderSyncMarker></request>")
    assert [(head.tag, head.text) for head in some] == [(f"{NS}orderSyncMarker", str(every["orderSyncMarker"]))]
    assert len(await answer(pos, "getCurrentSyncMarkersV2", "<request/>")) == 22


async def test_a_limit_below_one_is_a_bad_request(pos: Sandbox) -> None:
    """syncMarkerLimit 0 is refused."""
    assert fault(await call(pos, "getRelations", page_request("relation", 0, 0)))[0] == "SOAP-ENV:Client"


def test_the_same_seed_makes_the_same_shop() -> None:
    """Two shops of one seed have the same items at the same markers, those of another seed have not."""
    assert Shop(7, 50).truth() == Shop(7, 50).truth()
    assert Shop(7, 50).truth() != Shop(8, 50).truth()


async def test_the_same_seed_answers_the_same_bytes() -> None:
    """A page of two sandboxes with one seed, after the same activity at the same time, is the same to the last byte."""
    answers = []
    for _ in range(2):
        async with Sandbox(SandboxOptions(seed=5, items=30), clock=lambda: 1_800_000_000.0) as pos:
            for _ in range(50):
                pos.activity.step()
            answers.append([(await call(pos, way.operation, page_request(entity))).content for entity, way in WAYS.items()])
    assert answers[0] == answers[1]


async def test_a_changed_item_is_written_anew(pos: Sandbox) -> None:
    """What is kept of an item's XML is dropped when it changes."""
    one = next(iter(pos.truth()["order"]))
    extra = f"<orderIds>{one}</orderIds>"
    before = await call(pos, "getOrders", page_request("order", extra=extra))
    again = await call(pos, "getOrders", page_request("order", extra=extra))
    pos.shop.change_item("order", one)
    after = await call(pos, "getOrders", page_request("order", extra=extra))
    assert before.content == again.content != after.content


async def test_a_typical_order_is_about_as_large_as_a_real_one(pos: Sandbox) -> None:
    """Orders average between 8 and 16 kB of XML."""
    response = await call(pos, "getOrders", page_request("order"))
    assert 8_000 < len(response.content) / len(pos.truth()["order"]) < 16_000
