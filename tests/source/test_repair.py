"""What a repair believes: nothing is gone because one answer is empty, or because something cannot be read."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from connector.errors import Reject, Retry
from connector.messages.control import Named, Wanted
from connector.messages.position import Position
from connector.mplus.client import Arrived, Page
from connector.sandbox import Sandbox, SandboxOptions
from connector.source.budget import MemoryBudget
from connector.source.bundles import Publisher
from connector.source.entities import ENTITIES, Choices, named
from connector.source.heads import Heads
from connector.source.list_poller import content_hash
from connector.source.reading.reader import Reader
from connector.source.repair import Repair, RepairContext, joined
from tests.source.interposed import Time, client_of, cut, empty, interpose
from tests.support.source.holes import vanish
from tests.support.source.polling import only, truth

AROUND = {"relation": ("getRelations", "relationList"), "deliveryMethod": ("getDeliveryMethods", "deliveryMethodList")}
Between = Callable[[], None]


class Patient(Time):
    """Something may happen while a repair waits."""

    meanwhile: Sequence[Between] = ()

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds)
        for happens in self.meanwhile if seconds > 1 else ():
            happens()


@asynccontextmanager
async def repairing(pos: Sandbox, name: str, time: Time, page_size: int = 6) -> AsyncIterator[tuple[Repair, RepairContext]]:
    """Repairs of an entity."""
    (entity,) = named([name])
    async with client_of(pos) as client:
        heads = Heads(client, ENTITIES, 2.0, time.clock)
        publisher, reader = Publisher("demo", entity, "demo.dead-letters", 8 << 20), Reader(client, entity, Choices())
        parts = RepairContext(reader, heads, MemoryBudget(1 << 20), publisher, time.clock, page_size, 0.1)
        try:
            yield Repair(parts), parts
            assert 0 == parts.budget.used
        finally:
            await heads.close()


async def repaired(repair: Repair, wanted: Wanted, position: Position) -> tuple[set[str], str]:
    """The identities that were published again, and what was said."""
    search = await repair.look(wanted)
    bundle, words = await repair.mend(wanted, search, position)
    return {(record.key or b"").decode() for record in bundle.records}, words


class Emptied:
    """Answers calls of one operation with an empty page: those of these numbers, counted from 0."""

    def __init__(self, pos: Sandbox, name: str, *numbers: int) -> None:
        self.calls, self.numbers, self.names = 0, numbers, AROUND[name]
        interpose(pos, self.answer)

    async def answer(self, operation: str, _: web.Response) -> web.Response | None:
        if operation != self.names[0]:
            return None
        self.calls += 1
        return empty(*self.names) if self.calls - 1 in self.numbers else None


@pytest.mark.parametrize("number", range(8))
async def test_one_empty_page_makes_nothing_gone(number: int) -> None:
    """Whichever of the pass it is, and wherever the items were said to have been: they may have moved."""
    async with Sandbox(only("relation", 30)) as pos, repairing(pos, "relation", Patient()) as (repair, _):
        head = pos.shop.heads()["relation"]
        Emptied(pos, "relation", number)
        there = [(name, count) for count, name in enumerate(pos.truth()["relation"])]
        assert (set(), "0 of 30 gone") == await repaired(repair, Wanted(gone=tuple(there)), Position(head))


async def test_what_is_gone_is_still_found_to_be() -> None:
    """In a gap, before the first item, behind the last one, and with a marker that the POS never gave."""
    async with Sandbox(only("relation", 30)) as pos, repairing(pos, "relation", Patient()) as (repair, _):
        rows = truth(pos, "relation")
        gone: list[Named] = [(rows[place][0], vanish(pos, "relation", rows[place][0])) for place in (0, 10, 11, 29)]
        wanted = Wanted(gone=(*gone, ("phantom", 10**12), (rows[5][0], 3)))
        keys, words = await repaired(repair, wanted, Position(pos.shop.heads()["relation"]))
        assert ({*dict(gone), "phantom"}, "5 of 6 gone") == (keys, words)


async def test_a_pos_that_becomes_empty_while_it_is_looked_through_proves_nothing() -> None:
    """It must still show what it showed: also where all that it showed lay before."""
    async with Sandbox(only("relation", 30)) as pos, repairing(pos, "relation", Patient()) as (repair, _):
        Emptied(pos, "relation", *range(2, 1000))
        name, marker = truth(pos, "relation")[20]
        with pytest.raises(Reject, match="shows nothing where it showed"):
            await repair.look(Wanted(gone=((name, marker),)))


async def test_an_empty_pos_with_a_head_proves_nothing() -> None:
    """As little as one page of it."""
    async with Sandbox(only("relation", 30)) as pos, repairing(pos, "relation", Patient()) as (repair, _):
        Emptied(pos, "relation", *range(1000))
        with pytest.raises(Reject, match="no item at all"):
            await repair.look(Wanted(gone=(("a", 3),)))


async def test_what_becomes_visible_while_a_repair_waits_is_there() -> None:
    """In a place that the pass found without it."""
    time = Patient()
    async with Sandbox(only("relation", 30)) as pos, repairing(pos, "relation", time) as (repair, _):
        sequence, (name, marker), (gone, at) = (
            pos.shop.sequences["relation"],
            truth(pos, "relation")[7],
            truth(pos, "relation")[4],
        )
        late = sequence.by_identity[name]
        vanish(pos, "relation", name)
        vanish(pos, "relation", gone)
        time.meanwhile = [lambda: None if name in sequence.by_identity else sequence.append(late)]
        wanted = Wanted(gone=((gone, at), (name, marker)))
        assert ({gone}, "1 of 2 gone") == await repaired(repair, wanted, Position(pos.shop.heads()["relation"]))


async def test_a_place_that_cannot_be_read_makes_gone_undecidable_and_the_rest_is_repaired() -> None:
    """Items are published again around it; those said to be gone and found are no matter of it."""
    async with Sandbox(only("relation", 30)) as pos, repairing(pos, "relation", Patient(), 10) as (repair, _):
        rows, head = truth(pos, "relation"), pos.shop.heads()["relation"]
        name, bad = rows[12]

        async def spoilt(operation: str, answer: web.Response) -> web.Response | None:
            assert isinstance(answer.body, bytes)
            return cut(answer) if b"<ns:syncMarker>%d<" % bad in answer.body else None

        interpose(pos, spoilt)
        items = tuple(rows[10:15])
        keys, words = await repaired(repair, Wanted(items=items, gone=(rows[3],)), Position(head))
        assert ({row[0] for row in items} - {name}, "4 of 5 published again, 0 of 1 gone") == (keys, words)
        with pytest.raises(Reject, match="cannot be read"):
            await repair.look(Wanted(gone=(("nobody", 3),)))


async def test_a_gateway_that_gives_up_on_large_pages_is_asked_for_smaller_ones() -> None:
    """In the look and in the mending, which has no limit of time but that of each page."""
    async with Sandbox(only("relation", 60)) as pos, repairing(pos, "relation", Patient(), 40) as (repair, _):
        rows = truth(pos, "relation")

        async def gateway(operation: str, answer: web.Response) -> web.Response | None:
            assert isinstance(answer.body, bytes)
            return web.Response(status=504) if answer.body.count(b"<ns:relation>") > 7 else None

        interpose(pos, gateway)
        gone = (rows[30][0], vanish(pos, "relation", rows[30][0]))
        wanted = Wanted(items=(rows[3], rows[4], rows[50]), gone=(gone,))
        keys, words = await repaired(repair, wanted, Position(pos.shop.heads()["relation"]))
        assert ({name for name, _ in (*wanted.items, gone)}, "3 of 3 published again, 1 of 1 gone") == (keys, words)


async def test_an_item_that_a_page_shows_twice_is_published_once() -> None:
    """As one event, with one id."""
    async with Sandbox(only("relation", 9)) as pos, repairing(pos, "relation", Patient()) as (repair, parts):
        name, marker = truth(pos, "relation")[4]
        page = parts.reader.page

        async def twice(asked: int, limit: int, arrived: Arrived | None = None) -> Page:
            return [again for item in await page(asked, limit, arrived) for again in (item, item)]

        parts.reader.page = twice  # type: ignore[method-assign,assignment]
        wanted, position = Wanted(items=((name, marker),)), Position(pos.shop.heads()["relation"])
        bundle, words = await repair.mend(wanted, await repair.look(wanted), position)
        assert (1, "1 of 1 published again") == (len(bundle.records), words)


@pytest.mark.parametrize(("numbers", "gone"), [((0,), 1), ((1,), 1), ((0, 1), 3)])
async def test_a_row_of_a_list_is_gone_when_two_looks_miss_it(numbers: tuple[int, ...], gone: int) -> None:
    """Some seconds apart: one empty answer deletes nothing."""
    time = Time()
    async with Sandbox(SandboxOptions(items=0)) as pos, repairing(pos, "deliveryMethod", time) as (repair, parts):
        names = list(pos.shop.lists.rows["deliveryMethod"])[:2]
        hashes = {item.identity: content_hash(item) for item in await parts.reader.page(0, 0) if item.identity}
        Emptied(pos, "deliveryMethod", *numbers)
        wanted = Wanted(gone=(("phantom", 3), *((name, 1) for name in names)))
        keys, _ = await repaired(repair, wanted, Position(len(hashes), hashes=hashes))
        assert (gone, True) == (len(keys), "phantom" in keys)
        assert 5.0 in time.sleeps


async def test_a_pos_that_does_not_answer_fails_a_repair() -> None:
    """With what is wrong, and at once where it cannot be reached."""
    async with Sandbox(only("relation", 9)) as pos, repairing(pos, "relation", Patient()) as (repair, _):
        pos.faults.switch("server_fault", probability=1)
        with pytest.raises(Retry):
            await repair.look(Wanted(gone=(("a", 3),)))


def test_ranges_that_touch_are_one() -> None:
    """Pure."""
    assert [(0, 9), (11, 12)] == joined([(11, 12), (0, 3), (3, 7), (5, 9), (1, 2)])
