"""The poller of a slow list, which has no sync markers: published when its content changed.

The connector counts the changes; that count is the list's sync marker, kept with the content hashes in the position.
"""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import orjson

from connector.cancellation import cancel_wins
from connector.errors import Reject, Retry
from connector.messages.position import NEVER_READ, Position, State
from connector.mplus.client import Page
from connector.mplus.responses.pages import Item, Undecodable
from connector.source.budget import Reservation
from connector.source.bundles import origin
from connector.source.poller import PollerContext
from connector.source.reading.reader import Reader

UNREADABLE = "?"
"""Starts the key of an item that cannot be decoded, so that its dead letter is written once, not at every look."""

CONFIRMED_AFTER_S = 5.0
"""Between two looks that both miss rows, before that many are believed to be deleted."""

HASHES_BYTES_MAX = 900_000
"""Bytes of a list's hashes in the position record: a broker takes a record of 1 MB, and that is no short list any more."""

HIDDEN_MAX = 1000
"""Rows that an item without a readable identity may hide; beyond, those that were hidden longest count as deleted."""


class Look(NamedTuple):
    """What a look at a list found: the rows that changed, numbered, and the position after them. `gone` of `known` vanished."""

    position: Position
    changed: Sequence[Item | Undecodable]
    gone: frozenset[str]
    known: int

    @property
    def doubtful(self) -> bool:
        """Whether so much vanished that the answer may be wrong: all, or more than half."""
        return len(self.gone) * 2 > self.known


def changes(position: Position, items: Sequence[Item | Undecodable]) -> Look:
    """What changed since the position, each change with its own number, and the position after it. Pure.

    An item that stands twice counts once. What cannot be decoded has not vanished; where its identity cannot be read either,
    it may be any of those that seem to. Raises Reject for a list that a position record cannot hold.
    """
    rows = {_key(item): item for item in items}
    hashes = {key: content_hash(item) for key, item in rows.items()}
    known = {key: value for key, value in position.hashes.items() if not key.startswith(UNREADABLE)}
    hidden = _hidden(known, rows)
    gone = [key for key in known if key not in hashes and key not in hidden]
    changed = [item for key, item in rows.items() if position.hashes.get(key) != hashes[key]]
    changed += [Item(marker=0, identity=key, deleted=True, value=b"{}") for key in gone]
    first = max(position.marker, 0) + 1
    numbered = [item._replace(marker=first + count) for count, item in enumerate(changed)]
    moved = replace(position, marker=first - 1 + len(numbered), hashes=fitting({key: known[key] for key in hidden} | hashes))
    return Look(moved, numbered, frozenset(gone), len(known))


def _hidden(known: Mapping[str, str], rows: Mapping[str, Item | Undecodable]) -> Sequence[str]:
    """The known rows that are there, or may be, and cannot be decoded. Those missed longest stand first in a position."""
    unreadable = {item.identity for item in rows.values() if isinstance(item, Undecodable)}
    if None not in unreadable:
        return [key for key in known if key in unreadable and key not in rows]
    return [key for key in known if key not in rows][-HIDDEN_MAX:]


def fitting(hashes: Mapping[str, str]) -> Mapping[str, str]:
    """The hashes, if a position record can hold them. Raises Reject."""
    if len(orjson.dumps(hashes)) > HASHES_BYTES_MAX:
        raise Reject(
            f"the list has {len(hashes)} rows, more than a position record can hold (about 25000): "
            "leave the entity out of CONNECTOR_ENTITIES"
        )
    return hashes


def _key(item: Item | Undecodable) -> str:
    return UNREADABLE + content_hash(item) if isinstance(item, Undecodable) else item.identity


def content_hash(item: Item | Undecodable) -> str:
    """What a list's content is remembered and compared by."""
    content = item.raw if isinstance(item, Undecodable) else item.value
    return hashlib.blake2b(content, digest_size=12).hexdigest()


class Missed(NamedTuple):
    """Rows that one look missed, and when that was."""

    rows: frozenset[str]
    at: float


class ListPoller:
    """Looks at a slow list at an interval."""

    def __init__(self, parts: PollerContext, reader: Reader, position: Position, interval: float) -> None:
        self._parts = parts
        self._reader = reader
        self._position = position
        self._interval = interval
        self._missed: Missed | None = None
        self._administration = parts.publisher.administration
        self._shard_state = parts.shard_state

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            try:
                with cancel_wins():
                    wait = await self.poll_once()
            except (Retry, Reject) as error:
                wait = self._shard_state.failed(error)
                self._shard_state.head_unknown()
            await self._parts.clock.sleep(wait)

    async def poll_once(self) -> float:
        """Read the list, and commit what changed; nothing while it is stopped. Seconds until the next look."""
        if self._shard_state.state.stopped:
            return self._interval
        started = self._parts.clock.monotonic()
        async with self._parts.budget.reserve(self._administration) as room:
            look = changes(self._position, await self._read(room))
            if not self._believed(look):
                return self._doubt(look)
            await self._publish(look, started)
        self._shard_state.recovered()
        self._shard_state.head(self._position.marker, self._position.marker, None)
        return self._interval

    async def _read(self, room: Reservation) -> Page:
        started = self._parts.clock.monotonic()
        page = await self._reader.page(0, 0, room.grow)
        self._shard_state.read(0, len(page), self._parts.clock.monotonic() - started)
        return page

    def _believed(self, look: Look) -> bool:
        """A POS that starts, or is repaired, may show an empty list: what vanished must be missed twice."""
        now, missed = self._parts.clock.monotonic(), self._missed
        if not look.doubtful:
            self._missed = None
        elif missed is None or not look.gone <= missed.rows:
            self._missed = Missed(look.gone, now)
        else:
            return now - missed.at >= CONFIRMED_AFTER_S
        return self._missed is None

    def _doubt(self, look: Look) -> float:
        self._shard_state.change(State.HEAD_DOUBTED, f"{len(look.gone)} of {look.known} rows vanished: looking again")
        self._shard_state.head_unknown()
        return min(self._interval, CONFIRMED_AFTER_S)

    async def _publish(self, look: Look, started: float) -> None:
        position = look.position
        if not look.changed and position == self._position and position.marker != NEVER_READ and not position.resync:
            return
        bundle = self._parts.publisher.bundle(look.changed, position, self._parts.clock.stamp(), origin(position))
        await asyncio.shield(self._parts.commit(bundle))
        self._position, self._missed = replace(position, resync=None), None
        self._shard_state.committed(bundle, self._parts.clock.monotonic() - started, None)
