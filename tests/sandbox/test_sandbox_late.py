"""Changes that become visible late, and what a restore makes of the shop."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from lxml import etree

from connector.sandbox import Sandbox, SandboxOptions
from connector.sandbox.shop.entities import ENTITIES
from tests.support.pos.sandbox_calls import NS, PLUS, WAYS, answer, call, control, heads, page, page_request
from tests.support.pos.sandbox_requests import REQUESTS

PLAIN = [name for name in ENTITIES if name != "stock"]


class Clock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def late_shop(clock: Clock | None = None, **options: Any) -> AsyncIterator[Sandbox]:
    """A shop in which every change is late, unless told otherwise."""
    async with Sandbox(SandboxOptions(**{"items": 20, "late": 1.0} | options), clock=clock or Clock()) as pos:
        yield pos


@pytest.mark.parametrize("entity", PLAIN)
async def test_a_late_change_has_its_marker_and_is_shown_when_told(entity: str) -> None:
    """The marker is given out, the item is what it was; revealed, it is there below a change that was shown before."""
    async with late_shop() as pos:
        before = await page(pos, entity)
        one, other = list(dict(before))[:2]
        late = pos.shop.change_item(entity, one)
        assert late == pos.shop.snapshot()[entity]
        assert sorted(await page(pos, entity)) == sorted(before)
        pos.shop.late.share = 0
        higher = pos.shop.change_item(entity, other)
        assert higher == late + 1
        assert await page(pos, entity, late) == [(other, higher)]
        assert 1 == pos.shop.reveal()
        assert sorted(await page(pos, entity, late)) == sorted([(one, late), (other, higher)])
        assert dict(await page(pos, entity)) == pos.truth()[entity]


@pytest.mark.parametrize("entity", ENTITIES)
async def test_a_late_new_item_is_not_there_before(entity: str) -> None:
    """It is missing from pages and truth, a new one beside it has another identity, and both are there in the end."""
    async with late_shop() as pos:
        late = pos.shop.create(entity)
        pos.shop.late.share = 0
        prompt = pos.shop.create(entity)
        assert late.identity != prompt.identity
        assert late.identity not in pos.truth()[entity].keys() | dict(await page(pos, entity)).keys()
        pos.shop.reveal()
        assert pos.truth()[entity].items() <= dict(await page(pos, entity)).items()
        assert {late, prompt} <= set(pos.shop.sequences[entity])


@pytest.mark.parametrize("counted", [True, False])
async def test_heads_count_what_is_late_or_not(counted: bool) -> None:
    """With `late_counted` off the head rises with the next change that is shown, or when the late one is revealed."""
    async with late_shop(late_counted=counted) as pos:
        before = pos.shop.heads()["relation"]
        one, other = list(pos.truth()["relation"])[:2]
        pos.shop.change_item("relation", one)
        assert (await heads(pos))["relationSyncMarker"] == before + counted
        pos.shop.late.share = 0
        higher = pos.shop.change_item("relation", other)
        assert (await heads(pos))["relationSyncMarker"] == higher == before + 2
        pos.shop.late.share = 1
        pos.shop.change_item("relation", one)
        assert (await heads(pos))["relationSyncMarker"] == before + 2 + counted
        pos.shop.reveal()
        assert (await heads(pos))["relationSyncMarker"] == before + 3


@pytest.mark.parametrize("second", ["prompt", "late"])
async def test_only_the_newest_state_is_ever_shown(second: str) -> None:
    """A late change that another one overtook is seen by nobody; a deletion stays one."""
    async with late_shop() as pos:
        one = next(iter(pos.truth()["activity"]))
        first = pos.shop.delete("activity", one)
        pos.shop.late.share = float(second == "late")
        newest = pos.shop.change_item("activity", one)
        seen = [marker for identity, marker in await page(pos, "activity", first) if identity == one]
        assert seen == ([newest] if second == "prompt" else [])
        assert pos.shop.reveal() == (second == "late")
        assert [(one, newest)] == await page(pos, "activity", first)
        assert pos.shop.sequences["activity"].by_identity[one].deleted


async def test_late_changes_are_shown_when_their_time_has_come() -> None:
    """After `late_seconds` they are there, whoever asks."""
    clock = Clock()
    async with late_shop(clock, late_seconds=5.0) as pos:
        one = next(iter(pos.truth()["order"]))
        late = pos.shop.change_item("order", one)
        clock.now += 4.9
        assert [] == await page(pos, "order", late)
        clock.now += 0.2
        assert [(one, late)] == await page(pos, "order", late)


async def test_a_share_of_all_changes_is_late(pos: Sandbox) -> None:
    """A tenth of what happens in a busy shop, by the seed; once revealed, pages and truth agree for every entity."""
    pos.shop.late.share = 0.1
    given = sum(pos.shop.snapshot().values())
    for _ in range(800):
        pos.activity.step()
    changes = sum(pos.shop.snapshot().values()) - given
    assert 0.05 * changes < pos.shop.reveal() < 0.12 * changes
    for entity in WAYS:
        assert dict(await page(pos, entity, 0, 10_000)) == pos.truth()[entity]
        markers = [item.marker for item in pos.shop.sequences[entity]]
        assert markers == sorted(markers)


async def test_a_restore_gives_markers_out_again(pos: Sandbox) -> None:
    """Everything since the snapshot is undone, what was held back too, and the next changes have the same markers."""
    taken, before = pos.shop.snapshot(), pos.truth()
    changed = [pos.activity.step() for _ in range(100)]
    assert sum(changed)
    after = pos.shop.snapshot()
    pos.shop.late.share = 1
    pos.shop.change("order")
    pos.shop.late.share = 0
    pos.shop.restore(taken)
    assert (pos.shop.snapshot(), pos.truth(), pos.shop.reveal()) == (taken, before, 0)
    for _ in range(100):
        pos.activity.step()
    assert {name for name, head in after.items() if head > taken[name] < pos.shop.snapshot()[name]}


async def test_late_changes_are_switched_over_http(pos: Sandbox) -> None:
    """POST late sets share and seconds, POST reveal shows what is held back."""
    assert (await control(pos, "late", {"share": 1, "counted": False})).json() == {"share": 1}
    before = (await control(pos, "heads")).json()
    await control(pos, "change", {"entity": "order", "count": 3})
    assert (await control(pos, "heads")).json() == before
    shown = (await control(pos, "reveal", {})).json()["shown"]
    assert 1 <= shown <= 3  # of one item changed twice only the newest
    assert (await control(pos, "heads")).json()["order"] == before["order"] + 3


@pytest.mark.parametrize("sent", [{}, {"share": 2}, {"share": -1}, {"share": "all"}, {"share": 1, "counted": 2}, {"share": True}])
async def test_bad_late_settings_are_one_line(pos: Sandbox, sent: Mapping[str, object]) -> None:
    """HTTP 400, and nothing is late."""
    response = await control(pos, "late", dict(sent))
    assert (response.status_code, pos.shop.late.share) == (400, 0)
    assert "\n" not in json.dumps(response.json()["error"])


NOTHING = {"getOrdersByExtOrderIds": "<request><extOrderIds><id>none</id></extOrderIds></request>"}
"""Reads of orders that find nothing."""


@pytest.mark.parametrize("operation", [*REQUESTS, *NOTHING])
async def test_an_answer_without_items_has_its_list_all_the_same(schema: Any, operation: str) -> None:
    """In a shop in which nothing is, every answer is what the XSD requires: with its list, where it requires one."""
    async with Sandbox(SandboxOptions(items=0)) as pos:
        for rows in pos.shop.lists.rows.values():
            rows.clear()
        response = await call(pos, operation, {**REQUESTS, **NOTHING}[operation])
    assert response.status_code == 200, response.text
    assert schema.validate(etree.fromstring(etree.tostring(etree.fromstring(response.content)[0][0]))), schema.error_log


async def test_an_empty_text_is_no_empty_tag(pos: Sandbox) -> None:
    """The vendor's own clients read `<text/>` as null, and die of it where a text is required."""
    for entity in WAYS:
        assert b"/>" not in (await call(pos, WAYS[entity].operation, page_request(entity))).content
    nothing = f"<request><syncMarker>99999999</syncMarker>{PLUS}</request>"
    assert [f"{NS}invoiceList"] == [child.tag for child in await answer(pos, "getInvoices", nothing)]
