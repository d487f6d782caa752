"""All that happens to a shard in its life, in any order: nothing is lost, nothing comes twice, it never stops by itself."""

import asyncio
import os
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector.clock import Clock
from connector.errors import Reject, TransactionLost, Unanswered
from connector.kafka.records import Record
from connector.messages.control import ReceivedRequest
from connector.messages.gaps import Window
from connector.messages.position import Applied, Position, State
from connector.source.budget import MemoryBudget
from connector.source.bundles import Bundle, Publisher
from connector.source.control import changed
from connector.source.poller import Poller, PollerContext
from connector.source.position_writer import PositionWriter, Shard, WriterContext
from connector.source.reading.moving import Items
from connector.source.reading.portion import Portion
from connector.source.state import ShardState
from tests.support.pos.model_pos import HERE, RELATION, Crash, Limit, ModelHeads, ModelPos, ModelReader, Reading

WINDOW = Window(markers=40, seconds=60.0)
EXAMPLES = int(os.environ.get("LIFE_EXAMPLES", "60"))

steps = st.one_of(
    st.tuples(st.just("change"), st.integers(0, 9), st.sampled_from([0.0, 0.0, 0.0, 1.0, 5.0, 30.0, 55.0])),
    st.tuples(st.just("share"), st.integers(0, 9), st.integers(0, 9), st.sampled_from([0.0, 0.0, 5.0])),
    st.tuples(st.just("poll"), st.integers(1, 3)),
    st.tuples(st.just("wait"), st.sampled_from([1.0, 7.0, 40.0])),
    st.tuples(st.just("crash"), st.integers(0, 3)),
    st.tuples(st.just("down"), st.sampled_from([3.0, 50.0, 300.0])),
    st.tuples(st.just("resync"), st.integers(0, 40)),
    st.tuples(st.just("pause")),
    st.tuples(st.just("resume")),
    st.tuples(st.just("delete"), st.integers(0, 9)),
    st.tuples(st.just("lie"), st.integers(0, 30)),
    st.tuples(st.just("fail"), st.integers(1, 4)),
    st.tuples(st.just("slow"), st.integers(1, 2)),
    st.tuples(st.just("restore"), st.integers(1, 30)),
    st.tuples(st.just("portion"), st.sampled_from([1, 250, 600, 1 << 20])),
)


@dataclass
class LivelyPos(ModelPos):
    """Its head lies now and then, and its pages fail."""

    lies: list[int] = field(default_factory=list)
    fails: int = 0
    bad: frozenset[str] = frozenset()

    def head(self) -> int:
        """A lie once."""
        true = super().head()
        return min(self.lies.pop(), true) if self.lies else true

    def page(self, first: int, most: int) -> Items:  # type: ignore[override]
        """Fails so many times."""
        self.answers()
        if self.fails:
            self.fails -= 1
            raise Unanswered("HTTP 504")
        return super().page(first, most)


@dataclass
class Life(Reading):
    """With the real writer of positions."""

    portion: Portion = field(default_factory=Portion)
    slow: int = 0
    lost: int = 0
    records: list[Record] = field(default_factory=list)
    writer: PositionWriter | None = None

    def start(self) -> None:
        """A new owner reads the position back."""
        self.runner(HERE.decode(self.stored, self.pos.now))

    def runner(self, position: Position) -> None:
        """A poller from here on."""
        pos = self.pos
        clock = Clock(monotonic=lambda: pos.now, sleep=pos.sleep, chance=lambda: 0.0)
        shard_state = ShardState(("a", "relation"), State.RUNNING, self.told.append, clock)
        shard_state.state = position.state
        shard = Shard(
            "a", "relation", "a.relations", "a.sync-markers", "a.control", "a.results", cast(Any, None), None,
            lambda name: True, cast(Any, None), shard_state, self.portion,
        )  # fmt: skip
        self.writer = PositionWriter(shard, position, WriterContext(self.submit, HERE.encode, 0, "me", self.told.append, clock))
        publisher = Publisher("a", RELATION, "a.dead-letters", 1 << 20)
        heads: Any = ModelHeads(pos)
        parts = PollerContext(heads, MemoryBudget(1 << 20), publisher, self.writer.commit, clock, shard_state, window=self.window)
        parts = replace(parts, portion=self.portion)
        self.poller = Poller(parts, cast(Any, ModelReader(pos)), position, self.page_size)

    def submit(self, records: Any) -> "asyncio.Future[None]":
        """A transaction: all or nothing."""
        if self.crash_at == 0:
            raise Crash
        self.crash_at = None if self.crash_at is None else self.crash_at - 1
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self.slow:
            self.slow -= 1
            done.set_exception(TransactionLost("too slow", slow=True))
            done.exception()
            return done
        self.records += records
        self.stored = next(record.value for record in records if record.topic == "a.sync-markers")
        done.set_result(None)
        return done

    def ask(self, action: str, start: int | None = None) -> None:
        """An operator's request, in the poller's place."""
        if self.poller is None:
            self.start()
        assert self.writer is not None
        true = max(self.pos.last, 0)
        try:
            position = changed(self.writer.position, ReceivedRequest("id", action, "relation", start, Applied(0, 0), 0.0), true)
        except Reject:
            return
        self.crash_at = None
        self.writer.submit(position)
        self.runner(position)

    async def poll(self) -> None:
        """A lost transaction ends the owner."""
        try:
            await super().poll()
            await asyncio.sleep(0)
            if self.poller and self.poller._committing and self.poller._committing.exception():
                raise self.poller._committing.exception()  # type: ignore[misc]
        except TransactionLost:
            self.poller, self.lost = None, self.lost + 1

    @property
    def busy(self) -> bool:
        """Nothing is, while it is stopped."""
        now = self.poller._position if self.poller else self.position
        return not now.state.stopped and (now.marker < self.pos.last or bool(now.gaps))

    def events(self) -> list[tuple[str, int, str, str]]:
        """With their ids."""
        found = []
        for record in self.records:
            headers = {name: (value or b"").decode() for name, value in record.headers}
            if "ce_id" in headers:
                name, marker = (record.key or b"").decode(), int(headers["ce_syncmarker"])
                found.append((name, marker, headers["ce_origin"], headers["ce_id"]))
        return found

    def published(self) -> list[tuple[str, int, str]]:
        """From the records."""
        self.bundles = [Bundle(Position(), self.records)]
        return super().published()


@pytest.mark.parametrize("limit", ["records", "window", "capped"])
@given(
    script=st.lists(steps, max_size=50),
    page_size=st.sampled_from([1, 2, 5, 50]),
    markers=st.sampled_from([0, 40, 40]),
)
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_life_loses_nothing_and_publishes_nothing_twice(
    limit: Limit, script: list[tuple[Any, ...]], page_size: int, markers: int
) -> None:
    """But for what a resync publishes again, which says so."""
    pos = LivelyPos(limit)
    life = Life(pos, Window(markers, 60.0), page_size)
    asyncio.run(_live(life, script))

    seen: set[tuple[str, int]] = set()
    ids: set[str] = set()
    for name, marker, origin, event in life.events():
        assert origin == "resync" or event not in ids, (event, origin)
        ids.add(event)
        if event.endswith(f":e{life.position.epoch}") or not life.position.epoch:
            seen.add((name, marker))
    ends = {name: max(marker for each, marker in seen if each == name) for name in {name for name, _ in seen}}
    assert {name: ends.get(name) for name in pos.truth()} == pos.truth()
    assert life.position.resync is None
    letters = [record for record in life.records if record.topic == "a.dead-letters"]
    assert not letters


async def _live(life: Life, script: list[tuple[Any, ...]]) -> None:
    for step, *given_with in script:
        await _step(life, step, *given_with)
    pos = cast(LivelyPos, life.pos)
    life.slow = pos.fails = 0
    pos.lies.clear()
    life.crash_at = None
    assert life.position.state in (State.RUNNING, State.PAUSED), life.position.state
    life.ask("resume")
    for _ in range(4000):
        if pos.truth() == pos.shown() and not life.busy:
            return
        await (life.poll() if life.busy else pos.sleep(1.0))
    raise AssertionError(f"it does not come to an end: {life.position}")


async def _step(life: Life, step: str, *args: Any) -> None:
    pos = cast(LivelyPos, life.pos)
    delay = args[-1] if step in ("change", "share") and life.window.markers else 0.0
    if step == "change" and pos.last < WINDOW.markers:
        pos.change(f"{args[0]}", delay)
    elif step == "share" and pos.limit != "capped" and pos.last < WINDOW.markers and args[0] != args[1]:
        at = pos.change(f"{args[0]}", delay)
        pos.changes.setdefault(f"{args[1]}", {})[at] = pos.now + delay
    elif step == "poll":
        for _ in range(args[0]):
            if life.busy:
                await life.poll()
    elif step == "wait":
        await pos.sleep(args[0])
    elif step == "crash":
        life.crash_at = args[0]
    elif step == "down":
        pos.down_until = pos.now + args[0]
    elif step == "resync":
        now = life.writer.position if life.poller and life.writer else life.position
        if args[0] <= now.marker + 1:
            life.ask("resync", args[0])
    elif step in ("pause", "resume"):
        life.ask(step)
    elif step == "delete":
        _delete(life, f"{args[0]}")
    elif step == "restore":
        await _restore(life, args[0])
    elif step == "lie" and len(pos.lies) < 2:
        pos.lies.append(args[0])
    elif step == "fail":
        pos.fails = args[0]
    elif step == "slow" and life.lost < 2:
        life.slow = 1
    elif step == "portion":
        life.portion.bytes = args[0]


def _delete(life: Life, name: str) -> None:
    """Not the anchor: see docs/topics.md."""
    anchors = {life.position.anchor, life.poller._position.anchor if life.poller else None}
    if all(anchor is None or anchor.name != name for anchor in anchors):
        life.pos.changes.pop(name, None)


async def _restore(life: Life, upto: int) -> None:
    """A backup is put back, noticed while its head is low, and read anew in another epoch."""
    pos, now = cast(LivelyPos, life.pos), life.position
    read = now.highest if life.poller is None else max(now.highest, life.poller._position.highest)
    if upto >= read or now.state.stopped:
        return
    pos.changes = {name: {at: when for at, when in row.items() if at <= upto} for name, row in pos.changes.items()}
    pos.changes = {name: row for name, row in pos.changes.items() if row}
    pos.last, pos.fails, life.slow, life.crash_at = upto, 0, 0, None
    pos.lies.clear()
    for _ in range(60):
        if life.position.state is State.HEAD_REGRESSED:
            break
        task = asyncio.ensure_future(life.poll())
        for _ in range(400):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
    assert life.position.state is State.HEAD_REGRESSED
    life.ask("resync")
    assert life.position.epoch == now.epoch + 1
