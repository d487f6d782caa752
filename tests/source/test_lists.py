"""Slow lists: published when they change, counted by the connector itself."""

import asyncio
from itertools import pairwise

import orjson
import pytest
from aiohttp import web

from connector.clock import Clock
from connector.errors import Reject
from connector.events.base import Event
from connector.events.source import HeadSeen, HeadUnknown
from connector.messages.position import Deployment, Position
from connector.mplus.responses.pages import Item, Undecodable
from connector.sandbox import Sandbox, SandboxOptions
from connector.sandbox.soap import markup
from connector.source import list_poller as lists
from connector.source.list_poller import changes
from tests.source.interposed import interpose, quick_clock, xml
from tests.support.source.polling import Reading, eventually, headers, only, reading

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
    async with Sandbox(only("order", 0)) as pos, reading(pos, "deliveryMethod", clock=quick_clock()) as read:
        await eventually(lambda: read.bundles)
        pos.shop.lists.rows["deliveryMethod"].clear()
        await eventually(lambda: len(read.bundles) == 2)

        assert all(isinstance(orjson.loads(event.value or b""), dict) for event in read.events)


AROUND = {"deliveryMethod": "deliveryMethodList", "orderCategory": ""}


@pytest.mark.parametrize("entity", LISTS)
@pytest.mark.parametrize("left", [0, 1])
async def test_an_answer_without_most_of_its_rows_deletes_nothing(entity: str, left: int) -> None:
    """A POS that starts, or is repaired, may give it; it is said, and the list is looked at again, soon and as long as needed."""
    emptied: list[bool] = []

    async def short(operation_: str, answer: web.Response) -> web.Response | None:
        if operation_ != operation(entity) or not emptied:
            return None
        emptied.pop()
        return of_rows(entity, dict(list(pos.shop.lists.rows[entity].items())[:left]))

    async with Sandbox(NOTHING) as pos:
        interpose(pos, short)
        async with reading(pos, entity) as read:
            await eventually(lambda: read.bundles)
            emptied.append(True)
            await eventually(lambda: "running" in read.states)
            await looked(read, operation(entity))
            changed = pos.shop.lists.change(entity)
            await eventually(lambda: len(read.bundles) == 2)
        assert ["head-doubted", "running"] == read.states
        assert [changed] == [name for name, _ in read.seen()[len(pos.shop.lists.rows[entity]) :]]
        assert all(record.value is not None for record in read.records)


def of_rows(entity: str, rows: dict[str, dict[str, object]]) -> web.Response:
    """A list of these alone."""
    written = markup.element(entity, list(rows.values()))
    around = AROUND[entity]
    name = operation(entity)[0].upper() + operation(entity)[1:]
    inner = f"<ns:{around}>{written}</ns:{around}>" if around else written
    return xml(f'<ns:{name}Response xmlns:ns="urn:mplusqapi">{inner}</ns:{name}Response>'.encode())


@pytest.mark.parametrize("entity", LISTS)
async def test_what_two_looks_miss_is_deleted(entity: str) -> None:
    """They are some seconds apart; nothing is known of the list meanwhile."""
    async with Sandbox(NOTHING) as pos, reading(pos, entity, clock=quick_clock(20)) as read:
        await eventually(lambda: read.bundles)
        names = set(pos.shop.lists.rows[entity])
        pos.shop.lists.rows[entity].clear()
        await eventually(lambda: len(read.bundles) == 2)
        assert names == {record.key.decode() for record in read.records if record.key and record.value is None}
        await eventually(lambda: "running" in read.states)
        assert ["head-doubted", "running"] == read.states
        assert 1 == known(read).count(HeadUnknown)
        assert known(read)[0] is HeadSeen is known(read)[-1]


async def test_rows_that_each_vanish_for_one_look_are_not_deleted() -> None:
    """Two looks must miss the same ones."""
    looks = [0]

    async def half(operation_: str, answer: web.Response) -> web.Response | None:
        if operation_ != "getOrderCategories":
            return None
        rows, looks[0] = list(pos.shop.lists.rows["orderCategory"].items()), looks[0] + 1
        return of_rows("orderCategory", dict(rows if looks[0] == 1 else [rows[looks[0] % len(rows)]]))

    async with Sandbox(NOTHING) as pos:
        assert len(pos.shop.lists.rows["orderCategory"]) > 2
        interpose(pos, half)
        async with reading(pos, "orderCategory", clock=quick_clock(200)) as read:
            await looked(read, "getOrderCategories", 8)
            assert 1 == len(read.bundles)


async def test_while_the_pos_does_not_answer_nothing_is_known_of_the_list() -> None:
    """Said once, with the time of the first look that failed, and taken back when it is well again."""
    clock = Clock(sleep=lambda _: asyncio.sleep(0.02))
    async with Sandbox(NOTHING) as pos, reading(pos, "orderCategory", clock=clock) as read:
        await eventually(lambda: read.bundles)
        pos.faults.switch("server_fault", probability=1)
        await looked(read, "getOrderCategories", 10)
        assert 1 == known(read).count(HeadUnknown)
        assert known(read)[-1] is HeadUnknown
        pos.faults.clear()
        await eventually(lambda: known(read)[-1] is HeadSeen)


def known(read: Reading) -> list[type[Event]]:
    """Whether the list's head is, over time."""
    return [type(told) for told in read.told if isinstance(told, HeadSeen | HeadUnknown)]


def size(position: Position) -> int:
    """Of the position record, in bytes."""
    return len(Deployment("group", 8).encode(position))


@pytest.mark.parametrize("identity", [None, "a"])
def test_the_record_of_a_row_that_cannot_be_decoded_does_not_grow(identity: str | None) -> None:
    """However often it changes; each content is one dead letter, and the row is not taken for deleted."""
    position, *_ = changes(Position(), [item("a", b"1"), item("b", b"1")])
    sizes = set()
    for number in range(20_000):
        row = Undecodable(None, identity, "no", b"<x>%d</x>" % (number // 2))
        position, letters, *_ = changes(position, [row, item("b", b"1")])
        assert (number + 1) % 2 == len(letters)
        sizes.add(size(position))
    assert max(sizes) < 1000
    _, back, *_ = changes(position, [item("a", b"1"), item("b", b"1")])
    assert [] == back


def test_rows_that_come_and_go_beside_one_that_cannot_be_named_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be any of them, but not all."""
    monkeypatch.setattr(lists, "HIDDEN_MAX", 20)
    position, *_ = changes(Position(), [item("a", b"1")])
    deleted = 0
    for number in range(500):
        look = changes(position, [Undecodable(None, None, "no", b"<x/>"), item(f"row-{number}", b"1")])
        deleted, position = deleted + len(look.gone), look.position
    assert (20 + 2, 500 - 20) == (len(position.hashes), deleted)
    assert "row-498" in position.hashes


def test_where_a_row_that_cannot_be_decoded_tells_its_identity_the_others_may_vanish() -> None:
    """It alone is there for sure."""
    position, *_ = changes(Position(), [item(name, b"1") for name in "abcde"])
    look = changes(position, [item("a", b"1"), item("b", b"1"), item("c", b"1"), Undecodable(0, "d", "no", b"<x/>")])
    assert {"e"} == look.gone
    assert not look.doubtful
    assert {*"abcd"} == {key for key in look.position.hashes if not key.startswith("?")}


def test_a_row_that_stands_twice_is_one_change() -> None:
    """Whatever it is."""
    bad = Undecodable(None, None, "no", b"<x/>")
    twice: list[Item | Undecodable] = [item("a", b"1"), item("b", b"1"), item("a", b"1"), bad, bad]
    position, items, *_ = changes(Position(), twice)
    assert (3, 3) == (len(items), position.marker)
    assert all(one.marker is not None and two.marker == one.marker + 1 for one, two in pairwise(items))
    assert (position, []) == changes(position, twice)[:2]


def test_a_list_that_a_position_record_cannot_hold_is_refused() -> None:
    """It says so, and what to do; one of 20000 rows fits into a record."""
    fits, *_ = changes(Position(), [item(str(number), b"1") for number in range(20_000)])
    assert size(fits) < 1_000_000
    with pytest.raises(Reject, match="CONNECTOR_ENTITIES"):
        changes(Position(), [item(str(number), b"1") for number in range(40_000)])
