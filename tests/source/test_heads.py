"""The heads that all shards of an administration share: one call for all, at once for operators, and what is learned from it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from connector.clock import Clock
from connector.errors import ConnectorError, Refused, Retry
from connector.sandbox import Sandbox, SandboxOptions
from connector.source.entities import ENTITIES, named
from connector.source.heads import NEWER, OLDER, Heads
from connector.source.reading.reader import NEWER_AGAIN_S
from connector.source.schedule import Head
from tests.source.interposed import Time, client_of, interpose, refusal, xml
from tests.support.source.controlling import answered, ask
from tests.support.source.polling import REAL, configuration, eventually, level, reading, working

(RELATION,) = named(["relation"])
(PURCHASE,) = named(["purchaseOrder"])
BEFORE = float("-inf")
HOUR = 3600.0
UNKNOWN = "Method '%s' not implemented: method name or namespace not recognized"


@asynccontextmanager
async def asked(interval: float, clock: Clock = REAL, entities: tuple[str, ...] = ()) -> AsyncIterator[tuple[Sandbox, Heads]]:
    """A POS, and its heads."""
    async with Sandbox(SandboxOptions(items=3)) as pos, client_of(pos) as client:
        heads = Heads(client, named(entities), interval, clock)
        try:
            yield pos, heads
        finally:
            await heads.close()


def calls(pos: Sandbox) -> tuple[int, int]:
    """So many of the newer operation, and of the older one."""
    return pos.requests.counts[NEWER], pos.requests.counts[OLDER]


async def test_all_who_wait_share_one_call() -> None:
    """Sixteen shards, one request an interval."""
    async with asked(HOUR) as (pos, heads):
        marked = [entity for entity in ENTITIES if entity.head]
        found = await asyncio.gather(*(heads.newer(entity, BEFORE) for entity in marked))
        assert [pos.shop.heads()[entity.name] for entity in marked] == [head.marker for head in found]
        assert (1, 0) == calls(pos)


async def test_an_operator_is_answered_at_once_however_long_the_interval_is() -> None:
    """By one call more, which whoever waits for the next round gets too."""
    async with asked(HOUR) as (pos, heads):
        first = await heads.newer(RELATION, BEFORE)
        waits = asyncio.create_task(heads.newer(RELATION, first.asked_at))
        await asyncio.sleep(0)
        pos.shop.change("relation", 2)
        both = await asyncio.gather(heads.at_once(RELATION), heads.at_once(PURCHASE))
        assert first.marker + 2 == both[0].marker == (await waits).marker
        assert (2, 0) == calls(pos)


async def test_an_operators_answer_is_not_older_than_the_question() -> None:
    """A call that is under way already does not count."""
    begun, go = asyncio.Event(), asyncio.Event()

    async def held(_: str, answer: web.Response) -> None:
        begun.set()
        await go.wait()

    async with asked(HOUR) as (pos, heads):
        interpose(pos, held)
        slow = asyncio.create_task(heads.newer(RELATION, BEFORE))
        await begun.wait()
        pos.shop.change("relation", 2)
        question = asyncio.create_task(heads.at_once(RELATION))
        await asyncio.sleep(0)
        go.set()
        assert (await slow).marker + 2 == (await question).marker == pos.shop.heads()["relation"]
        assert (2, 0) == calls(pos)


async def test_a_resync_is_done_at_once_although_the_pos_is_looked_at_every_hour(bootstrap: str, prefix: str) -> None:
    """From the question to the last event, and a second time."""
    config = {"entities": ("relation",), "poll_interval": HOUR}
    async with (
        Sandbox(SandboxOptions(items=5)) as pos,
        working(configuration(bootstrap, prefix, pos, **config)) as worker,
    ):
        await level(worker, pos, ["relation"])
        for number in range(2):
            await ask(bootstrap, prefix, "resync", "relation", from_=0, id=f"r{number}")
            await answered(bootstrap, prefix, f"r{number}", "done", within=20)
    assert 4 > pos.requests.counts[NEWER]


async def test_a_failed_call_is_everybodys_failure_and_is_not_repeated_at_once() -> None:
    """The next one comes after the interval, later and later up to half a minute, and not before, whoever asks."""
    time = Time()
    async with asked(2.0, time.clock) as (pos, heads):
        pos.faults.switch("server_fault", probability=1)
        began = time.now
        for failures in range(1, 9):
            errors = await asyncio.gather(*(heads.newer(RELATION, BEFORE) for _ in range(5)), return_exceptions=True)
            assert [Retry] * 5 == [type(error) for error in errors]
            assert (failures, 0) == calls(pos)
            assert began == heads.unknown_since
        assert [2.0, 2.0, 2.0, 2.0, 4.0, 8.0, 15.0] == time.sleeps
        pos.faults.clear()
        assert pos.shop.heads()["relation"] == (await heads.newer(RELATION, BEFORE)).marker
        assert heads.unknown_since is None


async def test_where_the_pos_is_looked_at_every_hour_a_failed_look_is_repeated_within_a_minute() -> None:
    """Nobody waits an hour for a POS that was away for a second."""
    time = Time()
    async with asked(HOUR, time.clock) as (pos, heads):
        pos.faults.switch("server_fault", count=1)
        with pytest.raises(Retry):
            await heads.newer(RELATION, BEFORE)
        await heads.newer(RELATION, BEFORE)
        assert [30.0] == time.sleeps


async def test_what_is_known_is_told_without_waiting_and_renewed_beside() -> None:
    """Also while the POS fails, or does not answer at all."""
    time = Time()
    async with asked(2.0, time.clock) as (pos, heads):
        assert heads.latest(RELATION) is None
        await eventually(lambda: heads.latest(RELATION))
        first = heads.latest(RELATION)
        assert first is not None
        pos.shop.change("relation")
        assert first == heads.latest(RELATION)
        time.now += 2
        assert first == heads.latest(RELATION)
        await eventually(lambda: heads.latest(RELATION) == Head(first.marker + 1, time.now))
        pos.faults.switch("server_fault", probability=1)
        time.now += 2
        assert heads.latest(RELATION) is not None
        await eventually(lambda: heads.unknown_since == time.now)
        assert (3, 0) == calls(pos)


async def test_a_spurious_fault_is_told_and_not_learned() -> None:
    """The newer operation is there: the older one is not asked, and the next look is right."""
    once = [refusal()]

    async def spurious(_: str, answer: web.Response) -> web.Response | None:
        return once.pop() if once else None

    time = Time()
    async with asked(2.0, time.clock) as (pos, heads):
        interpose(pos, spurious)
        with pytest.raises(Refused, match="End of file"):
            await heads.newer(PURCHASE, BEFORE)
        assert pos.shop.heads()["purchaseOrder"] == (await heads.newer(PURCHASE, BEFORE)).marker
        assert (2, 0) == calls(pos)


async def test_an_operation_that_was_missing_is_tried_again_every_hour() -> None:
    """Until then the older one is asked; and whatever the newer one is refused with then, the older one still does."""
    time = Time()
    async with asked(2.0, time.clock) as (pos, heads):
        pos.faults.missing_operations = frozenset({NEWER})
        head = await heads.newer(RELATION, BEFORE)
        head = await heads.newer(RELATION, head.asked_at)
        assert (1, 2) == calls(pos)
        pos.faults.missing_operations = frozenset()

        async def refused(operation: str, answer: web.Response) -> web.Response | None:
            return refusal() if operation == NEWER and pos.requests.counts[NEWER] < 3 else None

        interpose(pos, refused)
        time.now += NEWER_AGAIN_S
        head = await heads.newer(RELATION, head.asked_at)
        assert (2, 3) == calls(pos)
        head = await heads.newer(RELATION, head.asked_at)
        assert (2, 4) == calls(pos)
        time.now += NEWER_AGAIN_S
        await heads.newer(RELATION, head.asked_at)
        assert (3, 4) == calls(pos)


async def test_a_head_that_the_older_operation_lacks_is_asked_of_the_newer_one_whenever_it_is_wanted() -> None:
    """Others do not wait for that; nor are they refused for it."""
    told = b"<n:relationSyncMarker>7</n:relationSyncMarker>"

    async def few(operation: str, answer: web.Response) -> web.Response | None:
        name = b"getCurrentSyncMarkersResponse"
        return xml(b'<n:%s xmlns:n="urn:mplusqapi">%s</n:%s>' % (name, told, name)) if operation == OLDER else None

    time = Time()
    async with asked(2.0, time.clock) as (pos, heads):
        interpose(pos, few)
        pos.faults.missing_operations = frozenset({NEWER})
        with pytest.raises(Refused, match="purchaseOrder"):
            await heads.newer(PURCHASE, BEFORE)
        head = await heads.newer(RELATION, BEFORE)
        assert (7, (1, 1)) == (head.marker, calls(pos))
        with pytest.raises(Refused, match="purchaseOrder"):
            await heads.newer(PURCHASE, head.asked_at)
        assert (2, 2) == calls(pos)
        assert 7 == (await heads.newer(RELATION, head.asked_at)).marker
        pos.faults.missing_operations = frozenset()
        assert pos.shop.heads()["purchaseOrder"] == (await heads.newer(PURCHASE, BEFORE)).marker
        assert calls(pos) == (3, 3)


@pytest.mark.parametrize(
    ("told", "expected"), [(b"<n:orderSyncMarker>7</n:orderSyncMarker>", Refused), (b"", Retry), (b"<n:a>7</n:a>", Retry)]
)
async def test_an_answer_without_a_head_counts_only_where_it_holds_others(told: bytes, expected: type[ConnectorError]) -> None:
    """Also where this entity is the only one that is read."""

    async def few(operation: str, answer: web.Response) -> web.Response:
        name = b"GetCurrentSyncMarkersV2Response"
        return xml(b'<n:%s xmlns:n="urn:mplusqapi">%s</n:%s>' % (name, told, name))

    async with asked(2.0, Time().clock, ("relation",)) as (pos, heads):
        interpose(pos, few)
        with pytest.raises(expected):
            await heads.newer(RELATION, BEFORE)


async def test_purchases_stay_with_their_newer_operation_after_a_spurious_fault() -> None:
    """Their lines without lineNumber would stand in a compacted topic, and nobody would see it."""
    faults = {"getPurchaseOrdersV2": 1, NEWER: 1}

    async def spurious(operation: str, answer: web.Response) -> web.Response | None:
        faults[operation] = faults.get(operation, 0) - 1
        return refusal() if faults[operation] == 0 else None

    async with Sandbox(SandboxOptions(items=12)) as pos:
        interpose(pos, spurious)
        async with reading(pos, "purchaseOrder", limit=3, clock=Clock(sleep=lambda _: asyncio.sleep(0.01))) as read:
            await read.caught_up()
        assert (0, 0) == (pos.requests.counts["getPurchaseOrders"], pos.requests.counts[OLDER])
        assert pos.requests.counts["getPurchaseOrdersV2"] > 2
