"""The poller of a slow list, which has no sync markers: published when its content changed.

The connector counts the changes; that count is the list's sync marker, kept with the content hashes in the position.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from connector.errors import Reject, Retry
from connector.events import DeadLettered, HeadSeen, PageCommitted, ShardStarted, ShardStopped, StateChanged
from connector.mplus.pages import Item, Undecodable
from connector.source.bundles import Bundle
from connector.source.poller import Parts
from connector.source.positions import NEVER_READ, Position
from connector.source.reader import Reader
from connector.source.schedule import REFUSED_AGAIN, State, backoff

UNREADABLE = "?"
"""Starts the key of an item that cannot be decoded, so that its dead letter is written once, not at every look."""


def changes(position: Position, items: Sequence[Item | Undecodable]) -> tuple[Position, list[Item | Undecodable]]:
    """What changed since the position, each change with its own number, and the position after it. Pure.

    What cannot be decoded has not vanished: then nothing counts as deleted.
    """
    hashes = {_key(item): _hash(item) for item in items}
    gone = [] if any(isinstance(item, Undecodable) for item in items) else [key for key in position.hashes if key not in hashes]
    changed: list[Item | Undecodable] = [item for item in items if position.hashes.get(_key(item)) != hashes[_key(item)]]
    changed += [Item(marker=0, identity=key, deleted=True, value=b"{}") for key in gone if not key.startswith(UNREADABLE)]
    first = max(position.marker, 0) + 1
    numbered = [item._replace(marker=first + count) for count, item in enumerate(changed)]
    kept = {key: value for key, value in position.hashes.items() if key not in gone}
    return replace(position, marker=max(position.marker, 0) + len(numbered), hashes=kept | hashes), numbered


def _key(item: Item | Undecodable) -> str:
    return UNREADABLE + _hash(item) if isinstance(item, Undecodable) else item.identity


def _hash(item: Item | Undecodable) -> str:
    content = item.raw if isinstance(item, Undecodable) else item.value
    return hashlib.blake2b(content, digest_size=12).hexdigest()


class ListPoller:
    """Looks at a slow list at an interval."""

    def __init__(self, parts: Parts, reader: Reader, position: Position, interval: float) -> None:
        self._parts = parts
        self._reader = reader
        self._position = position
        self._interval = interval
        self._where = (parts.publisher.administration, parts.publisher.entity.name)
        self._failures = 0
        self._state = position.state

    async def run(self) -> None:
        """Look until cancelled."""
        self._parts.tell(ShardStarted(*self._where, self._position.marker, self._state))
        try:
            while True:
                await self._parts.clock.sleep(await self._outlast())
        finally:
            self._parts.tell(ShardStopped(*self._where))

    async def poll_once(self) -> None:
        """Read the list, and commit what changed."""
        started = self._parts.clock.monotonic()
        page = await self._reader.page(0, 0)
        position, changed = changes(self._position, page)
        if changed or self._position.marker == NEVER_READ:
            bundle = self._parts.publisher.bundle(changed, position, self._parts.clock.stamp())
            await self._parts.commit(bundle)
            self._position = position
            self._report(bundle, self._parts.clock.monotonic() - started)
        self._parts.tell(HeadSeen(*self._where, position.marker, position.marker, None))

    def _report(self, bundle: Bundle, seconds: float) -> None:
        for letter in bundle.letters:
            self._parts.tell(DeadLettered(*self._where, letter.stage, letter.marker, letter.reason))
        self._parts.tell(PageCommitted(*self._where, bundle.position.marker, bundle.items, len(bundle.letters), seconds, None))

    async def _outlast(self) -> float:
        """Look once; return the seconds until the next look."""
        try:
            await self.poll_once()
        except Retry as error:
            self._failures += 1
            self._change(State.UNREACHABLE, str(error))
            return max(error.after or 0.0, backoff(self._failures, self._parts.clock.chance()))
        except Reject as error:
            self._change(State.UNAVAILABLE, str(error))
            return max(REFUSED_AGAIN, self._interval)
        self._failures = 0
        self._change(State.RUNNING, "")
        return self._interval

    def _change(self, state: State, reason: str) -> None:
        if state is not self._state:
            self._state = state
            self._parts.tell(StateChanged(*self._where, state, reason))
