"""Who owns which work partition, on a real broker."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import TopicAuthorizationFailedError

from connector.errors import Blocked, Fatal, Fenced, NotSent
from connector.events.base import Event
from connector.events.kafka import PartitionFailed, PartitionLost, Rejoining
from connector.kafka.cluster import Cluster
from connector.kafka.ownership import Membership, Ownership, watch
from connector.kafka.records import Place
from tests.support.kafka.topics import create_topic
from tests.support.source.polling import eventually

SESSION = 2.0


class Tenures:
    """What is owned now, and everything that happened."""

    def __init__(self, ends: Callable[[int], Any] = lambda partition: None, lingers: float = 0.0) -> None:
        self.owned: set[int] = set()
        self.most: dict[int, int] = {}
        self.log: list[tuple[str, int]] = []
        self.membership: Membership | None = None
        self.told: list[Event] = []
        self._ends, self._lingers = ends, lingers

    async def __call__(self, place: Place, membership: Membership) -> None:
        """One tenure; raises what `ends` returns for it."""
        self.membership, partition = membership, place.partition
        self.owned.add(partition)
        self.most[partition] = self.most.get(partition, 0) + 1
        assert 1 == self.most[partition], "two tenures of one partition at a time"
        self.log.append(("began", partition))
        try:
            await membership.prove(place)
            if error := self._ends(partition):
                raise error
            await asyncio.Event().wait()
        finally:
            self.owned.discard(partition)
            await self._linger()
            self.most[partition] -= 1
            self.log.append(("ended", partition))

    async def _linger(self) -> None:
        if self._lingers:
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(self._lingers)


@asynccontextmanager
async def member(bootstrap: str, prefix: str, tenures: Tenures, partitions: int = 4) -> AsyncIterator[Ownership]:
    """A member of the group while inside; its error comes out."""
    with suppress(Exception):
        await create_topic(bootstrap, f"{prefix}.work", partitions)
    cluster: Cluster = Cluster(bootstrap)
    ownership = Ownership(
        cluster, [f"{prefix}.work"], f"{prefix}.pollers", tenures, session_timeout=SESSION, tell=tenures.told.append
    )
    task = asyncio.create_task(ownership.run())
    try:
        yield ownership
        if task.done():
            task.result()
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_a_lone_member_owns_everything_and_can_prove_it(bootstrap: str, prefix: str) -> None:
    """And ends its tenures when it leaves."""
    tenures = Tenures()
    async with member(bootstrap, prefix, tenures):
        await eventually(lambda: tenures.owned == {0, 1, 2, 3})
        assert tenures.membership is not None
        await tenures.membership.prove(Place(f"{prefix}.work", 2))

    assert set() == tenures.owned
    assert [] == [told for told in tenures.told if isinstance(told, Rejoining)]


async def test_what_is_not_assigned_cannot_be_proven(bootstrap: str, prefix: str) -> None:
    """Before joining, for another partition, and after leaving."""
    tenures = Tenures()
    async with member(bootstrap, prefix, tenures) as ownership:
        with pytest.raises(Fenced, match=r"work\[1\] is no longer assigned"):
            await ownership.prove(Place(f"{prefix}.work", 1))
        await eventually(lambda: len(tenures.owned) == 4)
        with pytest.raises(Fenced, match=r"work\[7\]"):
            await ownership.prove(Place(f"{prefix}.work", 7))
    with pytest.raises(Fenced):
        await ownership.prove(Place(f"{prefix}.work", 1))


async def test_nobody_proves_anything_to_an_empty_group(bootstrap: str, prefix: str) -> None:
    """The broker has thrown the only member out, and takes commits of anybody: this worker may no longer be the owner."""
    tenures = Tenures()
    async with member(bootstrap, prefix, tenures, 1) as ownership:
        await eventually(lambda: tenures.owned == {0}, 20)
        consumer = ownership._consumer
        assert consumer is not None
        await consumer._coordinator._maybe_leave_group()  # as after a session that ended while all were frozen
        with pytest.raises(Fenced, match="no member of the group"):
            await ownership.prove(Place(f"{prefix}.work", 0))


async def test_a_partition_that_moved_away_cannot_be_proven_by_its_old_owner(bootstrap: str, prefix: str) -> None:
    """Members share evenly, and each partition has one owner."""
    first, second = Tenures(), Tenures()
    async with member(bootstrap, prefix, first) as old:
        await eventually(lambda: len(first.owned) == 4)
        async with member(bootstrap, prefix, second):
            await eventually(lambda: len(first.owned) == 2 == len(second.owned))
            assert {0, 1, 2, 3} == first.owned | second.owned
            for partition in second.owned:
                with pytest.raises(Fenced):
                    await old.prove(Place(f"{prefix}.work", partition))
            for partition in first.owned:
                await old.prove(Place(f"{prefix}.work", partition))
        await eventually(lambda: first.owned == {0, 1, 2, 3})


async def test_a_fenced_tenure_leaves_the_group_and_joins_again(bootstrap: str, prefix: str) -> None:
    """Other tenures end too; nothing is answered on the same assignment."""
    failing = iter([Fenced("work partition 1 was taken over"), None])
    tenures = Tenures(lambda partition: next(failing, None) if partition == 1 else None)
    async with member(bootstrap, prefix, tenures):
        await eventually(lambda: tenures.log.count(("began", 1)) == 2 and len(tenures.owned) == 4)

        (why,) = [told.reason for told in tenures.told if isinstance(told, Rejoining)]
        assert "taken over" in why
        assert 2 == tenures.log.count(("began", 0))
        assert tenures.log.index(("ended", 0)) < len(tenures.log) - tenures.log[::-1].index(("began", 0)) - 1


async def test_a_fatal_tenure_ends_the_member(bootstrap: str, prefix: str) -> None:
    """With its message, and the other tenures are ended first."""
    tenures = Tenures(lambda partition: Fatal("stop it") if partition == 2 else None)
    await create_topic(bootstrap, f"{prefix}.work", 4)
    cluster: Cluster = Cluster(bootstrap)
    ownership = Ownership(cluster, [f"{prefix}.work"], prefix, tenures, session_timeout=SESSION, tell=tenures.told.append)
    with pytest.raises(Fatal, match="stop it"):
        async with asyncio.timeout(15):
            await ownership.run()

    assert set() == tenures.owned
    assert 4 == len([entry for entry in tenures.log if entry[0] == "ended"])


async def test_callbacks_return_quickly_although_tenures_end_slowly(bootstrap: str, prefix: str) -> None:
    """No heartbeat is sent until they return; and a partition that comes back is not worked on twice at a time."""
    tenures = Tenures(lingers=1.5)
    async with member(bootstrap, prefix, tenures) as ownership:
        await eventually(lambda: len(tenures.owned) == 4)
        where = [TopicPartition(f"{prefix}.work", partition) for partition in range(4)]
        started = time.monotonic()
        await ownership.on_partitions_revoked(where)
        await ownership.on_partitions_assigned(where)
        assert time.monotonic() - started < 1.0
        assert set() == tenures.owned
        await eventually(lambda: len(tenures.owned) == 4)
        assert 8 == len([entry for entry in tenures.log if entry[0] == "began"])
        assert [] == [told for told in tenures.told if isinstance(told, Rejoining)]
        assert [(partition, "revoked") for partition in range(4)] == released(tenures)


def released(tenures: Tenures) -> list[tuple[int, str]]:
    """What was told as lost, and why."""
    return sorted((told.partition, told.reason) for told in tenures.told if isinstance(told, PartitionLost))


@pytest.mark.parametrize("lingers", [0.0, 1.5], ids=["at once", "slowly"])
async def test_a_released_partition_is_told(bootstrap: str, prefix: str, lingers: float) -> None:
    """Once for each, when its work has ended, however long that takes: the board must not show two owners."""
    tenures = Tenures(lingers=lingers)
    async with member(bootstrap, prefix, tenures):
        await eventually(lambda: len(tenures.owned) == 4)

    await eventually(lambda: [(partition, "left the group") for partition in range(4)] == released(tenures))


async def test_the_watchdog_raises_what_proving_raises() -> None:
    """A frozen worker notices here that it lost its partition."""

    class Lost:
        proofs = 0

        async def prove(self, place: Place, offset: int | None = None) -> None:
            self.proofs += 1
            if self.proofs == 3:
                raise Fenced(f"{place}")

        async def committed(self, place: Place) -> int:
            return 0

    lost = Lost()
    with pytest.raises(Fenced):
        await watch(lost, Place("work", 5), 0.01)
    assert 3 == lost.proofs


@pytest.mark.parametrize(
    "error",
    [
        KeyError("identity"),
        OSError("[SSL: CERTIFICATE_UNKNOWN] https://pos:1/?ident=me&secret=s3cret"),
        NotSent("the POS is away"),
        TopicAuthorizationFailedError("shop.orders"),
        Blocked("topic shop.orders was made anew: resync it"),
        MemoryError(),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_what_goes_wrong_with_one_partition_costs_that_one(bootstrap: str, prefix: str, error: Exception) -> None:
    """It is told in one line without an address, waited out and tried again; the others, and the membership, notice nothing."""
    failing = iter([error, error, None])
    tenures = Tenures(lambda partition: next(failing, None) if partition == 1 else None)
    async with member(bootstrap, prefix, tenures):
        await eventually(lambda: tenures.log.count(("began", 1)) == 3 and tenures.owned == {0, 1, 2, 3})

    failed = [told for told in tenures.told if isinstance(told, PartitionFailed)]
    assert [(f"{prefix}.work", 1)] * 2 == [(told.topic, told.partition) for told in failed]
    for told in failed:
        assert told.reason.startswith(type(error).__name__)
        assert 0 < told.seconds <= 30
        assert "\n" not in told.reason
        assert "s3cret" not in told.reason
    assert [1, 3, 1, 1] == [tenures.log.count(("began", partition)) for partition in range(4)]
    assert [] == [told for told in tenures.told if isinstance(told, Rejoining)]


async def test_a_failing_listener_keeps_no_partition_from_its_owner(bootstrap: str, prefix: str) -> None:
    """Telling comes after doing: a full disk under the log must not leave partitions without work."""
    tenures = Tenures()

    def tell(event: Event) -> None:
        raise OSError("no space left on device")

    await create_topic(bootstrap, f"{prefix}.work", 2)
    cluster: Cluster = Cluster(bootstrap)
    ownership = Ownership(cluster, [f"{prefix}.work"], prefix, tenures, session_timeout=SESSION, tell=tell)
    task = asyncio.create_task(ownership.run())
    try:
        await eventually(lambda: tenures.owned == {0, 1})
    finally:
        task.cancel()
        await asyncio.wait([task])
