"""What is known of the POS's head, and whether it is believed: one low head proves no restore, and a good one disproves none."""

from dataclasses import dataclass

from connector.clock import Clock
from connector.errors import NotSent, Reject, Retry
from connector.messages.position import Position, State
from connector.source.doubt import Confirmation, Doubt, contradiction
from connector.source.entities import Entity
from connector.source.heads import Heads
from connector.source.reading.scan import Scan
from connector.source.reading.silence import Pages
from connector.source.schedule import Head, Lag, fell_below
from connector.source.state import ShardState

LOOKUPS = 3
"""Times that the item at the position is looked for where the POS cannot show that place."""

AGAIN_S = 1.0
"""Until what is doubted is looked at once more: a single odd answer shall not cost ten seconds."""

LOOKED_UP = 50
"""Items that the look for the item at the position asks for: it is among the first."""


@dataclass(frozen=True, slots=True)
class Restored:
    """The POS was restored from a backup: confirmed, for this reason."""

    reason: str


@dataclass(frozen=True, slots=True)
class WatchParts:
    """What a watch works with; `page_size` is the limit of a long search."""

    entity: Entity
    reader: Pages
    heads: Heads
    shard_state: ShardState
    clock: Clock
    lag: Lag
    confirmation: Confirmation
    page_size: int


class HeadWatch:
    """The head of one shard. `committed` is the marker up to which everything is in Kafka."""

    def __init__(self, parts: WatchParts, committed: int) -> None:
        self.committed = committed
        self.head: Head | None = None
        self.confirmed = committed
        """The highest marker that two looks agree on: one head alone proves nothing, however high."""
        self._parts = parts
        self._doubt: Doubt | None = None
        self._proven = False
        self._lookups = 0
        self._away_at = float("-inf")

    def outage(self) -> None:
        """The POS was away: it may have been restored meanwhile, and a head of before tells nothing any more."""
        self.head, self._proven, self._away_at = None, False, self._parts.clock.monotonic()

    async def believed(self, position: Position, since: float) -> Head | Restored:
        """The head, once nothing contradicts the position, which was reached at time `since`. Raises Retry, Reject."""
        head = self.head or await self.look(position, since)
        while wrong := await self._contradiction(position, since, head):
            at = head.asked_at  # not now: a POS that is silent since then was seen no more often
            self._doubt = Doubt(at, at) if self._doubt is None else self._doubt.again(at)
            if self._doubt.confirmed(self._parts.confirmation):
                return Restored(wrong)
            self._parts.shard_state.head_unknown()
            self._parts.shard_state.change(State.HEAD_DOUBTED, f"{wrong}: looked at again before it is believed")
            await self._parts.clock.sleep(self._pause())
            head = await self._at_once(position)
        self._well(position, head)
        return head

    def _pause(self) -> float:
        """Until the next look: short after the first one, which alone proves nothing."""
        pause = self._parts.confirmation.pause
        return min(AGAIN_S, pause) if self._doubt is None or self._doubt.looks == 1 else pause

    async def look(self, position: Position, after: float) -> Head:
        """Wait for a head asked after this time. Raises Retry, Reject."""
        try:
            head = await self._parts.heads.newer(self._parts.entity, max(after, self._away_at))
        except (Retry, Reject):
            self.outage()
            self._parts.shard_state.head_unknown(self._parts.heads.unknown_since)
            raise
        return self._saw(position, head)

    def refresh(self, position: Position) -> None:
        """During a long catch-up: the newest head that is known; never waits."""
        latest = self._parts.heads.latest(self._parts.entity)
        known_at = self._away_at if self.head is None else self.head.asked_at
        if latest is not None and latest.asked_at > known_at:
            self._saw(position, latest)

    async def _at_once(self, position: Position) -> Head:
        return self._saw(position, await self._parts.heads.at_once(self._parts.entity))

    def _saw(self, position: Position, head: Head) -> Head:
        if self.head is not None and head.asked_at > self.head.asked_at:
            self.confirmed = max(self.confirmed, min(head.marker, self.head.marker))
        self.head = head
        self._parts.lag.saw(head.marker, head.asked_at)
        if self._parts.shard_state.state.stopped or (head.marker >= position.highest and self._doubt is None):
            self._parts.shard_state.head(head.marker, self.committed, self._parts.lag.since(self.committed))
        return head

    def _well(self, position: Position, head: Head) -> None:
        if self._doubt is not None:
            self._doubt = None
            self._saw(position, head)
            self._parts.shard_state.recovered()
        elif head.marker <= position.marker:  # else the page tells whether the entity can be read
            self._parts.shard_state.recovered()

    async def _contradiction(self, position: Position, since: float, head: Head) -> str:
        """What speaks against going on from this position; empty when nothing does."""
        state = self._parts.shard_state.state
        if state is State.HEAD_REGRESSED:
            return ""
        if fell_below(position.highest, since, head):
            self._proven = False
            return f"the head fell to {head.marker}: was the POS restored from a backup?"
        if self._proven or state.stopped or head.marker < position.highest:
            return ""
        try:
            wrong = await self._looked_up(position, head)
        except NotSent:
            raise
        except (Retry, Reject):
            self._lookups += 1
            if self._lookups < LOOKUPS:
                raise
            wrong = ""  # the head is not below the position, and what the POS cannot show must not stop the entity
        self._proven, self._lookups = not wrong, 0
        return wrong

    async def _looked_up(self, position: Position, head: Head) -> str:
        """The item at the position, or where it is now. A long search is one through all that is not read yet."""
        anchor, parts = position.anchor, self._parts
        if anchor is None:
            return ""
        at, limit = anchor.marker - 1, min(LOOKED_UP, parts.page_size)
        while at < head.marker:
            scan = Scan(parts.reader, parts.entity, limit, at)
            told = contradiction(parts.entity, anchor, await scan.page(head.marker))
            if told is not None:
                return told and f"{told}: was the POS restored from a backup?"
            at, limit = scan.marker, parts.page_size
        return f"{anchor.name}, which was at sync marker {anchor.marker}, is gone: was the POS restored from a backup?"
