"""The source's side: an entity read again, and looked at again where something seems wrong."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from connector.audit.journal import Journal, PageLine
from connector.audit.versions import NONE, Target, Versions
from connector.clock import Clock
from connector.errors import Reject
from connector.mplus.pages import Item, Undecodable
from connector.source.entities import Entity
from connector.source.heads import Heads
from connector.source.lists import content_hash
from connector.source.positions import NEVER_READ, Position
from connector.source.reader import Reader
from connector.source.scan import Scan

Tell = Callable[[int, int], None]
"""Hears how far it is, and how far it goes."""

ENDLESS = (1 << 63) - 1


class Suspect(NamedTuple):
    """An item that seems wrong: what the topic shall have, and what it has."""

    target: Target
    topic: int


@dataclass(frozen=True, slots=True)
class SourceParts:
    """How an entity is read. `limit` is that of a page."""

    reader: Reader
    entity: Entity
    heads: Heads
    clock: Clock
    limit: int


class Source(Protocol):
    """An entity at the source; what it shows goes into `versions`."""

    nameless: int
    """Items of which nobody can read whose they are."""

    @property
    def scanned(self) -> int:
        """The marker up to which everything was seen; no version is higher where there are no markers."""

    async def read(self, tell: Tell) -> None:
        """Read on, up to what there is now. Raises Retry, Reject."""

    async def still(self, suspects: Mapping[bytes, Suspect]) -> set[bytes]:
        """Those whose target is what the source has now; for the others `versions` is corrected. Raises Retry, Reject."""

    def was_read(self, position: Position, name: bytes, version: int) -> bool:
        """Whether the connector, at this position, has read this version."""


class MarkedSource:
    """An entity with sync markers."""

    def __init__(self, parts: SourceParts, versions: Versions, journal: Journal) -> None:
        self.nameless = 0
        self._parts = parts
        self._versions = versions
        self._journal = journal
        self._scan = self._from(NEVER_READ)
        self._head = 0

    @property
    def scanned(self) -> int:
        return self._scan.marker

    def resume(self) -> None:
        """Go on behind what the journal holds."""
        for upto, items, nameless in self._journal.pages():
            for name, marker, deleted in items:
                self._versions.show(name.encode(), marker, deleted=deleted)
            self.nameless += nameless
            self._scan = self._from(upto)

    async def read(self, tell: Tell) -> None:
        head = await self._newer_head()  # as of now: a busy POS is never read to its end, and what comes later is no suspect
        while self._scan.marker < head:
            tell(self._scan.marker, head)
            self._keep(await self._scan.page(head))

    async def still(self, suspects: Mapping[bytes, Suspect]) -> set[bytes]:
        markers = {name: each.topic if each.target.version == NONE else each.target.version for name, each in suspects.items()}
        shown = await self._shown_at(sorted({max(0, marker) for marker in markers.values()}))
        found = set()
        for name, (target, _) in suspects.items():
            there = shown.get(name, Target(NONE))
            if there.version == target.version:
                found.add(name)
                continue
            if self._versions.source(name) == target.version:
                self._versions.hide(name)
            if there.version != NONE:
                self._versions.show(name, there.version, deleted=there.deleted)
        return found

    def was_read(self, position: Position, name: bytes, version: int) -> bool:
        return version <= position.marker

    async def _newer_head(self) -> int:
        head = (await self._parts.heads.newer(self._parts.entity, self._parts.clock.monotonic())).marker
        if head < self._head:
            raise Reject(f"the POS's head fell from {self._head} to {head}: was it restored from a backup?")
        self._head = head
        return head

    async def _shown_at(self, markers: list[int]) -> dict[bytes, Target]:
        """What lies at these markers, and near them."""
        shown: dict[bytes, Target] = {}
        while markers:
            scan = self._from(markers[0] - 1)
            items, _ = self._named(await scan.page(max(self._head, markers[0])))
            shown |= {name.encode(): Target(marker, deleted) for name, marker, deleted in sorted(items, key=lambda row: row[1])}
            markers = [marker for marker in markers if marker > scan.marker]
        return shown

    def _keep(self, page: Iterable[Item | Undecodable]) -> None:
        items, nameless = self._named(page)
        for name, marker, deleted in items:
            self._versions.show(name.encode(), marker, deleted=deleted)
        self.nameless += nameless
        self._journal.add(PageLine(self._scan.marker, items, nameless))

    def _named(self, page: Iterable[Item | Undecodable]) -> tuple[list[tuple[str, int, bool]], int]:
        named, nameless = [], 0
        for item in page:
            if item.identity is None or item.marker is None:
                nameless += 1
            else:
                name = self._parts.entity.name_of(item.identity, item.marker)
                named.append((name, item.marker, isinstance(item, Item) and item.deleted))
        return named, nameless

    def _from(self, marker: int) -> Scan:
        return Scan(self._parts.reader, self._parts.entity, self._parts.limit, marker)


class ListSource:
    """A slow list: its versions are hashes of what stands in it."""

    scanned = ENDLESS

    def __init__(self, parts: SourceParts, versions: Versions) -> None:
        self.nameless = 0
        self._reader = parts.reader
        self._versions = versions
        self._hashes: dict[bytes, str] = {}

    async def read(self, tell: Tell) -> None:
        page = await self._reader.page(0, 0)
        items = {item.identity.encode(): item for item in page if isinstance(item, Item)}
        self.nameless = sum(isinstance(item, Undecodable) for item in page)
        for name in self._hashes.keys() - items.keys():
            self._versions.hide(name)
        for name, item in items.items():
            self._versions.hide(name)  # hashes do not rise
            self._versions.show(name, content_version(item.value))
        self._hashes = {name: content_hash(item) for name, item in items.items()}
        tell(len(page), len(page))

    async def still(self, suspects: Mapping[bytes, Suspect]) -> set[bytes]:
        await self.read(lambda *_: None)
        return {name for name, each in suspects.items() if self._versions.source(name) == each.target.version}

    def was_read(self, position: Position, name: bytes, version: int) -> bool:
        if self.nameless and name not in self._hashes:
            return True  # the connector, too, does not take it for deleted then, for as long as that lasts
        return position.hashes.get(name.decode()) == self._hashes.get(name)


def content_version(value: bytes) -> int:
    """What a list's content is compared by: 7 bytes of a hash."""
    return int.from_bytes(hashlib.blake2b(value, digest_size=7).digest(), "big")
