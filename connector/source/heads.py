"""The heads of one administration: asked in one call per interval, for all shards that wait for them."""

import asyncio
import contextlib
from collections.abc import Sequence

from connector.clock import Clock
from connector.errors import Refused, Retry
from connector.mplus.client import PosClient
from connector.source.entities import Entity
from connector.source.schedule import Head


class Heads:
    """The latest heads. A round is one call; whoever waits shares it, and its error."""

    def __init__(self, client: PosClient, entities: Sequence[Entity], interval: float, clock: Clock) -> None:
        self._client = client
        self._entities = [entity for entity in entities if entity.head]
        self._interval = interval
        self._clock = clock
        self._heads: dict[str, Head] = {}
        self._round: asyncio.Task[None] | None = None
        self._next_at = 0.0
        self._old_api = False

    async def newer(self, entity: Entity, after: float) -> Head:
        """The entity's head, asked for after this time. Raises Retry, AccessDenied, Refused."""
        while (head := self._heads.get(entity.name)) is None or head.asked_at <= after:
            await self._next_round()
            if entity.name not in self._heads:
                raise Refused(f"the POS tells no sync marker of {entity.name}")
        return head

    async def _next_round(self) -> None:
        if self._round is None or self._round.done():
            self._round = asyncio.create_task(self._ask_in_time())
            self._round.add_done_callback(_retrieve)
        await asyncio.shield(self._round)

    async def _ask_in_time(self) -> None:
        await self._clock.sleep(max(0.0, self._next_at - self._clock.monotonic()))
        asked_at = self._clock.monotonic()
        self._next_at = asked_at + self._interval
        markers = await self._ask()
        if self._entities and not any(entity.head in markers for entity in self._entities):
            raise Retry("the POS's answer holds no sync markers at all")
        self._heads = {entity.name: Head(markers[entity.head], asked_at) for entity in self._entities if entity.head in markers}

    async def _ask(self) -> dict[str, int]:
        if not self._old_api:
            try:
                return await self._client.numbers("getCurrentSyncMarkersV2", [(_flag(row), True) for row in self._entities])
            except Refused:
                self._old_api = True  # an old administration; if V1 is refused too, V2 is tried again next time
        try:
            return await self._client.numbers("getCurrentSyncMarkers")
        except Refused:
            self._old_api = False
            raise

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
