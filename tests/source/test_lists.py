"""Slow lists: published when they change, counted by the connector itself."""

import orjson
import pytest

from connector.mplus.pages import Item, Undecodable
from connector.sandbox import Sandbox, SandboxOptions
from connector.source.lists import changes
from connector.source.positions import Position
from tests.source.rig import Reading, eventually, headers, only, reading

LISTS = ["deliveryMethod", "orderCategory"]
NOTHING = SandboxOptions(items=0)


async def looked(read: Reading, operation: str, times: int = 3) -> None:
    """Wait until the list was looked at so often from now on."""
    before = read.pos.requests.counts[operation]
    await eventually(lambda: read.pos.requests.counts[operation] >= before + times)


def item(identity: str, value: bytes) -> Item:
    """Of a list, as it was decoded."""
    return Item(marker=0, identity=identity, deleted=False, value=value)


def operation(entity: str) -> str:
    """That reads the list."""
    return {"deliveryMethod": "getDeliveryMethods", "orderCategory": "getOrderCategories"}[entity]


@pytest.mark.parametrize("entity", LISTS)
async def test_a_list_is_published_once_and_then_only_its_changes(entity: str) -> None:
    """Each change gets the next number as its sync marker; looking again publishes nothing."""
    async with Sandbox(NOTHING) as pos, reading(pos, entity) as read:
        rows = pos.shop.lists.rows[entity]
        await eventually(lambda: read.bundles)
        assert [(identity, count) for count, identity in enumerate(rows, 1)] == read.seen()
        await looked(read, operation(entity))
        assert 1 == len(read.bundles)

        changed = pos.shop.lists.change(entity)
        await eventually(lambda: len(read.bundles) == 2)
        assert (changed, len(rows) + 1) == read.seen()[-1]
        assert f"{entity}:{changed}:{len(rows) + 1}" == headers(read.events[-1].headers)["ce_id"]
        assert len(rows) + 1 == read.position.marker


@pytest.mark.parametrize("entity", LISTS)
async def test_what_vanished_is_deleted_with_a_tombstone(entity: str) -> None:
    """Both with the next number; if it comes back it is a change."""
    async with Sandbox(NOTHING) as pos, reading(pos, entity) as read:
        await eventually(lambda: read.bundles)
        identity, row = next(iter(pos.shop.lists.rows[entity].items()))
        count = read.position.marker
        del pos.shop.lists.rows[entity][identity]
        await eventually(lambda: len(read.bundles) == 2)

        event, tombstone = read.bundles[-1].records
        assert f"mplus-connector.{entity}.deleted" == headers(event.headers)["ce_type"]
        assert event.value is not None
        assert tombstone.value is None
        assert {"ce_syncmarker": str(count + 1)} == headers(tombstone.headers)
        assert identity.encode() == event.key == tombstone.key

        pos.shop.lists.rows[entity][identity] = row
        await eventually(lambda: len(read.bundles) == 3)
        assert (identity, count + 2) == read.seen()[-1]
        assert f"mplus-connector.{entity}.changed" == headers(read.events[-1].headers)["ce_type"]


@pytest.mark.parametrize("entity", LISTS)
async def test_a_restart_publishes_nothing_again(entity: str) -> None:
    """The contents are remembered in the position record; what changed meanwhile is found."""
    async with Sandbox(NOTHING) as pos:
        async with reading(pos, entity) as read:
            await eventually(lambda: read.bundles)
        async with reading(pos, entity, position=read.position) as again:
            await looked(again, operation(entity))
            assert [] == again.bundles
        changed = pos.shop.lists.change(entity)
        async with reading(pos, entity, position=read.position) as later:
            await eventually(lambda: later.bundles)
            assert [(changed, read.position.marker + 1)] == later.seen()


async def test_an_empty_list_is_a_list() -> None:
    """It is at its end at once, and what comes is published."""
    async with Sandbox(NOTHING) as pos:
        method, row = pos.shop.lists.rows["deliveryMethod"].popitem()
        pos.shop.lists.rows["deliveryMethod"].clear()
        async with reading(pos, "deliveryMethod") as read:
            await looked(read, "getDeliveryMethods")
            assert 0 == read.position.marker
            assert [] == read.records
            pos.shop.lists.rows["deliveryMethod"][method] = row
            await eventually(lambda: read.events)
            assert [(method, 1)] == read.seen()


async def test_an_item_that_can_no_longer_be_decoded_is_not_taken_for_deleted() -> None:
    """One dead letter, however often the list is looked at; when it can be read again and is the same, nothing is published."""
    async with Sandbox(NOTHING) as pos, reading(pos, "orderCategory") as read:
        await eventually(lambda: read.bundles)
        identity, row = next(iter(pos.shop.lists.rows["orderCategory"].items()))
        pos.shop.lists.rows["orderCategory"][identity] = row | {"orderCategoryNumber": "many"}
        await eventually(lambda: read.letters)
        await looked(read, "getOrderCategories")
        assert 1 == len(read.letters)
        assert "decode" == headers(read.letters[0].headers)["__connect.errors.stage"]

        pos.shop.lists.rows["orderCategory"][identity] = row
        await looked(read, "getOrderCategories")
        assert not any(headers(event.headers)["ce_type"].endswith(".deleted") for event in read.events)
        assert 1 == read.seen().count((identity, 1))


async def test_a_pos_that_fails_deletes_nothing() -> None:
    """No answer, half an answer and a refusal are no empty list."""
    async with Sandbox(NOTHING) as pos, reading(pos, "deliveryMethod") as read:
        await eventually(lambda: read.bundles)
        for kind in ("drop_before", "truncate", "truncate_framed", "garbage", "server_fault"):
            pos.faults.switch(kind, count=5, operations=["getDeliveryMethods"])
            await eventually(lambda: read.states and read.states[-1] == "unreachable")
            await eventually(lambda: read.states[-1] == "running")

        assert 1 == len(read.bundles)


async def test_only_the_refused_list_is_unavailable() -> None:
    """The reason names the operation."""
    async with Sandbox(NOTHING) as pos:
        pos.faults.missing_operations = frozenset({"getOrderCategories"})
        async with reading(pos, "orderCategory") as refused, reading(pos, "deliveryMethod") as read:
            await eventually(lambda: refused.states == ["unavailable"])
            await eventually(lambda: read.bundles)


def test_counting_goes_on_where_it_stood() -> None:
    """Pure: changed and vanished items, several at once, each with a number of its own."""
    first, items, *_ = changes(Position(), [item("a", b"1"), item("b", b"1"), item("c", b"1")])
    assert [("a", 1), ("b", 2), ("c", 3)] == [(one.identity, one.marker) for one in items]
    second, items, *_ = changes(first, [item("c", b"1"), item("b", b"2")])
    assert [("b", 4, False), ("a", 5, True)] == [
        (one.identity, one.marker, one.deleted) for one in items if isinstance(one, Item)
    ]
    assert {"b", "c"} == set(second.hashes)
    assert (second, []) == changes(second, [item("b", b"2"), item("c", b"1")])[:2]


def test_nothing_vanishes_while_something_cannot_be_decoded() -> None:
    """It may be just that; afterwards what is really gone is deleted."""
    first, *_ = changes(Position(), [item("a", b"1"), item("b", b"1")])
    second, items, *_ = changes(first, [item("a", b"1"), Undecodable(None, None, "no", b"<x/>")])
    assert 1 == len(items)
    third, items, *_ = changes(second, [item("a", b"1")])
    assert [("b", True)] == [(one.identity, one.deleted) for one in items if isinstance(one, Item)]
    assert {"a"} == set(third.hashes)


async def test_deleted_values_are_json_objects() -> None:
    """A consumer that parses every event does not fail on these."""
    async with Sandbox(only("order", 0)) as pos, reading(pos, "deliveryMethod") as read:
        await eventually(lambda: read.bundles)
        pos.shop.lists.rows["deliveryMethod"].clear()
        await eventually(lambda: len(read.bundles) == 2)

        assert all(isinstance(orjson.loads(event.value or b""), dict) for event in read.events)
