"""What ended long ago, by where the topic has it: an index in memory, and a look-up of the record where it is asked for. Pure."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import NamedTuple, Protocol

from connector.sink.ledger.facts import NOTHING, Creation, creation, told
from connector.sink.ledger.index import Index

OTHER = b"\0other:"
"""Before a name it makes a second key: two hashes and an offset that agree are taken for certain (one in 10^15 is wrong)."""


class Row(Protocol):
    """A record of the ledger."""

    @property
    def offset(self) -> int:
        """Its place."""

    @property
    def key(self) -> bytes | None:
        """A commandId, or what FOOTER and REDRIVE begin."""

    @property
    def value(self) -> bytes | None:
        """JSON."""


class Found(NamedTuple):
    """A record that was looked up."""

    key: bytes | None
    value: bytes | None


class Shelf(Protocol):
    """The partition itself. Raises TransactionLost where it cannot be read: never is a record said to be gone that is not."""

    first: int
    """The lowest offset that was there when it was last asked."""

    async def at(self, offset: int) -> Found | None:
        """The record at an offset; None where retention or compaction has deleted it."""

    def since(self, offset: int) -> AsyncGenerator[Sequence[Row]]:
        """What is committed from there up to now."""


class Archive:
    """One partition's archive. What a hash finds is looked up, and its key compared: a hash alone only says "never heard of".

    A record that compaction has deleted was replaced by a newer one of its key, which is found first, here or in memory.
    One that retention has deleted is forgotten. What a command that succeeded says stays true: it is written no more.
    """

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._entries, self._creations, self._slips, self._queued = Index(), Index(), Index(), Index()

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, key: bytes, value: bytes | None, offset: int) -> None:
        """The record at an offset."""
        self._entries.add(key, offset)
        name, queued, slip = told(value) if value else NOTHING
        if name:
            self._creations.add(name, offset)
        if queued:
            self._queued.add(name, offset)
            self._queued.add(OTHER + name, offset)
        if slip:
            self._slips.add(slip, offset)

    async def value(self, key: bytes) -> bytes | None:
        """The newest of a key."""
        async for row in self._rows(self._entries, key):
            if row.key == key:
                return row.value
        return None

    async def creation(self, name: str) -> Creation | None:
        """Who created the order of this name, as far as it is known."""
        key = name.encode()
        async for row in self._rows(self._creations, key):
            if row.value and told(row.value)[0] == key:
                return creation(row.value)
        return None

    async def slip_maker(self, slip: str) -> str | None:
        """The commandId that made it."""
        key = slip.encode()
        async for row in self._rows(self._slips, key):
            if row.key and row.value and told(row.value)[2] == key:
                return row.key.decode()
        return None

    def queued(self, name: str) -> bool:
        """Whether the order of this name was accepted and not booked."""
        key = name.encode()
        return not set(self._queued.find(key)).isdisjoint(self._queued.find(OTHER + key))

    def forget(self) -> None:
        """Forget what the topic has forgotten; bit by bit, to be called now and then."""
        for index in (self._entries, self._creations, self._slips, self._queued):
            index.forget(self._shelf.first)

    async def _rows(self, index: Index, key: bytes) -> AsyncIterator[Found]:
        for offset in index.find(key):
            if (row := await self._shelf.at(offset)) is not None:
                yield row
