"""What an adversary of issue 10 found, each fault the smallest way it shows."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
import pytest
from aiokafka import AIOKafkaProducer

from connector.clock import Clock
from connector.errors import Blocked, Refused, TransactionLost, Unanswered
from connector.kafka.records import Record
from connector.messages.gaps import Window
from connector.messages.position import Position, State, TopicFacts
from connector.mplus.responses.pages import Item
from connector.sandbox import Sandbox, SandboxOptions
from connector.source.budget import MemoryBudget, Reservation
from connector.source.bundles import Bundle, cut
from connector.source.doubt import contradiction, highest_of
from connector.source.entities import named
from connector.source.position_writer import Shard, WriterContext
from connector.source.reading.portion import Portion
from connector.source.shard import ShardRunner
from tests.support.pos import model_pos
from tests.support.pos.model_pos import HERE, Limit, ModelPos, Reading
from tests.support.source.controlling import ask
from tests.support.source.dead_items import named as dead
from tests.support.source.polling import configuration, eventually, level, working
from tests.support.source.read_shop import a_read_shop, one_round, states


class SilentPos:
    """Tells one low head, and then does not answer for a while: each call takes half a minute."""

    def __init__(self, pos: ModelPos, calls: int) -> None:
        self._pos, self._true, self._low, self._calls = pos, pos.head, True, calls

    def head(self) -> int:
        """Low once."""
        if self._low:
            self._low = False
            return 5
        return self._true()

    def answers(self) -> None:
        """Not, after the low head."""
        if not self._low and self._calls:
            self._calls -= 1
            self._pos.now += 30
            raise Unanswered("no answer in 30 s")


async def test_one_low_head_of_a_pos_that_falls_silent_is_one_look() -> None:
    """However often it is weighed while the POS does not answer."""
    pos, reading = await a_read_shop()
    silent = SilentPos(pos, calls=6)
    pos.head, pos.answers = silent.head, silent.answers  # type: ignore[method-assign]
    pos.change("new")
    for _ in range(8):
        await one_round(reading)

    assert State.HEAD_REGRESSED not in states(reading)
    assert ("new", 21, "poll") in reading.published()


async def test_many_gaps_behind_a_gateway_that_passes_small_pages_only_are_looked_at() -> None:
    """A whole page per look is asked smaller where it cannot be had: what became visible late is found, and gaps expire."""
    pos = ModelPos()
    reading = Reading(pos, Window(markers=5000, seconds=60.0), 1000)
    pos.refuses = lambda names: len(names) > 60
    pos.change("hidden", delay=20.0)
    for number in range(450):
        pos.change(f"often-{number % 3}" if number % 2 else f"{number}")
    await polled(reading, 300)

    assert ("hidden", 1, "late") in reading.published()
    assert not reading.busy


async def polled(reading: Reading, most: int) -> None:
    """Until there is nothing more to do."""
    for _ in range(most):
        if reading.busy:
            await reading.poll()


@pytest.mark.parametrize("limit", ["records", "window"])
async def test_a_place_that_can_never_be_looked_at_is_given_up(limit: Limit) -> None:
    """Or each look at the head would ask for it for ever; it is named in a dead letter, and nothing else is given up for it."""
    pos = ModelPos(limit)
    reading = Reading(pos, Window(markers=500, seconds=60.0), 50)
    pos.refuses = lambda names: "bad" in names
    pos.change("first")
    for _ in range(5):
        pos.change("often")
    pos.change("bad")
    for _ in range(30):
        pos.change("last")
    pos.change("hidden", delay=30.0)
    pos.change("newest")
    await polled(reading, 400)

    assert not reading.busy
    assert ("hidden", 38, "late") in reading.published()
    assert 7 in dead(reading)
    assert {"first", "often", "last", "hidden", "newest"} == {name for name, *_ in reading.published()}


@dataclass
class SlowKafka(Reading):
    """What has one of these identities in it takes too long to send."""

    slow: frozenset[str] = frozenset()
    portion: Portion = field(default_factory=lambda: Portion(given_up_from=1))
    lost: int = 0

    def start(self) -> None:
        """With the portion of the owner before."""
        super().start()
        assert self.poller
        self.poller._parts = replace(self.poller._parts, portion=self.portion)

    def commit(self, bundle: Bundle) -> "asyncio.Future[None]":
        """The owner ends when a transaction is lost."""
        if not any((record.key or b"").decode() in self.slow for record in bundle.records):
            return super().commit(bundle)
        self.lost += 1
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.set_exception(TransactionLost("it took too long", slow=True))
        done.exception()
        return done

    async def poll(self) -> None:
        """A new owner takes over from the position."""
        lost = self.lost
        try:
            await super().poll()
            await asyncio.sleep(0)
        except TransactionLost:
            self.poller = None
        if lost != self.lost:
            self.poller = None
            self.portion.others_sent()


@pytest.mark.parametrize(("page_size", "slow"), [(2, {"5"}), (50, {"5", "beside 5"})])
async def test_what_cannot_be_cut_further_is_given_up(page_size: int, slow: set[str]) -> None:
    """Also where its transaction leads past its marker, and where several items lie on the marker: nothing stands still."""
    pos = ModelPos()
    reading = SlowKafka(pos, Window(markers=0), page_size, slow=frozenset(slow))
    for marker in (1, 5, 9, 12, 13):
        pos.changes[f"{marker}"], pos.last = {marker: pos.now}, marker
    if "beside 5" in slow:
        pos.changes["beside 5"] = {5: pos.now}
    await polled(reading, 60)

    assert not reading.busy
    assert {"1", "9", "12", "13"} == {name for name, *_ in reading.published()}
    assert dead(reading) == {5}


async def test_a_poller_that_is_cancelled_gives_back_its_memory_once() -> None:
    """Bytes that are granted in the very moment in which it is cancelled are not given back after they were."""
    budget = MemoryBudget(1000)
    before, ahead = budget.reserve("a"), budget.reserve("a")
    await before.grow(900)
    await ahead.grow(200)
    pos = ModelPos()
    reading = Reading(pos, Window(markers=0))
    reading.start()
    assert reading.poller

    async def page(room: Reservation) -> Any:
        await room.grow(300)
        await asyncio.sleep(3600)

    async def read() -> None:
        async with budget.reserve("a") as room:
            await reading.poller._told_if_silent(page(room))  # type: ignore[union-attr]

    polling = asyncio.ensure_future(read())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    polling.cancel()
    budget.release(before)
    await asyncio.wait([polling])
    budget.release(ahead)

    assert budget.used == 0


async def test_a_broker_that_hangs_makes_no_dead_letters_of_small_items() -> None:
    """A transaction of a few bytes that takes too long says something about Kafka, and nothing about the item in it."""
    pos = ModelPos()
    reading = SlowKafka(pos, Window(markers=0), portion=Portion(), slow=frozenset({"small"}))
    pos.change("small")
    await polled(reading, 20)
    assert reading.lost > 10

    reading.slow = frozenset()
    await polled(reading, 20)
    assert [("small", 1, "poll")] == reading.published()
    assert not dead(reading)


async def test_events_that_are_on_their_way_are_not_missing_from_their_topic() -> None:
    """A look at the topic while a page is being written would end the whole lane, again and again during a long catch-up."""
    waiting: list[asyncio.Future[None]] = []

    def submit(_: Any) -> "asyncio.Future[None]":
        waiting.append(asyncio.get_running_loop().create_future())
        return waiting[-1]

    nothing: Any = None
    shard = Shard("a", "order", "a.orders", "a.sync-markers", "", "", nothing, None, bool, nothing, nothing, Portion())
    runner = ShardRunner(
        shard, Position(7, topic=TopicFacts(4, 100)), WriterContext(submit, HERE.encode, 0, "me", nothing, Clock())
    )
    runner._writer.commit(Bundle(Position(9), [Record("a.orders", b"1", b"{}")]))

    assert runner.lost(TopicFacts(4, 100), runner.committed) == ""
    waiting[0].set_result(None)
    await asyncio.sleep(0)
    assert "ends before what was published" in runner.lost(TopicFacts(4, 100), runner.committed)
    assert runner.lost(TopicFacts(4, 101), runner.committed) == ""


@pytest.mark.parametrize(("together", "passes"), [(300, 305), (300, 300), (100, 105), (40, 33), (3, 2)])
async def test_items_on_one_marker_are_asked_with_what_the_gateway_passes(together: int, passes: int) -> None:
    """The limit between what shows one marker only and what cannot be had is found; where there is none, the entity says so."""
    pos = ModelPos()
    reading = Reading(pos, Window(markers=0), 32)
    pos.last = 5
    for number in range(together):
        pos.changes[f"{number}"] = {5: pos.now}
    pos.change("next")
    pos.refuses = lambda names: len(names) > passes
    for _ in range(250):
        if reading.busy and not reading.position.state.stopped:
            await reading.poll()

    if passes > together:
        assert pos.truth() == {name: marker for name, marker, _ in reading.published()}
    else:
        assert State.STUCK is reading.position.state
        assert not reading.published()


@pytest.mark.parametrize("limit", ["records", "window"])
@pytest.mark.parametrize("bad", ["19", "7"])
async def test_the_newest_item_that_went_bad_is_given_up(limit: Limit, bad: str) -> None:
    """Also where it is the item at the position: others below can be read, so it is no outage."""
    pos = ModelPos(limit)
    reading = Reading(pos, Window(markers=0), 32)
    for number in range(20):
        pos.change(f"{number}")
    await polled(reading, 10)
    pos.refuses = lambda names: bad in names
    pos.change(bad)
    await polled(reading, 40)

    assert not reading.busy
    assert dead(reading) == {21}


@pytest.mark.parametrize(
    ("now", "restored"),
    [
        (b'{"id":1,"price":5,"password":"x","lines":[{"n":1}]}', False),
        (b'{"id":1,"price":5,"lines":[{"n":1}]}', False),
        (b'{"id":1,"price":5,"password":"x","lines":[{"n":1,"new":2}],"new":null}', False),
        (b'{"id":1,"price":6,"lines":[{"n":1}],"new":null}', True),
    ],
    ids=["the same", "a field that is no longer kept", "a POS of a newer version", "another price"],
)
def test_a_new_version_is_no_restore(now: bytes, restored: bool) -> None:
    """A POS that was updated shows more fields, another CONNECTOR_KEEP fewer: all entities would stop at once."""
    (order,) = named(["order"])
    was = Item(7, "a", deleted=False, value=b'{"id":1,"price":5,"password":"x","lines":[{"n":1}]}')
    anchor = highest_of(order, [was], None)
    assert anchor
    assert bool(contradiction(order, anchor, [was._replace(value=now)])) == restored


def test_an_odd_item_does_not_make_a_position_too_large_for_its_record() -> None:
    """A broker would refuse it, and nothing of its partition would be written any more."""
    (order,) = named(["order"])
    plain = Item(7, "a", deleted=False, value=b'{"id":1}')
    assert highest_of(order, [plain, Item(8, "x" * 2_000_000, deleted=False, value=b"{}")], None) == highest_of(
        order, [plain], None
    )
    many = b"{%s}" % b",".join(b'"n%d":1' % number for number in range(100_000))
    anchor = highest_of(order, [Item(9, "b", deleted=False, value=many)], None)
    assert len(HERE.encode(Position(9, anchor=anchor))) < 5000


@pytest.mark.parametrize(
    "odd",
    [
        {"syncMarker": "7"},
        {"syncMarker": None},
        {"syncMarker": 7.5},
        {"syncMarker": -5},
        {"syncMarker": True},
        {"epoch": None},
        {"hashes": None},
        {"hashes": {"a": 1}},
        {"control": {"partition": "0", "offset": 1}},
        {"resync": {"id": "x", "upto": "y"}},
        {"gaps": [["a", "b", 3]]},
        {"gaps": [[5, 1, 3]]},
        {"gaps": [[5, 9, 3], [1, 2, 3]]},
        {"anchor": {"marker": "a", "name": "b", "hash": "c"}},
        {"anchor": {"marker": 1, "name": None, "hash": "c"}},
        {"topic": {"partitions": 1, "end": None}},
        {"state": "weird"},
    ],
    ids=str,
)
def test_what_is_no_position_concerns_nobody_else(odd: dict[str, Any]) -> None:
    """A record that somebody edited is told when it is read back; it neither ends the process nor the lane of its neighbours."""
    row = orjson.loads(HERE.encode(Position(7)))
    with pytest.raises(Blocked, match="resync it"):
        HERE.decode(orjson.dumps(row | odd))


async def test_an_entity_with_an_odd_position_stops_alone(bootstrap: str, prefix: str) -> None:
    """Its neighbours on the partition go on, and a resync is the way out."""
    names = ("order", "receipt")
    async with Sandbox(SandboxOptions(items=8)) as pos:
        config = configuration(bootstrap, prefix, pos, entities=names, work_partitions=1)
        async with working(config) as worker:
            await level(worker, pos, names)
        async with AIOKafkaProducer(bootstrap_servers=bootstrap) as producer:
            await producer.send_and_wait(f"{prefix}.sync-markers", b'{"syncMarker":"7"}', key=b"order", partition=0)
        async with working(config) as worker:
            await eventually(lambda: (worker.status.rows().get((prefix, "order")) or {}).get("state") == "stuck")
            pos.shop.change("receipt", 3)
            await level(worker, pos, ["receipt"])
            assert "resync it" in worker.status.rows()[prefix, "order"]["reason"]
            await ask(bootstrap, prefix, "resync", "order", from_=0)
            await level(worker, pos, names)


@pytest.mark.parametrize("limit", ["records", "window"])
@pytest.mark.parametrize("bad", [0, 10, 18, 19])
async def test_stock_that_shows_the_row_it_is_asked_after_gets_past_a_bad_one(
    limit: Limit, bad: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page of one shows nothing new then: at most the bad row and the next, which nobody can ask for, are given up."""
    monkeypatch.setattr(model_pos, "RELATION", named(["stock"])[0])
    pos = ModelPos(limit)
    reading = Reading(pos, Window(markers=0), 8)
    for number in range(20):
        pos.change(f"0-{number}")
    pos.refuses = lambda names: f"0-{bad}" in names
    await polled(reading, 200)

    assert not reading.busy
    assert bad + 1 in dead(reading) <= {bad, bad + 1, bad + 2}
    assert set(pos.truth().values()) <= {marker for _, marker, _ in reading.published()} | dead(reading)


@pytest.mark.parametrize("refused", ["a look for late markers", "the item at the position"])
async def test_a_look_that_is_refused_does_not_stop_the_reading(refused: str) -> None:
    """A POS may refuse what lies further back: what is new comes, and without a minute's wait for each look."""
    pos = ModelPos()
    reading = Reading(pos, Window(markers=40 if refused.startswith("a look") else 0, seconds=60.0), 10)
    for number in range(20):
        pos.change(f"{number % 7}")
    while reading.position.marker < pos.last:
        await reading.poll()
    shown = pos.page

    def page(first: int, most: int) -> Any:
        if first <= 20:
            raise Refused("no")
        return shown(first, most)

    pos.page = page  # type: ignore[method-assign]
    if refused.startswith("the item"):
        reading.poller = None
    pos.change("new")
    for _ in range(5):
        with suppress(*[Refused] if refused.startswith("the item") else []):
            if reading.position.marker < pos.last:
                await reading.poll()

    assert ("new", 21, "poll") in reading.published()


def test_a_repair_of_large_items_is_more_than_one_transaction() -> None:
    """50 items of 8 MiB are never sent in time: the repair would begin again for ever, and its partition with it."""
    records = [Record("a.orders", b"%d" % (number // 2), None if number % 2 else b"x" * 100) for number in range(12)]
    parts = list(cut(records, 3 * records[0].size))

    assert [record for part in parts for record in part] == records
    assert len(parts) > 2
    assert all(part[0].value is not None and part[-1].value is None for part in parts)
    assert [[]] == list(cut([], 10))
