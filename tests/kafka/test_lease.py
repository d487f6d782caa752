"""How long a worker may write: never longer than nobody else has its partitions."""

import asyncio

import pytest

from connector.kafka.lease import Lease, Overtaken

SESSION, REBALANCE = 10.0, 60.0


class Hands:
    """A clock that is set by hand."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Hands:
    """At 100 s."""
    return Hands()


@pytest.fixture
def lease(clock: Hands) -> Lease:
    """Of a worker that has just joined."""
    lease = Lease(SESSION, REBALANCE, clock)
    lease.joined(clock.now, 1)
    return lease


@pytest.mark.parametrize(("after", "valid"), [(0.0, True), (9.9, True), (10.0, False), (3600.0, False)])
def test_a_worker_that_hears_nothing_may_write_for_a_session(lease: Lease, clock: Hands, after: float, valid: bool) -> None:
    """Frozen or cut off: it is the same."""
    clock.now += after

    assert valid is lease.valid


def test_a_heartbeat_counts_from_when_it_was_sent(lease: Lease, clock: Hands) -> None:
    """The answer may have lain in the socket while the worker was frozen."""
    clock.now = 130.0
    lease.heard(115.0, steady=True)
    assert not lease.valid

    lease.heard(129.0, steady=True)
    assert lease.valid


def test_a_rebalance_does_not_wait_for_ever(lease: Lease, clock: Hands) -> None:
    """Kafka goes on without a worker that does not come, though it is heard of."""
    for now in range(100, 170, 3):
        clock.now = float(now)
        lease.heard(clock.now, steady=False)

        assert lease.valid is (now < 100 + REBALANCE)


async def test_nobody_may_write_before_he_joined_or_after_he_was_forgotten(lease: Lease, clock: Hands) -> None:
    """At once, without waiting."""
    before = Lease(SESSION, REBALANCE, clock)
    lease.lose()
    for each in (before, lease):
        with pytest.raises(Overtaken):
            await each.needed()


async def test_what_was_refused_once_is_refused_for_ever(lease: Lease, clock: Hands) -> None:
    """Else the records that were held back would be written under the next lease."""
    lease.lose()
    with pytest.raises(Overtaken):
        await lease.needed()
    lease.joined(clock.now, 1)

    with pytest.raises(Overtaken):
        await lease.needed()


async def test_a_lease_that_must_be_renewed_is_waited_for(lease: Lease, clock: Hands) -> None:
    """A broker that was away for longer than the session."""
    clock.now += 11
    waiting = asyncio.create_task(lease.needed())
    await asyncio.sleep(0)
    assert not waiting.done()

    lease.heard(clock.now, steady=True)
    await waiting


async def test_a_renewal_is_not_waited_for_for_ever(lease: Lease, clock: Hands) -> None:
    """The worker ends, and another one does the work."""
    clock.now += 11
    waiting = asyncio.create_task(lease.needed())
    await asyncio.sleep(0)
    clock.now += 11

    with pytest.raises(Overtaken):
        await waiting


def test_what_was_read_belongs_to_a_generation(lease: Lease, clock: Hands) -> None:
    """Once the partitions are lost nothing that was read before is this worker's, also not when it has them again."""
    assert 1 == lease.generation

    lease.lose()
    assert lease.generation is None

    lease.joined(clock.now, 3)
    assert 3 == lease.generation
