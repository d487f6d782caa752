"""What one odd answer proves: nothing. A head that falls, a POS that was restored, and how either is told from the other."""

from dataclasses import replace

import pytest

from connector.admin.check.pos import probed
from connector.events.pos import CallMade
from connector.events.source import HeadSeen, HeadUnknown, StateChanged
from connector.messages.position import State
from connector.mplus.responses.pages import Item, Undecodable
from connector.sandbox import Sandbox
from connector.source.doubt import Confirmation, Doubt, contradiction, highest_of
from connector.source.reading.paging import LIMIT_MAX
from tests.support.pos.model_pos import RELATION, Limit, ModelPos, ModelReader, Reading
from tests.support.source import polling
from tests.support.source.polling import eventually, only
from tests.support.source.read_shop import WINDOW, a_read_shop, one_round, states


def reason(reading: Reading) -> str:
    """Of the last change of state."""
    return [told.reason for told in reading.told if isinstance(told, StateChanged)][-1]


async def until_regressed(reading: Reading, rounds: int = 20) -> None:
    """Poll until the state is in the position record."""
    for _ in range(rounds):
        if reading.position.state is State.HEAD_REGRESSED:
            return
        await one_round(reading)


def test_a_doubt_is_confirmed_by_looks_and_by_time() -> None:
    """Three looks within a second are one moment; two looks half an hour apart are two looks."""
    rule = Confirmation(looks=3, over=30.0)

    assert not Doubt(0, 0).again(1).again(2).confirmed(rule)
    assert not Doubt(0, 0).again(1800).confirmed(rule)
    assert not Doubt(0, 0).again(31).again(31).confirmed(rule)
    assert Doubt(0, 0).again(15).again(30).confirmed(rule)


@pytest.mark.parametrize("lower", [0, 19])
async def test_one_low_head_stops_nothing(lower: int) -> None:
    """A POS that has just started tells 0, a replica lags by one: looked at again, told, and read on when it is well."""
    pos, reading = await a_read_shop()
    true_head, odd = pos.head, [lower]
    pos.head = lambda: odd.pop() if odd else true_head()  # type: ignore[method-assign]
    pos.change("new")
    await reading.poll()

    assert ["head-doubted", "running"] == states(reading)
    assert any(isinstance(told, HeadUnknown) for told in reading.told)
    assert ("new", 21, "poll") in reading.published()


async def test_one_head_that_is_too_high_leads_nowhere() -> None:
    """An empty page below it would lead past what comes: what two looks agree on is believed."""
    pos, reading = await a_read_shop()
    true_head, odd = pos.head, [5000]
    pos.head = lambda: odd.pop() if odd else true_head()  # type: ignore[method-assign]
    await one_round(reading)
    assert [] == odd
    for number in range(30):
        pos.change(f"new-{number}")
    for _ in range(5):
        if reading.position.marker < pos.last:
            await reading.poll()

    assert [] == states(reading)
    assert pos.truth() == {name: marker for name, marker, _ in reading.published()}


async def test_a_head_that_stays_low_stops_the_entity_after_three_looks_and_thirty_seconds() -> None:
    """And not before."""
    pos, reading = await a_read_shop()
    pos.head = lambda: 5  # type: ignore[method-assign]
    since = pos.now
    await until_regressed(reading)

    assert ["head-doubted", "head-regressed"] == states(reading)
    (told,) = [told for told in reading.told if isinstance(told, StateChanged) and told.state == "head-regressed"]
    assert "the head fell to 5" in told.reason
    assert pos.now - since >= 30


def restore(pos: ModelPos, upto: int) -> None:
    """A backup is put back: what came later never was, and its markers come again."""
    pos.changes = {name: {at: when for at, when in row.items() if at <= upto} for name, row in pos.changes.items()}
    pos.changes = {name: row for name, row in pos.changes.items() if row}
    pos.last = upto


@pytest.mark.parametrize("looked", ["a low head was seen", "no low head was seen"])
async def test_a_restore_is_noticed_although_new_changes_brought_the_head_back(looked: str) -> None:
    """Within the thirty seconds, or while the worker was dead: another item lies at the position."""
    pos, reading = await a_read_shop()
    restore(pos, 10)
    if looked == "a low head was seen":
        await one_round_at_low_head(pos, reading)
    else:
        reading.poller = None
        for number in range(30):
            pos.change(f"other-{number}")
    published = len(reading.published())
    await until_regressed(reading)

    assert State.HEAD_REGRESSED == reading.position.state
    assert published == len(reading.published())
    assert "the item at sync marker 20 was 19, and now it is other-9" in reason(reading)


async def one_round_at_low_head(pos: ModelPos, reading: Reading) -> None:
    """The poller sees the low head once; then the shop goes on."""
    slept, seen = pos.sleep, list[int]()

    async def sleep(seconds: float) -> None:
        await slept(seconds)
        if seconds == Confirmation().pause and not seen:
            seen.append(pos.head())
            for number in range(30):
                pos.change(f"other-{number}")

    pos.sleep = sleep  # type: ignore[method-assign]
    assert pos.head() < reading.position.marker
    await one_round(reading)
    assert seen


async def test_an_item_that_changed_again_is_no_restore() -> None:
    """The item at the position has a higher marker now, far behind others; after a restart everything is read on."""
    pos, reading = await a_read_shop()
    for number in range(200):
        pos.change(f"new-{number}")
    pos.change("19")
    reading.poller = None
    for _ in range(10):
        if reading.position.marker < pos.head():
            await reading.poll()

    assert [] == states(reading)
    assert pos.truth() == {name: marker for name, marker, _ in reading.published()}


async def test_an_item_that_is_gone_is_a_restore() -> None:
    """Nothing lies at its marker, and it has no higher one."""
    pos, reading = await a_read_shop()
    del pos.changes["19"]
    for number in range(30):
        pos.change(f"new-{number}")
    reading.poller = None
    await until_regressed(reading)

    assert State.HEAD_REGRESSED == reading.position.state


async def test_the_same_item_with_other_content_is_a_restore() -> None:
    """The same thing happened to it after the restore, and not quite the same."""
    pos, reading = await a_read_shop()
    reading.poller = None
    shown = pos.page

    def otherwise(first: int, most: int) -> list:  # type: ignore[type-arg]
        return [Item(20, "19", deleted=False, value=b'{"m":-1}') if item.marker == 20 else item for item in shown(first, most)]

    pos.page = otherwise  # type: ignore[method-assign]
    pos.change("new")
    await until_regressed(reading)

    assert State.HEAD_REGRESSED == reading.position.state
    assert "holds something else" in reason(reading)


@pytest.mark.parametrize(("limit", "meaning"), [("records", "records"), ("window", "window"), ("capped", "fewer")])
async def test_check_tells_what_a_limit_means(limit: Limit, meaning: str) -> None:
    """A POS that gives fewer than it is asked for is no window, though its page is as thin."""
    pos = ModelPos(limit)
    for number in range(60):
        pos.change(f"{number}")
    for number in range(5, 20) if limit == "window" else range(10):
        pos.change(f"{number}")  # the first markers show nothing any more

    assert meaning == await probed(ModelReader(pos), pos.head())


def test_an_item_that_is_read_otherwise_is_no_other_item() -> None:
    """Another version, or another CONNECTOR_KEEP: the same item becomes another event, and the POS was not restored."""
    plain = replace(RELATION, page=replace(RELATION.page, omit=frozenset({"imageData"})))
    keeps = replace(RELATION, page=replace(RELATION.page, omit=frozenset()))
    anchor = highest_of(plain, [Item(5, "7", deleted=False, value=b'{"name":"x"}')], None)
    assert anchor is not None
    pictured = Item(5, "7", deleted=False, value=b'{"name":"x","imageData":"QUFB"}')

    assert contradiction(plain, anchor, [Item(5, "7", deleted=False, value=b'{"name":"y"}')])
    assert contradiction(keeps, anchor, [pictured]) == ""
    assert contradiction(keeps, anchor._replace(hash="0:" + anchor.hash.partition(":")[2][::-1]), [pictured]) == ""
    assert contradiction(keeps, anchor, [Item(5, "8", deleted=False, value=b"{}")])


async def test_one_odd_page_of_the_largest_limit_does_not_make_an_entity_stuck() -> None:
    """As many items on one marker as a page can hold: only an operator ends that, so it is looked at once more."""
    pos = ModelPos()
    reading = Reading(pos, WINDOW, LIMIT_MAX)
    for number in range(20):
        pos.change(f"{number}")
    shown, asked = pos.page, list[int]()

    def odd(first: int, most: int) -> list[Item | Undecodable]:
        asked.append(most)
        if asked.count(LIMIT_MAX) > 1:
            return shown(first, most)
        return [Item(0, f"{number}", deleted=False, value=b"{}") for number in range(most)]

    pos.page = odd  # type: ignore[method-assign]
    for _ in range(6):
        if reading.busy:
            await reading.poll()

    assert 1 < asked.count(LIMIT_MAX)
    assert [] == states(reading)
    assert pos.truth() == {name: marker for name, marker, _ in reading.published()}


async def test_a_head_is_unknown_since_the_look_that_failed_began() -> None:
    """Not since it was given up, half a minute later."""
    pos, reading = await a_read_shop()
    assert reading.poller is not None
    reading.poller._parts.heads.unknown_since = pos.now - 30
    pos.down_until = pos.now + 60
    await reading.poll()

    (told,) = [told for told in reading.told if isinstance(told, HeadUnknown)]
    assert reading.poller._parts.heads.unknown_since == told.since


async def test_a_head_of_before_the_outage_is_not_told_again() -> None:
    """A POS that does not tell its head any more is not shown as running without a backlog, between one failure and the next."""
    async with Sandbox(only("relation", 5)) as pos, polling.reading(pos, "relation") as read:
        await read.caught_up()
        await eventually(lambda: any(isinstance(told, HeadSeen) and told.position == told.head for told in read.told))
        pos.faults.switch("server_fault", probability=1, operations=["getCurrentSyncMarkersV2"])
        pos.shop.change("relation", 3)
        await eventually(lambda: any(isinstance(told, HeadUnknown) for told in read.told))
        since = len(read.told)
        await eventually(lambda: sum(isinstance(told, CallMade) for told in read.told[since:]) >= 3)

        assert not [told for told in read.told[since:] if isinstance(told, HeadSeen)]
        assert "unreachable" == read.states[-1]
        assert 1 == read.states.count("unreachable")
        pos.faults.switch("server_fault")
        await read.caught_up()


async def test_a_single_odd_head_costs_a_second_and_not_ten() -> None:
    """A replica that lags behind now and then shall not stand the entity still most of the time."""
    pos, reading = await a_read_shop()
    true_head, odd = pos.head, [19]
    pos.head = lambda: odd.pop() if odd else true_head()  # type: ignore[method-assign]
    pos.change("new")
    before = pos.now
    await reading.poll()

    assert ("new", 21, "poll") in reading.published()
    assert pos.now - before < Confirmation().pause
