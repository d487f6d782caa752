"""The heads of one administration: asked in one call per interval, for all shards that wait for them."""

import asyncio
import contextlib
from collections.abc import Sequence

from connector.backoff import MOST_S, backoff
from connector.clock import Clock
from connector.errors import Refused, Retry, UnknownOperation
from connector.mplus.client import PosClient
from connector.source.entities import ENTITIES, Entity
from connector.source.reading.reader import NEWER_AGAIN_S
from connector.source.schedule import Head

NEWER, OLDER = "getCurrentSyncMarkersV2", "getCurrentSyncMarkers"
LONGEST_WAIT_S = 300.0
"""Seconds that a POS may ask us to stay away, at most: it may have meant milliseconds."""

HEADS = frozenset(entity.head for entity in ENTITIES if entity.head)


class Heads:
    """The latest heads. A round is one call; whoever waits shares it, and its error.

    `unknown_since`: the monotonic time of the first look that failed since the last good one; None: the last one was good.
    """

    def __init__(self, client: PosClient, entities: Sequence[Entity], interval: float, clock: Clock) -> None:
        self.unknown_since: float | None = None
        self._client = client
        self._entities = [entity for entity in entities if entity.head]
        self._interval = interval
        self._clock = clock
        self._heads: dict[str, Head] = {}
        self._wanted: set[str] = set()
        self._round: asyncio.Task[None] | None = None
        self._calling = False
        self._hurried = asyncio.Event()
        self._next_at = 0.0
        self._failures = 0
        self._missing = False
        self._newer_at = 0.0

    async def newer(self, entity: Entity, after: float) -> Head:
        """The entity's head, asked for after this time. Raises Retry, AccessDenied, Refused."""
        while (head := self._heads.get(entity.name)) is None or head.asked_at <= after:
            await self._shared_round(entity)
            self._told(entity)
        return head

    async def at_once(self, entity: Entity) -> Head:
        """The entity's head as of now, in a round out of turn: an operator waits. Raises as `newer`."""
        if self._calling:  # that call was sent before now
            await self._shared_round(entity)
        if not self._calling:
            self._hurried.set()
        await self._shared_round(entity)
        return self._told(entity)

    def latest(self, entity: Entity) -> Head | None:
        """What is known; when a round is due, it begins in the background. Neither waits nor raises."""
        if self._clock.monotonic() >= self._next_at:
            self._begin()
        return self._heads.get(entity.name)

    def _told(self, entity: Entity) -> Head:
        if entity.name not in self._heads:
            raise Refused(f"the POS tells no sync marker of {entity.name}")
        return self._heads[entity.name]

    async def _shared_round(self, entity: Entity) -> None:
        self._wanted.add(entity.head)
        await asyncio.shield(self._begin())

    def _begin(self) -> "asyncio.Task[None]":
        if self._round is None or self._round.done():
            self._round = asyncio.create_task(self._ask_in_time())
            self._round.add_done_callback(_retrieve)
        return self._round

    async def _ask_in_time(self) -> None:
        await self._turn()
        self._calling = True
        asked_at = self._clock.monotonic()
        try:
            markers = await self._ask()
        except Exception as error:
            self._failed(error, asked_at)
            raise
        finally:
            self._calling = False
        self._failures, self.unknown_since, self._next_at = 0, None, asked_at + self._interval
        self._heads = {entity.name: Head(markers[entity.head], asked_at) for entity in self._entities if entity.head in markers}

    async def _turn(self) -> None:
        """Until the next interval, or until an operator asks."""
        if (wait := self._next_at - self._clock.monotonic()) > 0 and not self._hurried.is_set():
            timers = [asyncio.ensure_future(self._clock.sleep(wait)), asyncio.ensure_future(self._hurried.wait())]
            try:
                await asyncio.wait(timers, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for timer in timers:
                    timer.cancel()
        self._hurried.clear()

    def _failed(self, error: Exception, asked_at: float) -> None:
        """A POS that fails is asked no more often than one that is well, and after half a minute however long the interval is."""
        self._failures += 1
        asked = min(getattr(error, "after", None) or 0.0, LONGEST_WAIT_S)
        wait = max(min(self._interval, MOST_S), backoff(self._failures, self._clock.chance()), asked)
        self._next_at = self._clock.monotonic() + wait
        self.unknown_since = asked_at if self.unknown_since is None else self.unknown_since

    async def _ask(self) -> dict[str, int]:
        wanted, self._wanted = self._wanted, set()
        markers = await self._asked(wanted)
        if not HEADS & markers.keys():
            raise Retry("the POS's answer holds no sync markers at all")
        return markers

    async def _asked(self, wanted: set[str]) -> dict[str, int]:
        if self._clock.monotonic() >= self._newer_at:
            return await self._newest()
        try:
            markers = await self._client.numbers(OLDER)
        except Refused:
            return await self._newest()
        return await self._newest(markers) if wanted - markers.keys() else markers

    async def _newest(self, older: dict[str, int] | None = None) -> dict[str, int]:
        """Ask by the newer operation; while that is missing by the older one, whose answer may be here already.

        One that was missing is still missing, whatever it is refused with.
        """
        try:
            markers = await self._client.numbers(NEWER, [(_flag(row), True) for row in self._entities])
        except Refused as error:
            if not self._missing and not isinstance(error, UnknownOperation):
                raise
            self._missing = True
            markers = await self._client.numbers(OLDER) if older is None else older
            self._newer_at = self._clock.monotonic() + NEWER_AGAIN_S
        else:
            self._missing, self._newer_at = False, 0.0
        return markers

    async def close(self) -> None:
        """End the round under way."""
        if self._round is not None:
            self._round.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await self._round


def _flag(entity: Entity) -> str:
    return f"include{entity.head[0].upper()}{entity.head[1:]}"


def _retrieve(task: asyncio.Task[None]) -> None:
    """All who waited may have been cancelled: the error is theirs, not the event loop's."""
    if not task.cancelled():
        task.exception()
