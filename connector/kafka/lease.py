"""How long what this worker writes is still its own, counted from its own side.

Kafka gives a worker's partitions away when it has not heard of it for a session's time. A worker that is frozen for longer
does not know that when it wakes, and would write table entries over those of its successor. So every request with records
asks here right before it leaves: the time since the last heartbeat that was answered was *sent* tells for certain, whatever
happened in between, that nobody else has the partitions yet.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.protocol.produce import ProduceRequest

PAUSE_S = 0.05
"""Seconds between two looks at a lease that must be renewed."""

CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Goes on while the machine sleeps, where there is such a clock."""


class Overtaken(KafkaError):  # type: ignore[misc]
    """Another worker may have the partitions by now. Nothing is tried again."""


def seconds() -> float:
    """The time that leases are counted in."""
    return time.clock_gettime(CLOCK)


class Lease:
    """`session`, `rebalance`: seconds after which Kafka gives up a worker that is silent, or does not take part in a rebalance.

    `generation`: the group's in which the partitions are this worker's; None once they are lost. Told by the consumer's thread,
    asked by the worker's: each value is written whole.
    """

    def __init__(self, session: float, rebalance: float, now: Callable[[], float] = seconds) -> None:
        self.lost = True
        self.generation: int | None = None
        self._session = session
        self._rebalance = rebalance
        self._now = now
        self._steady = self._heard = 0.0
        self._refused = False

    def joined(self, asked: float, generation: int) -> None:
        """The group took the worker in; it asked for that then."""
        self._steady = self._heard = asked
        self.generation = generation
        self.lost = False

    def heard(self, sent: float, *, steady: bool) -> None:
        """A heartbeat that was sent then was answered; not `steady`: a rebalance is under way, which does not wait for ever."""
        self._heard = sent
        if steady:
            self._steady = sent

    def lose(self) -> None:
        """The group no longer knows the worker: whoever joined last has the partitions."""
        self.lost = True
        self.generation = None

    @property
    def valid(self) -> bool:
        """Whether the partitions are this worker's, for certain."""
        return not self.lost and self._now() < min(self._heard + self._session, self._steady + self._rebalance)

    async def settled(self) -> None:
        """Return once it is known whether the partitions are this worker's."""
        while not (self.valid or self.lost):  # noqa: ASYNC110  another thread tells
            await asyncio.sleep(PAUSE_S)

    async def needed(self) -> None:
        """Return while what is written now is this worker's own, also after waiting for a heartbeat.

        Raises Overtaken, and from then on always: what was held back must not be written when the group is joined again.
        """
        deadline = self._now() + self._session
        while self._refused or not self.valid:
            self._refused = self._refused or self.lost or self._now() > deadline
            if self._refused:
                raise Overtaken("the partitions may be another worker's by now")
            await asyncio.sleep(PAUSE_S)


def watch(coordinator: Any, lease: Lease) -> None:
    """Keep a lease by what an aiokafka consumer's membership in its group does, before it is subscribed."""
    beat, leave, reset = coordinator._do_heartbeat, coordinator._maybe_leave_group, coordinator.reset_generation
    join, taken_in = coordinator._do_rejoin_group, coordinator._on_join_complete
    asked = 0.0

    async def beating() -> bool:
        sent = seconds()
        answered: bool = await beat()
        if answered:
            lease.heard(sent, steady=not coordinator._rejoin_needed_fut.done())
        return answered

    async def joining(subscription: Any) -> Any:
        nonlocal asked
        asked = seconds()
        return await join(subscription)

    async def joined(generation: int, *told: Any) -> Any:
        lease.joined(asked, generation)
        return await taken_in(generation, *told)

    async def leaving() -> Any:
        lease.lose()
        return await leave()

    def resetting() -> None:
        lease.lose()
        reset()

    coordinator._do_heartbeat, coordinator._maybe_leave_group, coordinator.reset_generation = beating, leaving, resetting
    coordinator._do_rejoin_group, coordinator._on_join_complete = joining, joined


def guard(producer: AIOKafkaProducer, lease: Lease) -> None:
    """Let records leave only while the lease is valid: nothing comes between the look and the connection."""
    client: Any = producer.client
    send = client.send

    async def sending(node: Any, request: Any, **more: Any) -> Any:
        if isinstance(request, ProduceRequest):
            await client.ready(node, **more)  # else it would be done after the look
            await lease.needed()
        return await send(node, request, **more)

    client.send = sending
