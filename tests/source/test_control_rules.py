"""What becomes of a request, and how a resync moves the position. Pure, but for a runner without a broker at the end."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from typing import Any

import orjson
import pytest

from connector.clock import Clock
from connector.errors import Reject
from connector.events.base import Event
from connector.events.source import ControlAnswered
from connector.kafka.records import Record
from connector.messages.control import ReceivedRequest, read
from connector.messages.gaps import Gap, Gaps
from connector.messages.position import NEVER_READ, Anchor, Applied, Deployment, Position, Resync, State, TopicFacts
from connector.source.control import CHANGES, EXPIRES_S, answers, changed, problem
from connector.source.position_writer import Shard, WriterContext
from connector.source.reading.portion import Portion
from connector.source.schedule import Head, fell_below
from connector.source.shard import ShardRunner
from connector.source.state import ShardState

WHERE = Applied(0, 7)
RUNNING = Position(100)
HERE = Deployment("g", 2)


def request(action: str, start: object = None, *, id: str = "r", age: float = 0.0, entity: str = "order") -> ReceivedRequest:
    """A request as it was read."""
    return ReceivedRequest(id, action, entity, start, WHERE, age, [["17", 5]] if action == "repair" else None)


def statuses(asked: ReceivedRequest, before: Position, after: Position) -> list[tuple[str, str]]:
    """Whose answers, and which."""
    return [(answer.id, answer.status) for answer in answers(asked, before, after)]


@pytest.mark.parametrize("action", CHANGES)
def test_a_request_that_nobody_saw_for_long_is_rejected(action: str) -> None:
    """Rather than surprise people."""
    assert "" == problem(request(action, age=EXPIRES_S), "order", listed=False)
    assert "expired" in problem(request(action, age=EXPIRES_S + 1), "order", listed=False)


def test_a_request_is_read_whatever_it_holds() -> None:
    """One with an id can be answered; the rest is nobody's."""
    assert request("pause") == read(b'{"id":"r","action":"pause","entity":"order"}', WHERE, 0.0)
    found = read(b'{"id":"r"}', WHERE, 0.0)
    assert found is not None
    assert problem(found, "order", listed=False)
    assert [None] * 4 == [read(value, WHERE, 0.0) for value in (None, b"x", b'"r"', b'{"id":1}')]


def test_pause_and_resume_change_the_state_alone() -> None:
    """Twice is as good as once; what stopped by itself cannot be paused."""
    paused = changed(RUNNING, request("pause"), None)
    assert replace(RUNNING, state=State.PAUSED, control=WHERE) == paused == changed(paused, request("pause"), None)
    assert replace(RUNNING, control=WHERE) == changed(paused, request("resume"), None)
    assert State.RUNNING == changed(replace(RUNNING, state=State.STUCK), request("resume"), None).state
    for state, action in ((State.TOPIC_LOST, "pause"), (State.HEAD_REGRESSED, "pause"), (State.STUCK, "pause")):
        with pytest.raises(Reject):
            changed(replace(RUNNING, state=state), request(action), None)


def test_a_head_that_has_come_back_lets_an_operator_resume_without_a_new_epoch() -> None:
    """Their word that nothing was restored; while the head is still low only a resync helps."""
    regressed = replace(RUNNING, state=State.HEAD_REGRESSED, anchor=Anchor(100, "7", "h"))
    assert replace(RUNNING, control=WHERE) == changed(regressed, request("resume"), 100)
    for head in (99, None):
        with pytest.raises(Reject, match="resync it"):
            changed(regressed, request("resume"), head)


def test_resume_takes_a_lost_topic_as_it_is() -> None:
    """A mirror has other offsets: an operator who knows that all is there says so."""
    lost = replace(RUNNING, state=State.TOPIC_LOST, topic=TopicFacts(4, 100))
    assert replace(RUNNING, control=WHERE) == changed(lost, request("resume"), None)


def test_a_resync_out_of_a_lost_topic_begins_a_new_acquaintance() -> None:
    """What the topic had before does not count any more."""
    lost = replace(RUNNING, state=State.TOPIC_LOST, topic=TopicFacts(4, 100))
    found = changed(lost, request("resync", 0), 120)
    assert (State.RUNNING, None, -1, 0) == (found.state, found.topic, found.marker, found.epoch)


def test_a_resync_keeps_the_gaps_below_it() -> None:
    """Above them everything is read again; after a restore they are those of another POS."""
    gapped = replace(RUNNING, gaps=Gaps((Gap(5, 9, 1.0), Gap(40, 60, 1.0))))
    assert (Gap(5, 9, 1.0), Gap(40, 49, 1.0)) == changed(gapped, request("resync", 50), 120).gaps.rows
    assert not changed(replace(gapped, state=State.HEAD_REGRESSED), request("resync"), 20).gaps


def test_a_resync_goes_back_and_ends_where_it_was() -> None:
    """Accepted now, done there; from 0 is from the beginning."""
    after = changed(RUNNING, request("resync", 41), 120)
    assert (40, Resync("r", 100), State.RUNNING, 0) == (after.marker, after.resync, after.state, after.epoch)
    assert [("r", "accepted")] == statuses(request("resync", 41), RUNNING, after)
    assert NEVER_READ == changed(RUNNING, request("resync", 0), 120).marker


def test_a_resync_to_where_it_stands_or_beyond_is_done_at_once() -> None:
    """Up to just after the head; beyond there is nothing to skip."""
    for start in (101, 110, 121):
        after = changed(RUNNING, request("resync", start), 120)
        assert (start - 1, None) == (after.marker, after.resync)
        assert [("r", "accepted"), ("r", "done")] == statuses(request("resync", start), RUNNING, after)
    with pytest.raises(Reject, match="beyond the POS's head, 120"):
        changed(RUNNING, request("resync", 122), 120)


def test_a_restored_pos_gets_another_epoch() -> None:
    """Up to its head it counts as read again; 0 is the default."""
    before = replace(RUNNING, state=State.HEAD_REGRESSED)
    after = changed(before, request("resync"), 60)
    assert (NEVER_READ, 1, State.RUNNING, Resync("r", 60)) == (after.marker, after.epoch, after.state, after.resync)
    assert 1 == changed(before, request("resync", 5), 160).epoch


@pytest.mark.parametrize("state", [State.RUNNING, State.PAUSED, State.STUCK])
def test_one_low_head_makes_no_epoch(state: State) -> None:
    """A POS that has just started tells 0: a resync in that moment would publish all again under ids that nobody knows."""
    with pytest.raises(Reject, match="within a minute it is known"):
        changed(replace(RUNNING, state=state), request("resync", 0), 0)


def test_a_restore_during_a_resync_is_noticed() -> None:
    """The position is below the new head, but what was read before is not."""
    position = changed(RUNNING, request("resync", 0), 100)
    assert fell_below(position.highest, 1.0, Head(50, 2.0))
    assert not fell_below(position.highest, 1.0, Head(100, 2.0))
    assert 1 == changed(replace(position, state=State.HEAD_REGRESSED), request("resync", 0), 50).epoch


def test_a_resync_takes_the_place_of_another() -> None:
    """The first one failed; what was published before is still published again up to the old bound."""
    first = changed(RUNNING, request("resync", 10, id="first"), 120)
    second = request("resync", 50, id="second")
    after = changed(first, second, 120)
    assert (49, Resync("second", 100)) == (after.marker, after.resync)
    assert [("first", "failed"), ("second", "accepted")] == statuses(second, first, after)
    paused = changed(first, request("pause"), None)
    assert [("r", "accepted"), ("r", "done")] == statuses(request("pause"), first, paused)
    assert first.resync == paused.resync


def test_a_paused_entity_stays_paused_when_it_is_resynced() -> None:
    """The answer says what it waits for."""
    paused = replace(RUNNING, state=State.PAUSED)
    asked = request("resync", 0)
    after = changed(paused, asked, 100)
    assert State.PAUSED == after.state
    assert ["it is paused: it reads when it is resumed"] == [answer.reason for answer in answers(asked, paused, after)]


def test_a_page_ends_where_the_resync_does() -> None:
    """So it is of one origin; after that the position moves freely."""
    position = changed(RUNNING, request("resync", 0), 100)
    assert 70 == position.at(70).marker
    end = position.at(130)
    assert (100, Resync("r", 100)) == (end.marker, end.resync)
    assert (130, None) == (end.at(130).marker, end.at(130).resync)


def test_a_list_forgets_contents_and_keeps_names() -> None:
    """What vanished meanwhile is still seen to be gone."""
    before = Position(9, hashes={"a": "1", "b": "2"})
    after = changed(before, request("resync"), None)
    assert ({"a": "", "b": ""}, 9, Resync("r", None)) == (after.hashes, after.marker, after.resync)


def test_the_position_record_keeps_all_of_it_and_reads_older_ones() -> None:
    """A record of the version before has neither request nor resync."""
    for position in (
        RUNNING,
        Position(3, control=WHERE),
        Position(3, resync=Resync("r", 9)),
        Position(3, resync=Resync("r", None)),
        Position(3, gaps=Gaps((Gap(1, 2, 30.0),)), anchor=Anchor(3, "x", "h"), topic=TopicFacts(4, 9), letters=("h",)),
    ):
        assert position == HERE.decode(HERE.encode(position))
    old = {
        name: orjson.loads(HERE.encode(RUNNING))[name]
        for name in ("syncMarker", "group", "partitions", "state", "epoch", "hashes")
    }
    assert RUNNING == HERE.decode(orjson.dumps(old))


class Idle:
    """A poller that reads nothing."""

    async def run(self) -> None:
        """For ever."""
        await asyncio.Event().wait()


async def test_a_seat_hears_what_it_has_not_applied() -> None:
    """Not what lies before; unless the topic was made anew: then offsets begin again."""
    written: list[Record] = []
    told: list[Event] = []

    def submit(records: list[Record]) -> "asyncio.Future[None]":
        written.extend(records)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done

    repair: Any = None
    shard_state = ShardState(("a", "order"), State.RUNNING, told.append, Clock())
    shard = Shard(
        "a", "order", "t", "p", "c", "r", lambda *_: Idle(), None, lambda name: name == "order", repair, shard_state, Portion()
    )
    context = WriterContext(submit, HERE.encode, 0, "me", told.append, Clock())  # type: ignore[arg-type]
    runner = ShardRunner(shard, Position(5, control=WHERE), context, TopicFacts(1, 5))
    running = asyncio.create_task(runner.run())
    for offset in (6, 7, 8):
        runner.hear(ReceivedRequest(f"r{offset}", "pause", "order", None, Applied(0, offset), 0.0))
    runner.hear(ReceivedRequest("foreign", "pause", "receipt", None, Applied(0, 9), 0.0))
    await asyncio.sleep(0.05)
    assert [("r8", "accepted"), ("r8", "done")] == [(each.id, each.status) for each in told if isinstance(each, ControlAnswered)]
    assert ["r", "r", "p"] == [record.topic for record in written]
    assert (9, State.PAUSED) == (runner.hears_from, HERE.decode(written[-1].value).state)
    runner.settle(9)
    assert 9 == runner.hears_from
    runner.settle(3)
    assert 0 == runner.hears_from
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
