"""Decoding in a child process, so that the event loop stays free: `python -m connector.mplus.offload` is the child.

Frames go over its stdin and stdout: kind, page number, length (little endian), payload. Several pages share one child. JSON passes
through as it is. The child ends when its stdin does, so it cannot outlive its parent; signals are the parent's to answer.
"""

import asyncio
import os
import sys
from contextlib import suppress
from itertools import count
from struct import Struct
from types import TracebackType
from typing import Protocol

import orjson

from connector.mplus.pages import FaultError, Item, PageDecoder, PageError, PageSpec, Undecodable

Results = list[Item | Undecodable]

FRAME = Struct("<cII")
RESULT = Struct("<BqIII")
OPEN, DATA, CLOSE, ABANDON, FOUND, CLOSED, FAILED = b"O", b"D", b"C", b"A", b"F", b"E", b"X"
UNDECODABLE, NO_MARKER, NO_IDENTITY, DELETED = 1, 2, 4, 8
SENT_AT_ONCE = 1 << 17
"""Bytes gathered before they are sent to the child: fewer, larger frames cost the parent less."""
IN_FLIGHT = 4
"""Frames of a page on their way to the child and back: enough to read the network meanwhile, and a bound on what is buffered."""
PATIENCE = 5.0
"""Seconds that the child gets to end by itself."""


class DecoderDied(PageError):
    """The child process ended while the page was under way: read the page again."""


class Decoding(Protocol):
    """One page under way."""

    async def feed(self, chunk: bytes) -> Results:
        """Items that are finished by now, perhaps of earlier chunks. Raises PageError."""

    async def close(self) -> Results:
        """All remaining items. Raises PageError when the page is not whole, FaultError when it is a fault."""

    def abandon(self) -> None:
        """The page is given up, or done with."""


class Decoder(Protocol):
    """Opens pages."""

    def open(self, spec: PageSpec) -> Decoding:
        """A new page. Raises KeyError for an unknown schema."""


class InlineDecoder:
    """Decodes in this process: the event loop waits meanwhile."""

    def open(self, spec: PageSpec) -> Decoding:
        return _InlineDecoding(spec)


class _InlineDecoding:
    def __init__(self, spec: PageSpec) -> None:
        self._page = PageDecoder(spec)

    async def feed(self, chunk: bytes) -> Results:
        await asyncio.sleep(0)  # a page in memory must not hold up the other tasks
        return self._page.feed(chunk)

    async def close(self) -> Results:
        return self._page.close()

    def abandon(self) -> None:
        pass


class DecoderProcess:
    """Decodes in a child process, started when it is needed and again when it died. Use as an async context manager."""

    def __init__(self) -> None:
        self._child: _Child | None = None
        self._starting = asyncio.Lock()

    async def __aenter__(self) -> "DecoderProcess":
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._child is not None:
            await self._child.end()

    @property
    def pid(self) -> int | None:
        """Of the child, if one runs."""
        return self._child.pid if self._child is not None and self._child.alive else None

    def open(self, spec: PageSpec) -> Decoding:
        return _RemoteDecoding(self, spec)

    async def child(self) -> "_Child":
        """The running child."""
        async with self._starting:
            if self._child is None or not self._child.alive:
                if self._child is not None:
                    await self._child.end()
                self._child = await _Child.start()
            return self._child


class _RemoteDecoding:
    def __init__(self, process: DecoderProcess, spec: PageSpec) -> None:
        self._process = process
        self._spec = spec
        self._child: _Child | None = None
        self._page = _Page()
        self._gathered = bytearray()

    async def feed(self, chunk: bytes) -> Results:
        self._gathered += chunk
        if len(self._gathered) >= SENT_AT_ONCE:
            await self._send()
        return self._page.take()

    async def close(self) -> Results:
        await self._send()
        child = await self._opened()
        await child.send(CLOSE, self._page.number)
        await self._page.until(lambda page: page.closed)
        return self._page.take()

    def abandon(self) -> None:
        self._gathered.clear()
        if self._child is not None:
            self._child.forget(self._page)

    async def _send(self) -> None:
        child = await self._opened()
        for start in range(0, len(self._gathered), SENT_AT_ONCE):
            await self._page.until(lambda page: page.in_flight < IN_FLIGHT)
            self._page.in_flight += 1
            await child.send(DATA, self._page.number, bytes(self._gathered[start : start + SENT_AT_ONCE]))
        self._gathered = bytearray()

    async def _opened(self) -> "_Child":
        if self._child is None:
            self._child = await self._process.child()
            self._child.remember(self._page)
            await self._child.send(OPEN, self._page.number, _dumped(self._spec))
        return self._child


class _Page:
    """What the parent knows of a page: items that came back, frames in flight, and how it ended."""

    def __init__(self) -> None:
        self.number = 0
        self.in_flight = 0
        self.closed = False
        self._found: Results = []
        self._error: PageError | FaultError | None = None
        self._news = asyncio.Event()

    def take(self) -> Results:
        """The items that came back since the last time. Raises what the page failed of."""
        if self._error is not None:
            raise self._error
        found, self._found = self._found, []
        return found
