"""A session: an owned partition with its fenced producer, and the work that is done on it.

The order is what makes it safe: prove membership, start the producer (which fences the one before and ends its
transaction), prove membership again, and only then read back and work.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from connector.backoff import backoff
from connector.cancellation import cancel_wins, end
from connector.clock import Clock
from connector.errors import TransactionLost
from connector.events.base import Listener
from connector.events.kafka import PartitionLost, PartitionOwned
from connector.kafka.cluster import Cluster
from connector.kafka.ownership import Membership
from connector.kafka.reading.slices import READERS
from connector.kafka.records import Place
from connector.kafka.writing.transactions import FencedProducer, Tuning, fenced_producer


@dataclass(frozen=True, slots=True)
class TaskContext:
    """What all partition tasks of a worker share. `turns`: of those that read back at the same time, a slice each."""

    cluster: Cluster
    tell: Listener
    clock: Clock
    tuning: Tuning
    watch_interval: float = 2.0
    turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(READERS))


OnReady = Callable[[], None]
TaskBody = Callable[[Place, FencedProducer, Membership, OnReady], Awaitable[None]]
"""Reads back, says that it has settled, and works until cancelled. Raises Fenced, TransactionLost or Fatal.

Anything else it raises ends this session only: kafka.ownership tells it, and begins another one.
"""


class TransactionalTasks:
    """Tasks of partitions; see kafka.ownership.PartitionTask. `name` makes a partition's transactional id."""

    def __init__(self, task_context: TaskContext, name: Callable[[Place], str], work: TaskBody) -> None:
        self._task_context = task_context
        self._name = name
        self._work = work

    async def __call__(self, place: Place, membership: Membership) -> None:
        """Work on a partition until cancelled, replacing the producer whenever a transaction is lost."""
        clock, failures = self._task_context.clock, 0
        while True:
            started = clock.monotonic()
            try:
                with cancel_wins():
                    await self._session(place, membership)
            except TransactionLost as error:
                failures = failures + 1 if clock.monotonic() - started < 60 else 1
                self._task_context.tell(PartitionLost(*place, str(error)))
            await clock.sleep(backoff(failures, clock.chance()))

    async def _session(self, place: Place, membership: Membership) -> None:
        task_context, started = self._task_context, self._task_context.clock.monotonic()
        await membership.prove(place)
        async with fenced_producer(task_context.cluster, self._name(place), place.partition, task_context.tuning) as producer:
            await membership.prove(place)
            settled = lambda: task_context.tell(PartitionOwned(*place, task_context.clock.monotonic() - started))  # noqa: E731
            await self._work(place, producer, membership, settled)


async def run_together(*coroutines: Coroutine[Any, Any, None]) -> None:
    """Run all until one ends; cancel the others; raise its error, and only that one."""
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    try:
        await asyncio.gather(*tasks)
    finally:
        await end(tasks)


async def wait_for(task: "asyncio.Task[None]") -> None:
    """Wait for a task that goes on when the wait is cancelled. Raises its error."""
    await asyncio.shield(task)
