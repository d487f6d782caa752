"""Decoding beside the event loop: pages are opened, fed and closed here and decoded in a child process (`worker.py`)."""

import asyncio
from collections.abc import Callable
from time import perf_counter
from types import TracebackType
from typing import Protocol

from connector.mplus.responses.careful import page_decoder
from connector.mplus.responses.pages import PageSpec
from connector.mplus.responses.pipe import Child, DecoderDied, DecoderUnavailable, RemotePage
from connector.mplus.responses.worker import CLOSE, DATA, OPEN, Results, dumped, frame

__all__ = ["Decoder", "DecoderDied", "DecoderProcess", "DecoderUnavailable", "Decoding", "InlineDecoder"]

SENT_AT_ONCE_BYTES = 1 << 17
"""Bytes gathered before they are sent to the child: fewer, larger frames cost the parent less."""
FRAMES_MAX = 4
"""Frames of a page on their way to the child and back: enough to read the network meanwhile, and a bound on what is buffered.

Also what keeps pages fair to each other: the child takes frames as they come, so a page waits for so many of each other one's.
"""
CAREFUL_AT_ONCE = 8
"""Children for careful pages at a time: each has its own, of some 20 MB. More of these pages wait; other pages do not."""


class Decoding(Protocol):
    """One page under way."""

    async def feed(self, chunk: bytes) -> Results:
        """Items that are finished by now, perhaps of earlier chunks. Raises PageError."""

    async def close(self) -> Results:
        """All remaining items. Raises PageError when the page is not whole, FaultError when it is a fault."""

    def abandon(self) -> None:
        """The page is given up, or done with. Idempotent."""

    @property
    def seconds(self) -> float:
        """Spent decoding, known once the page is closed."""


class Decoder(Protocol):
    """Opens pages."""

    def open(self, spec: PageSpec) -> Decoding:
        """A new page."""


class InlineDecoder:
    """Decodes in this process: the event loop waits meanwhile."""

    def open(self, spec: PageSpec) -> Decoding:
        """A new page. Raises KeyError for an unknown schema."""
        return _InlineDecoding(spec)


class _InlineDecoding:
    def __init__(self, spec: PageSpec) -> None:
        self._page = page_decoder(spec)
        self.seconds = 0.0

    async def feed(self, chunk: bytes) -> Results:
        await asyncio.sleep(0)  # so that a page that is all there already does not hold up the other tasks
        return self._timed(lambda: self._page.feed(chunk))

    async def close(self) -> Results:
        return self._timed(self._page.close)

    def _timed(self, decode: Callable[[], Results]) -> Results:
        started = perf_counter()
        found = decode()
        self.seconds += perf_counter() - started
        return found

    def abandon(self) -> None:
        pass


class DecoderProcess:
    """Decodes in a child process, which starts when it is needed, and again after it died. An async context manager.

    A careful page gets a child of its own, for it may be what kills it.
    """

    def __init__(self) -> None:
        self._child: Child | None = None
        self._starting = asyncio.Lock()
        self._careful = asyncio.Semaphore(CAREFUL_AT_ONCE)
        self._ending: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> "DecoderProcess":
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._child is not None:
            await self._child.end()
        await asyncio.gather(*self._ending)

    @property
    def pid(self) -> int | None:
        """The child's, while it runs."""
        return self._child.pid if self._child is not None and self._child.alive else None

    def open(self, spec: PageSpec) -> Decoding:
        """A new page."""
        return RemoteDecoding(self, spec)

    async def child(self) -> "Child":
        """A running child."""
        async with self._starting:
            if self._child is None or not self._child.alive:
                if self._child is not None:
                    await self._child.end()
                self._child = await Child.start()
            return self._child

    async def own_child(self) -> "Child":
        """One for a page alone: whoever asked gives it back to `end`."""
        await self._careful.acquire()
        try:
            return await Child.start()
        except BaseException:
            self._careful.release()
            raise

    def end(self, child: "Child") -> None:
        """The page of this child is done."""
        task = asyncio.get_running_loop().create_task(self._end(child))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _end(self, child: "Child") -> None:
        try:
            child.kill()
            await child.end()
        finally:
            self._careful.release()


class RemoteDecoding:
    """One page under way in a child."""

    def __init__(self, process: DecoderProcess, spec: PageSpec) -> None:
        self._process = process
        self._spec = spec
        self._page = RemotePage()
        self._number = 0
        self._child: Child | None = None
        self._gathered: list[bytes] = []
        self._size = 0

    @property
    def seconds(self) -> float:
        """See Decoding."""
        return self._page.seconds

    @property
    def in_flight(self) -> int:
        """Frames that the child has not answered."""
        return self._page.in_flight

    async def feed(self, chunk: bytes) -> Results:
        """See Decoding."""
        self._gathered.append(chunk)
        self._size += len(chunk)
        if self._size >= SENT_AT_ONCE_BYTES:
            await self._send()
        return self._page.take()

    async def close(self) -> Results:
        """See Decoding."""
        await self._send()
        child = await self._opened()
        self._page.closing = True
        await child.send(frame(CLOSE, self._number))
        await self._page.until(lambda page: page.closed)
        return self._page.take()

    def abandon(self) -> None:
        """See Decoding."""
        child, self._child = self._child, None
        if child is not None:
            child.forget(self._number)
            if self._spec.careful:
                self._process.end(child)

    async def _send(self) -> None:
        data, self._gathered, self._size = b"".join(self._gathered), [], 0
        child = await self._opened()
        for start in range(0, len(data), SENT_AT_ONCE_BYTES):
            await self._page.until(lambda page: page.in_flight < FRAMES_MAX)
            self._page.in_flight += 1
            await child.send(frame(DATA, self._number, data[start : start + SENT_AT_ONCE_BYTES]))

    async def _opened(self) -> "Child":
        if self._child is None:
            self._child = await (self._process.own_child() if self._spec.careful else self._process.child())
            self._number = self._child.remember(self._page)
            await self._child.send(frame(OPEN, self._number, dumped(self._spec)))
        return self._child
