"""The source's side: an entity read again, and looked at again where something seems wrong."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from connector.audit import content
from connector.audit.asking import PAUSE_S, Asking
from connector.audit.journal import Journal, PageLine
from connector.audit.raw import RawItem
from connector.audit.versions import NONE, Target, Versions
from connector.audit.walk import Place, Shown, Tell, Walk
from connector.clock import Clock
from connector.errors import Reject
from connector.source.entities import Entity

ENDLESS = (1 << 63) - 1

UNNAMED = "?"
"""Stands before the marker of an item whose name nobody can read."""

LOW_HEADS = 3
"""Looks, one after the other, that make a head that fell one that fell: a single one may be of a POS that has just started."""


class Suspect(NamedTuple):
    """An item that seems wrong: what the topic shall have, and what it has."""

    target: Target
    topic: int


class Where(NamedTuple):
    """Where the POS showed an item whose marker is lower: what was asked from, and up to where that answer went."""

    asked: int
    upto: int


@dataclass(frozen=True, slots=True)
class AuditSourceContext:
    """How an entity is read. `limit` is that of a page."""

    asking: Asking
    entity: Entity
    clock: Clock
    limit: int


class Source(Protocol):
    """An entity at the source; what it shows goes into `versions`."""

    places: list[Place]
    """Where nothing could be had."""
    below: dict[bytes, Where]
    """Items that lie below what was asked for when they were shown."""

    @property
    def nameless(self) -> int:
        """Items of which nobody can read whose they are."""

    @property
    def scanned(self) -> int:
        """The marker up to which everything was seen; no version is higher where there are no markers."""

    async def read(self, tell: Tell, least: int) -> None:
        """Read on, up to what there is now. `least`: the marker that the connector has seen. Raises Retry, Reject."""

    async def still(self, suspects: Mapping[bytes, Suspect]) -> set[bytes]:
        """The names whose target is what the source has now; for others `versions` is corrected. Raises Retry, Reject."""


class MarkedSource:
    """An entity with sync markers."""

    def __init__(self, parts: AuditSourceContext, versions: Versions, journal: Journal) -> None:
        self.places: list[Place] = []
        self.below: dict[bytes, Where] = {}
        self._unnamed: set[str] = set()
        self._unmarked = 0
        self._parts = parts
        self._versions = versions
        self._journal = journal
        self._walk = self._from(0)
        self._head = 0

    @property
    def nameless(self) -> int:
        return len(self._unnamed) + self._unmarked

    @property
    def scanned(self) -> int:
        return self._walk.at - 1

    def resume(self) -> None:
        """Go on behind what the journal holds."""
        for page in self._journal.pages():
            self._take(page)
            self._walk = self._from(page.upto)
            self._parts.asking.operations |= set(page.operations)

    async def read(self, tell: Tell, least: int) -> None:
        head = await self._newer_head(least)  # as of now: a busy POS is never read to its end, and what comes later is no suspect
        while self._walk.at <= head:
            tell(self._walk.at, head)
            page = self._line(await self._walk.page(head))
            self._take(page)
            self._journal.add(page)

    async def still(self, suspects: Mapping[bytes, Suspect]) -> set[bytes]:
        shown, places = await self._shown_at(sorted({self._asked(name, each) for name, each in suspects.items()}))
        found = set()
        for name, (target, _) in suspects.items():
            there = shown.get(name, Target(NONE))
            asked = self._asked(name, suspects[name])
            if there.version == target.version:
                found.add(name)
                continue
            if there.version == NONE and any(place.first <= asked <= place.last for place in places):
                continue
            if self._versions.source(name) == target.version:
                self._versions.hide(name)
            if there.version != NONE:
                self._versions.show(name, there.version, deleted=there.deleted)
        return found

    def _asked(self, name: bytes, suspect: Suspect) -> int:
        """Where to look for it."""
        if name in self.below:
            return self.below[name].asked
        return max(0, suspect.topic if suspect.target.version == NONE else suspect.target.version)

    async def _newer_head(self, least: int) -> int:
        least = max(least, self._head)
        head = await self._parts.asking.head()
        for _ in range(LOW_HEADS - 1):
            if head >= least:
                break
            await self._parts.clock.sleep(PAUSE_S)
            head = await self._parts.asking.head()
        if head < least:
            raise Reject(f"the POS's head is {head}, and was {least}: was it restored from a backup?")
        self._head = head
        return head

    async def _shown_at(self, markers: list[int]) -> tuple[dict[bytes, Target], list[Place]]:
        """What lies at these markers, and near them."""
        shown: dict[bytes, Target] = {}
        places: list[Place] = []
        while markers:
            walk, first = self._from(max(0, markers[0] - self._parts.entity.asks_after)), markers[0]
            while walk.at <= first:
                page = await walk.page(max(self._head, first))
                rows = sorted(self._named(page.items), key=lambda row: row[1])
                shown |= {name.encode(): Target(marker, deleted) for name, marker, deleted in rows}
                places += [page.place] if page.place else []
            markers = [marker for marker in markers if marker >= walk.at]
        return shown, places

    def _take(self, page: PageLine) -> None:
        for name, marker, deleted in page.items:
            self._versions.show(name.encode(), marker, deleted=deleted)
            self.below.pop(name.encode(), None)
        self.below |= {name.encode(): Where(asked, upto) for name, asked, upto in page.below}
        self._unnamed |= {name for name, _, _ in page.items if name.startswith(UNNAMED)}
        self._unmarked += page.unmarked
        self.places += [page.place] if page.place else []

    def _line(self, page: Shown) -> PageLine:
        rows = self._named(page.items)
        below = [(name, page.asked, page.upto) for name, at, _ in rows if at < page.asked]
        unmarked = sum(item.marker is None for item in page.items)
        return PageLine(self._walk.at, rows, unmarked, below, page.place, sorted(self._parts.asking.operations))

    def _named(self, items: Iterable[RawItem]) -> Sequence[tuple[str, int, bool]]:
        """A name that nobody can read is made of the marker: something must stand for that item, too."""
        entity = self._parts.entity
        marked = [(item, item.marker) for item in items if item.marker is not None]
        names = [(item.identity or f"{UNNAMED}{marker}", marker, item.deleted) for item, marker in marked]
        return [(entity.name_of(identity, marker), marker, deleted) for identity, marker, deleted in names]

    def _from(self, marker: int) -> Walk:
        parts = self._parts
        return Walk(parts.asking, parts.clock, limit=parts.limit, after=parts.entity.asks_after, at=marker)


class ListSource:
    """A slow list: its versions are hashes of what stands in it."""

    scanned = ENDLESS

    def __init__(self, parts: AuditSourceContext, versions: Versions) -> None:
        self.nameless = 0
        self.places: list[Place] = []
        self.below: dict[bytes, Where] = {}
        self._asking = parts.asking
        self._versions = versions
        self._names: set[bytes] = set()

    async def read(self, tell: Tell, least: int) -> None:
        page = await self._asking.rows()
        rows = {item.identity.encode(): content.of_xml(item.xml) for item in page if item.identity is not None}
        self.nameless = len(page) - sum(item.identity is not None for item in page)
        for name in self._names | rows.keys():
            self._versions.hide(name)  # hashes do not rise
        for name, version in rows.items():
            self._versions.show(name, version)
        self._names = set(rows)
        tell(len(page), len(page))

    async def still(self, suspects: Mapping[bytes, Suspect]) -> set[bytes]:
        await self.read(lambda *_: None, 0)
        return {name for name, each in suspects.items() if self._versions.source(name) == each.target.version}
