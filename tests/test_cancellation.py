"""Tasks that end when they are cancelled, whatever goes wrong while they clean up."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError

from connector.cancellation import cancel_wins, cancelled, end
from connector.clock import Clock
from connector.errors import Reject, Retry, TransactionLost
from connector.kafka.cluster import Cluster
from connector.kafka.connection import all_of
from connector.kafka.errors import only_we_cancel
from connector.kafka.ownership import Membership, Ownership, PartitionTask
from connector.kafka.records import Place
from connector.kafka.tasks import run_together
from connector.mplus.faults import translated
from connector.source.restarts import polling

Attempt = Callable[[], Awaitable[None]]
Loop = Callable[[Attempt], Coroutine[Any, Any, None]]


LONG = 100
"""As good as for ever: the test fails, and does not hang."""


async def fails_at_its_end(error: Exception) -> None:
    """Works until it is cancelled, and then cannot clean up."""
    try:
        await asyncio.Event().wait()
    finally:
        raise error


async def again_and_again(attempt: Attempt) -> None:
    """A loop as the pollers' and the partitions'."""
    for _ in range(LONG):
        try:
            with cancel_wins():
                await attempt()
        except Exception:
            await asyncio.sleep(0)


async def kafka_again_and_again(attempt: Attempt) -> None:
    """The same around aiokafka."""
    for _ in range(LONG):
        try:
            with only_we_cancel():
                await attempt()
        except (Retry, KafkaConnectionError):
            await asyncio.sleep(0)


async def pos_again_and_again(attempt: Attempt) -> None:
    """The same around the POS."""
    for _ in range(LONG):
        try:
            with translated("getOrder", "s3cret"):
                await attempt()
        except Retry:
            await asyncio.sleep(0)


class Poller:
    """Of no entity; it cannot clean up."""

    async def run(self) -> None:
        """Poll until cancelled."""
        await fails_at_its_end(KeyError("x"))


async def cancel_once(work: Coroutine[Any, Any, Any]) -> bool:
    """Whether it ends as cancelled, when it is cancelled once at a moment when it waits."""
    task = asyncio.create_task(work)
    for _ in range(5):
        await asyncio.sleep(0)
    task.cancel()
    for _ in range(5):
        await asyncio.sleep(0)
    ended = task.cancelled()
    while not task.done():
        task.cancel()
        await asyncio.sleep(0)
    return ended


@pytest.mark.parametrize("loop", [again_and_again, kafka_again_and_again, pos_again_and_again])
@pytest.mark.parametrize("error", [KafkaConnectionError("gone"), KeyError("place"), OSError("closed")], ids=repr)
async def test_a_loop_ends_although_cleaning_up_fails(loop: Loop, error: Exception) -> None:
    """Whatever the error is."""
    assert await cancel_once(loop(lambda: fails_at_its_end(error)))


async def test_a_poller_ends_although_its_request_fails_at_its_end() -> None:
    """Not even what nobody foresaw keeps it."""

    class Told:
        def refused_for(self) -> float:
            return 0.0

        def broken(self, reason: str) -> float:
            return 0.0

    told: Any = Told()
    assert await cancel_once(polling(Poller, told, Clock()))


async def test_errors_of_who_was_not_cancelled_are_raised() -> None:
    """As they are; also behind a deadline of its own that passed before."""
    with pytest.raises(Reject, match="no"), cancel_wins():
        raise Reject("no")
    with pytest.raises(TimeoutError), cancel_wins():
        async with asyncio.timeout(0.001):
            await asyncio.Event().wait()
    assert not cancelled()


async def test_who_goes_on_after_a_cancellation_is_told_what_went_wrong() -> None:
    """A program that is stopped may send one more command: whether that was confirmed must not be lost."""
    told: list[Exception] = []

    async def refused() -> None:
        raise Reject("not confirmed")

    async def stubborn() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            try:
                with cancel_wins():
                    await refused()
            except Reject as error:
                told.append(error)

    task = asyncio.create_task(stubborn())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])

    assert ["not confirmed"] == [str(error) for error in told]


async def test_a_deadline_stays_a_deadline() -> None:
    """One that passes while the attempt cleans up is no cancellation of the task."""

    async def late() -> None:
        async with asyncio.timeout(0.001):
            with cancel_wins():
                await fails_at_its_end(OSError("closed"))

    with pytest.raises(TimeoutError):
        await late()
    assert not cancelled()


async def test_who_ends_tasks_waits_for_them_although_it_is_cancelled() -> None:
    """A new owner of the partition must not begin before."""
    let, ended = asyncio.Event(), []

    async def slow() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await let.wait()
            ended.append(True)

    tasks = [asyncio.create_task(slow()), asyncio.create_task(asyncio.sleep(0))]
    await asyncio.sleep(0)
    ending = asyncio.create_task(end(tasks))
    for _ in range(3):
        await asyncio.sleep(0)
        ending.cancel()
    assert not ending.done()
    let.set()
    with pytest.raises(asyncio.CancelledError):
        await ending
    assert [True] == ended


@pytest.mark.parametrize("together", [run_together, all_of])
async def test_a_cancellation_between_a_failure_and_the_end_of_the_others_counts(together: Callable[..., Any]) -> None:
    """The partition was revoked while its session ended for another reason: the session must not begin again."""
    let = asyncio.Event()

    async def lost() -> None:
        raise TransactionLost("the broker died")

    async def slow() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await let.wait()

    task = asyncio.create_task(together(slow(), lost()))
    for _ in range(5):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0)
    let.set()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_partition_that_is_revoked_while_the_worker_leaves_does_not_keep_it() -> None:
    """Both end its task at the same time. One of them failed then, in place of the cancellation: the worker joined again."""

    async def work(place: Place, membership: Membership) -> None:
        await asyncio.Event().wait()

    where = [TopicPartition("shop.work", 0)]
    ownership, consumer = _member(work)
    await ownership.on_partitions_assigned(where)
    await asyncio.sleep(0)
    await asyncio.gather(ownership.on_partitions_revoked(where), ownership._leave(consumer))

    assert consumer.stopped
    assert {} == ownership._tasks


async def test_a_worker_that_is_cancelled_twice_while_it_leaves_closes_its_consumer() -> None:
    """The second Ctrl-C: the group is told, and nothing stays open."""
    let = asyncio.Event()

    async def work(place: Place, membership: Membership) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await let.wait()

    ownership, consumer = _member(work)
    await ownership.on_partitions_assigned([TopicPartition("shop.work", 0)])
    await asyncio.sleep(0)
    leaving = asyncio.create_task(ownership._leave(consumer))
    await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.wait([leaving])
    let.set()

    assert consumer.stopped


async def test_a_partition_that_comes_and_goes_has_one_task_at_a_time() -> None:
    """Its first owner ends slowly: the second, revoked before it began, and the third wait for it."""
    let, at_work, most = asyncio.Event(), 0, 0

    async def work(place: Place, membership: Membership) -> None:
        nonlocal at_work, most
        at_work += 1
        most = max(most, at_work)
        try:
            await asyncio.Event().wait()
        finally:
            await let.wait()
            at_work -= 1

    where = [TopicPartition("shop.work", 0)]
    ownership, consumer = _member(work, session=0.04)
    for _ in range(3):
        await ownership.on_partitions_assigned(where)
        await asyncio.sleep(0.01)
        await ownership.on_partitions_revoked(where)
    await ownership.on_partitions_assigned(where)
    await asyncio.sleep(0.01)
    assert 1 == most
    let.set()
    await ownership._leave(consumer)

    assert 1 == most


async def test_nothing_begins_while_the_worker_leaves() -> None:
    """A rebalance may end behind it: nobody would ever end what it starts."""
    begun: list[Place] = []

    async def work(place: Place, membership: Membership) -> None:
        begun.append(place)

    ownership, consumer = _member(work)
    await ownership._leave(consumer)
    await ownership.on_partitions_assigned([TopicPartition("shop.work", 0)])
    await asyncio.sleep(0)

    assert [] == begun
    assert {} == ownership._tasks


def _member(work: PartitionTask, session: float = 2.0) -> tuple[Ownership, Any]:
    cluster = Cluster("localhost:1")
    ownership = Ownership(cluster, ["shop.work"], "shop.pollers", work, session_timeout=session, tell=lambda event: None)
    consumer: Any = _Paused()
    ownership._consumer = consumer
    return ownership, consumer


class _Paused:
    """A member whose broker is not asked: it starts nothing, and can be stopped."""

    stopped = False

    def __init__(self) -> None:
        self._client = self
        self._closed = False

    def pause(self, *where: TopicPartition) -> None:
        """Nothing is fetched."""

    async def stop(self) -> None:
        self.stopped = True

    async def close(self) -> None:
        """Nothing is open."""
