"""Decoding beside the event loop: pages are opened, fed and closed here and decoded in a child process (`child.py`)."""

import asyncio
import fcntl
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import IO, Protocol

import orjson

from connector.mplus.child import ABANDON, CLOSE, CLOSED, DATA, FAILED, FOUND, FRAME, OPEN, PIPE, Results, dumped, frame, unpacked
from connector.mplus.pages import FaultError, PageDecoder, PageError, PageSpec

SENT_AT_ONCE = 1 << 17
"""Bytes gathered before they are sent to the child: fewer, larger frames cost the parent less."""
IN_FLIGHT = 4
"""Frames of a page on their way to the child and back: enough to read the network meanwhile, and a bound on what is buffered."""
PATIENCE = 5.0
"""Seconds that the child gets to end by itself."""
HIDDEN = ("KAFKA_", "MPLUS_")
"""Settings, secrets among them, that the child has no use for."""


class DecoderDied(PageError):
    """The child process ended while the page was under way: read the page again."""


class Decoding(Protocol):
    """One page under way."""

    async def feed(self, chunk: bytes) -> Results:
        """Items that are finished by now, perhaps of earlier chunks. Raises PageError."""

    async def close(self) -> Results:
        """All remaining items. Raises PageError when the page is not whole, FaultError when it is a fault."""

    def abandon(self) -> None:
        """The page is given up, or done with. Idempotent."""


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
        self._page = PageDecoder(spec)

    async def feed(self, chunk: bytes) -> Results:
        await asyncio.sleep(0)  # so that a page that is all there already does not hold up the other tasks
        return self._page.feed(chunk)

    async def close(self) -> Results:
        return self._page.close()

    def abandon(self) -> None:
        pass


class DecoderProcess:
    """Decodes in a child process, which starts when it is needed, and again after it died. An async context manager."""

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
        """The child's, while it runs."""
        return self._child.pid if self._child is not None and self._child.alive else None

    def open(self, spec: PageSpec) -> Decoding:
        """A new page."""
        return _RemoteDecoding(self, spec)

    async def child(self) -> "_Child":
        """A running child."""
        async with self._starting:
            if self._child is None or not self._child.alive:
                if self._child is not None:
                    await self._child.end()
                self._child = await _Child.start()
            return self._child


class _Page:
    """What the parent knows of a page: the items that came back, the frames in flight, and how it ended."""

    def __init__(self) -> None:
        self.in_flight = 0
        self.closed = False
        self._found: Results = []
        self._failure: Callable[[], Exception] | None = None
        self._news = asyncio.Event()

    def take(self) -> Results:
        """The items that came back since the last time. Raises what the page failed of."""
        if self._failure is not None:
            raise self._failure()  # a new one each time: a kept exception would hold its frames, and the cyclic GC is off
        found, self._found = self._found, []
        return found

    def came(self, found: Results, *, last: bool) -> None:
        self._found += found
        self.in_flight -= not last
        self.closed = last
        self._news.set()

    def fail(self, failure: Callable[[], Exception]) -> None:
        self._failure = failure
        self._news.set()

    async def until(self, reached: Callable[["_Page"], bool]) -> None:
        """Wait for news until it is so. Raises what the page failed of."""
        while not reached(self) and self._failure is None:
            self._news.clear()
            await self._news.wait()
        if self._failure is not None:
            raise self._failure()


class _RemoteDecoding:
    def __init__(self, process: DecoderProcess, spec: PageSpec) -> None:
        self._process = process
        self._spec = spec
        self._page = _Page()
        self._number = 0
        self._child: _Child | None = None
        self._gathered: list[bytes] = []
        self._size = 0

    async def feed(self, chunk: bytes) -> Results:
        self._gathered.append(chunk)
        self._size += len(chunk)
        if self._size >= SENT_AT_ONCE:
            await self._send()
        return self._page.take()

    async def close(self) -> Results:
        await self._send()
        await (await self._opened()).send(frame(CLOSE, self._number))
        await self._page.until(lambda page: page.closed)
        return self._page.take()

    def abandon(self) -> None:
        if self._child is not None:
            self._child.forget(self._number)

    async def _send(self) -> None:
        data, self._gathered, self._size = b"".join(self._gathered), [], 0
        child = await self._opened()
        for start in range(0, len(data), SENT_AT_ONCE):
            await self._page.until(lambda page: page.in_flight < IN_FLIGHT)
            self._page.in_flight += 1
            await child.send(frame(DATA, self._number, data[start : start + SENT_AT_ONCE]))

    async def _opened(self) -> "_Child":
        if self._child is None:
            self._child = await self._process.child()
            self._number = self._child.remember(self._page)
            await self._child.send(frame(OPEN, self._number, dumped(self._spec)))
        return self._child


class _Child:
    """One child process and the pages that it is busy with."""

    def __init__(
        self, process: asyncio.subprocess.Process, requests: asyncio.StreamWriter, answers: asyncio.StreamReader
    ) -> None:
        self.pid = process.pid
        self.alive = True
        self._process = process
        self._requests = requests
        self._answers = answers
        self._pages: dict[int, _Page] = {}
        self._last = 0
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def start(cls) -> "_Child":
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "connector.mplus.child"),
            env={name: value for name, value in os.environ.items() if not name.startswith(HIDDEN)},
            limit=PIPE,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("a child process without pipes")
        _widen(process.stdin.get_extra_info("pipe"))
        return cls(process, process.stdin, process.stdout)

    def remember(self, page: _Page) -> int:
        """The number under which answers find this page."""
        self._last += 1
        self._pages[self._last] = page
        return self._last

    def forget(self, number: int) -> None:
        """Answers for this page are no longer wanted."""
        page = self._pages.pop(number, None)
        if page is not None and self.alive and not page.closed:
            self._requests.write(frame(ABANDON, number))

    async def send(self, data: bytes) -> None:
        """Raises DecoderDied when the child is gone."""
        try:
            self._requests.write(data)
            await self._requests.drain()
        except (ConnectionError, RuntimeError):
            raise _died() from None

    async def end(self) -> None:
        """Let the child end, or make it."""
        self.alive = False
        self._requests.close()
        try:
            await asyncio.wait_for(self._process.wait(), PATIENCE)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        await self._reading

    async def _read(self) -> None:
        answers = self._answers
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                kind, number, length = FRAME.unpack(await answers.readexactly(FRAME.size))
                self._dispatch(kind, number, await answers.readexactly(length))
        self.alive = False
        for page in self._pages.values():
            page.fail(_died)

    def _dispatch(self, kind: bytes, number: int, payload: bytes) -> None:
        page = self._pages.get(number)
        if page is None:
            return
        if kind == FAILED:
            del self._pages[number]
            page.fail(_failure(payload))
        elif kind in {FOUND, CLOSED}:
            page.came(unpacked(payload), last=kind == CLOSED)


def _widen(pipe: IO[bytes]) -> None:
    with suppress(AttributeError, OSError):  # Linux only, and the system may limit it
        fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, PIPE)


def _died() -> DecoderDied:
    return DecoderDied("the decoder process ended before the page did")


def _failure(payload: bytes) -> Callable[[], Exception]:
    told = orjson.loads(payload)
    if "code" in told:
        return lambda: FaultError(told["code"], told["text"])
    return lambda: PageError(told["text"])
