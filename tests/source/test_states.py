"""The poller between a sandbox and a list: heads that fall, operations that are refused, a POS that fails; and the way back."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import pytest

from connector.clock import Clock
from connector.errors import Refused
from connector.events.base import Event
from connector.events.source import HeadSeen, StateChanged
from connector.messages.position import Position, State
from connector.sandbox import Sandbox, SandboxOptions
from connector.source.reading import silence
from connector.source.schedule import REFUSED_AGAIN_S
from connector.source.state import ShardState
from tests.support.source.polling import eventually, only, reading, truth


@dataclass
class Patience:
    """Sleeps at most a moment, and remembers for how long it should have been."""

    asked: list[float] = field(default_factory=list)

    async def sleep(self, seconds: float) -> None:
        """Short."""
        self.asked.append(seconds)
        await asyncio.sleep(min(seconds, 0.1))


async def test_a_head_that_falls_back_stops_the_entity_until_somebody_looks() -> None:
    """Nothing more is published, although the POS's markers rise past the position again; the state is in the position record."""
    async with Sandbox(only("relation", 30)) as pos:
        async with reading(pos, "relation") as read:
            await read.caught_up()
            pos.shop.fall_back("relation", 10)
            await eventually(lambda: "head-regressed" in read.states)
            published, head = len(read.records), pos.shop.heads()["relation"]
            pos.shop.change("relation", 30)
            await eventually(lambda: [told for told in read.told if isinstance(told, HeadSeen)][-1].head >= head + 30)

            assert published == len(read.records)
            assert State.HEAD_REGRESSED == read.position.state
            assert 1 == read.states.count("head-regressed")
            (why,) = [told.reason for told in read.told if isinstance(told, StateChanged) if told.state == "head-regressed"]
            assert f"the head fell to {head}" in why
        async with reading(pos, "relation", position=read.position) as again:
            await eventually(lambda: len([told for told in again.told if isinstance(told, HeadSeen)]) > 3)
            assert [] == again.bundles
            assert 0 == len([body for body in list(pos.requests.bodies)[-3:] if "getRelations" in body])


async def test_a_restore_is_noticed_while_the_entity_is_paused() -> None:
    """Else its markers, once they have risen past the position again, would be taken for the next ones when it is resumed."""
    async with Sandbox(only("relation", 30)) as pos:
        paused = Position(pos.shop.heads()["relation"], State.PAUSED)
        async with reading(pos, "relation", position=paused) as read:
            await eventually(lambda: len([told for told in read.told if isinstance(told, HeadSeen)]) > 1)
            assert [] == read.bundles
            pos.shop.fall_back("relation", 10)
            await eventually(lambda: "head-regressed" in read.states)

            assert State.HEAD_REGRESSED == read.position.state


async def test_a_head_known_before_a_page_cannot_contradict_what_the_page_showed() -> None:
    """Changes that come between the look at the heads and the page lead beyond that head; that is no restored POS."""
    async with Sandbox(only("relation", 5, activity=100)) as pos:
        handled = pos._endpoint._early
        changing = True

        async def changes_first(*arguments: object) -> object:
            if getattr(arguments[1], "operation", "") == "getRelations" and changing:
                pos.shop.change("relation", 3)
            return await handled(*arguments)  # type: ignore[arg-type]

        pos._endpoint._early = changes_first  # type: ignore[assignment]
        async with reading(pos, "relation", limit=100) as read:
            await eventually(lambda: len(read.bundles) > 5)
            changing, pos.activity.rate = False, 0
            await read.caught_up()

            assert {"running"} >= set(read.states)
            assert dict(truth(pos, "relation")) == dict(read.seen())


async def test_an_operation_that_is_not_licensed_stops_its_entity_alone_and_comes_back() -> None:
    """Tried again after a minute: a licence may have been bought."""
    patience = Patience()
    async with Sandbox(SandboxOptions(items=8)) as pos:
        pos.faults.missing_operations = frozenset({"getActivities"})
        async with reading(pos, "activity", clock=Clock(sleep=patience.sleep)) as refused, reading(pos, "employee") as other:
            await eventually(lambda: "unavailable" in refused.states)
            await other.caught_up()
            assert [] == refused.bundles
            (why,) = {told.reason for told in refused.told if isinstance(told, StateChanged) if told.state == "unavailable"}
            assert "getActivities is not known to this POS" in why
            await eventually(lambda: REFUSED_AGAIN_S in patience.asked)
            assert REFUSED_AGAIN_S >= max(patience.asked)

            pos.faults.missing_operations = frozenset()
            await refused.caught_up()
            assert dict(truth(pos, "activity")) == dict(refused.seen())
            await eventually(lambda: refused.states[-1] == "running")
            assert [] == other.states


def test_two_refusals_are_tried_again_soon_and_further_ones_after_a_minute() -> None:
    """A POS may call its own slip ("End of file or no input") a fault of the client: that shall not cost a minute."""
    told: list[Event] = []
    shard_state = ShardState(("a", "order"), State.RUNNING, told.append, Clock())

    assert [2.0, 2.0, REFUSED_AGAIN_S, REFUSED_AGAIN_S] == [shard_state.failed(Refused("no")) for _ in range(4)]
    shard_state.recovered()
    assert 2.0 == shard_state.failed(Refused("no"))


@pytest.mark.parametrize("entity", ["purchaseOrder", "purchaseDelivery"])
async def test_an_old_administration_is_read_with_the_first_versions(entity: str) -> None:
    """Heads and purchases fall back to V1, which is then asked first."""
    operation = f"get{entity[0].upper()}{entity[1:]}s" if entity == "purchaseOrder" else "getPurchaseDeliveries"
    async with Sandbox(only(entity, 30)) as pos:
        pos.faults.missing_operations = frozenset({"getCurrentSyncMarkersV2", f"{operation}V2"})
        async with reading(pos, entity, limit=5) as read:
            await read.caught_up()

            assert dict(truth(pos, entity)) == dict(read.seen())
        assert pos.requests.counts[operation] > 5
        assert 1 == pos.requests.counts[f"{operation}V2"]
        assert 1 == pos.requests.counts["getCurrentSyncMarkersV2"]


async def test_an_administration_that_is_updated_gets_its_second_versions() -> None:
    """When V1 disappears, V2 is tried again."""
    async with Sandbox(only("purchaseOrder", 10)) as pos:
        pos.faults.missing_operations = frozenset({"getCurrentSyncMarkersV2", "getPurchaseOrdersV2"})
        async with reading(pos, "purchaseOrder", clock=Clock(sleep=Patience().sleep)) as read:
            await read.caught_up()
            pos.faults.missing_operations = frozenset({"getCurrentSyncMarkers", "getPurchaseOrders"})
            pos.shop.change("purchaseOrder", 5)
            await read.caught_up()

            assert dict(truth(pos, "purchaseOrder")) == dict(read.seen())


async def test_a_wrong_secret_makes_an_entity_unavailable_not_stopped() -> None:
    """The reason says what to check; a corrected secret on the POS's side is enough to go on."""
    async with Sandbox(only("relation", 5)) as pos:
        right = pos._endpoint._expected
        pos._endpoint._expected = ("sandbox", "another")
        async with reading(pos, "relation", clock=Clock(sleep=Patience().sleep)) as read:
            await eventually(lambda: "unavailable" in read.states)
            (why,) = {told.reason for told in read.told if isinstance(told, StateChanged)}
            assert "MPLUS_SECRET" in why

            pos._endpoint._expected = right
            await read.caught_up()
            await eventually(lambda: read.states[-1] == "running")


@pytest.mark.parametrize("kind", ["server_fault", "drop_before", "unavailable", "garbage", "truncate_framed"])
async def test_a_pos_that_fails_is_waited_out(kind: str) -> None:
    """The entity is unreachable meanwhile, and reads on afterwards without losing or doubling anything."""
    async with Sandbox(only("relation", 30)) as pos, reading(pos, "relation", clock=Clock(sleep=Patience().sleep)) as read:
        await read.caught_up()
        pos.faults.switch(kind, probability=1, seconds=0)
        pos.shop.change("relation", 10)
        await eventually(lambda: "unreachable" in read.states)
        pos.faults.clear()
        await read.caught_up()
        await eventually(lambda: read.states[-1] == "running")

        assert len(set(read.seen())) == len(read.seen())
        assert dict(truth(pos, "relation")) == dict(read.seen())


async def test_an_entity_that_reads_again_says_so_while_it_catches_up() -> None:
    """A long backlog is read without a look at the heads: the state must not stay `unreachable` for that long."""
    async with Sandbox(only("relation", 100)) as pos:
        pos.faults.switch("server_fault", count=4, operations=["getRelations"])
        async with reading(pos, "relation", limit=2, clock=Clock(sleep=Patience().sleep)) as read:
            await eventually(lambda: len(read.bundles) >= 3)

            assert ["unreachable", "running"] == read.states
            assert read.position.marker < pos.shop.heads()["relation"]


async def test_waiting_grows_with_failures_and_starts_anew_after_a_success() -> None:
    """A POS that is down for hours is asked every half minute at most; one that failed once is not punished for the past."""
    patience = Patience()
    clock = Clock(sleep=patience.sleep, chance=lambda: 0.0)
    async with Sandbox(only("relation", 60)) as pos:
        pos.faults.switch("server_fault", count=2 * 3, operations=["getRelations"])
        async with reading(pos, "relation", limit=2, clock=clock) as read:
            await eventually(lambda: len(read.bundles) >= 2)
            pos.faults.switch("server_fault", count=2, operations=["getRelations"])
            await read.caught_up()

    waits = [seconds for seconds in patience.asked if seconds in (0.25, 0.5, 1.0, 2.0)]
    assert [0.25, 0.5, 1.0, 0.25] == waits


async def test_how_long_the_pos_asked_to_wait_is_obeyed() -> None:
    """Also when the client's own attempts are used up."""
    patience = Patience()
    async with Sandbox(only("relation", 5)) as pos:
        pos.faults.switch("unavailable", count=4, operations=["getRelations"], seconds=1)
        async with reading(pos, "relation", clock=Clock(sleep=patience.sleep)) as read:
            await read.caught_up()

    assert 1.0 in patience.asked


@pytest.mark.parametrize("state", [State.PAUSED, State.HEAD_REGRESSED, State.STUCK])
async def test_a_stopped_entity_stays_stopped_over_a_restart_and_shows_its_head(state: State) -> None:
    """Its backlog grows for all to see; failures of the POS do not hide why it stands."""
    async with Sandbox(only("relation", 20)) as pos, reading(pos, "relation", position=Position(3, state)) as read:
        await eventually(lambda: any(isinstance(told, HeadSeen) for told in read.told))
        pos.faults.switch("server_fault", probability=1)
        failed = pos.requests.counts["getCurrentSyncMarkersV2"]
        await eventually(lambda: pos.requests.counts["getCurrentSyncMarkersV2"] >= failed + 5)

        assert [] == read.bundles
        assert [state] == read.states  # told once, so that the state has a reason after a restart, too
        assert 0 == pos.requests.counts["getRelations"]


async def test_a_pos_that_tells_no_marker_of_an_entity_leaves_it_unavailable() -> None:
    """Instead of guessing a head."""
    from tests.support.pos.scripted import scripted, xml

    name = "GetCurrentSyncMarkersV2Response"
    heads = f'<n:{name} xmlns:n="urn:mplusqapi"><n:orderSyncMarker>7</n:orderSyncMarker></n:{name}>'
    nothing: Callable[..., Awaitable[object]] = xml(heads)
    async with Sandbox(only("relation", 3)) as pos, scripted(nothing) as other:  # type: ignore[arg-type]
        pos.url = other.url
        async with reading(pos, "relation", clock=Clock(sleep=Patience().sleep)) as read:
            await eventually(lambda: "unavailable" in read.states)

            assert [] == read.bundles


async def test_a_look_for_late_items_that_hangs_is_told_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a page is asked for: an entity whose POS shows none is not shown as running for the ten minutes of a call."""
    monkeypatch.setattr(silence, "SILENT_S", 0.2)
    async with Sandbox(only("relation", 5)) as pos, reading(pos, "relation") as read:
        await read.caught_up()
        assert read.position.gaps
        pos.faults.switch("delay_seconds", probability=1, seconds=3, operations=["getRelations"])
        await eventually(lambda: "unreachable" in read.states, 2.5)
        pos.faults.switch("delay_seconds")
        pos.shop.change("relation", 3)
        await read.caught_up()
        await eventually(lambda: "running" == read.states[-1])
