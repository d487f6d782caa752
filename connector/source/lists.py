"""The poller of a slow list, which has no sync markers: published when its content changed.

The connector counts the changes; that count is the list's sync marker, kept with the content hashes in the position.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from connector.errors import Reject, Retry
from connector.events import HeadSeen, PageRead
from connector.mplus.pages import Item, Undecodable
from connector.source.bundles import origin
from connector.source.poller import Parts
from connector.source.positions import NEVER_READ, Position
from connector.source.reader import Reader
from connector.source.standing import Standing

UNREADABLE = "?"
"""Starts the key of an item that cannot be decoded, so that its dead letter is written once, not at every look."""


def changes(position: Position, items: Sequence[Item | Undecodable]) -> tuple[Position, list[Item | Undecodable]]:
    """What changed since the position, each change with its own number, and the position after it. Pure.

    What cannot be decoded has not vanished: then nothing counts as deleted.
    """
    hashes = {_key(item): content_hash(item) for item in items}
    gone = [] if any(isinstance(item, Undecodable) for item in items) else [key for key in position.hashes if key not in hashes]
    changed: list[Item | Undecodable] = [item for item in items if position.hashes.get(_key(item)) != hashes[_key(item)]]
    changed += [Item(marker=0, identity=key, deleted=True, value=b"{}") for key in gone if not key.startswith(UNREADABLE)]
    first = max(position.marker, 0) + 1
    numbered = [item._replace(marker=first + count) for count, item in enumerate(changed)]
    kept = {key: value for key, value in position.hashes.items() if key not in gone}
    return replace(position, marker=max(position.marker, 0) + len(numbered), hashes=kept | hashes), numbered


def _key(item: Item | Undecodable) -> str:
    return UNREADABLE + content_hash(item) if isinstance(item, Undecodable) else item.identity


def content_hash(item: Item | Undecodable) -> str:
    """What a list's content is remembered and compared by."""
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
        self._standing = Standing(self._where, position.state, parts.tell, parts.clock)

    async def run(self) -> None:
        """Look until cancelled."""
        with self._standing.shown(self._position.marker):
            while True:
                wait = self._interval
                try:
                    await self.poll_once()
                except (Retry, Reject) as error:
                    wait = self._standing.failed(error)
                await self._parts.clock.sleep(wait)

    async def poll_once(self) -> None:
        """Read the list, and commit what changed; nothing while it is stopped."""
        if self._standing.state.stopped:
            return
        started = self._parts.clock.monotonic()
        page = await self._reader.page(0, 0)
        self._parts.tell(PageRead(*self._where, 0, len(page), self._parts.clock.monotonic() - started))
        position, changed = changes(self._position, page)
        if changed or self._position.marker == NEVER_READ or self._position.resync:
            bundle = self._parts.publisher.bundle(changed, position, self._parts.clock.stamp(), origin(position))
            await self._parts.commit(bundle)
            self._position = replace(position, resync=None)
            self._standing.committed(bundle, self._parts.clock.monotonic() - started, None)
        self._standing.recovered()
        self._parts.tell(HeadSeen(*self._where, position.marker, position.marker, None))
