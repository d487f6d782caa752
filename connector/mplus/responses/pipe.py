"""The parent's side of one decoder child: its process, and the pages that it is busy with."""

import asyncio
import fcntl
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import IO

import orjson

from connector.mplus.responses.pages import FaultError, NotWellFormed, PageError, TooLarge
from connector.mplus.responses.worker import ABANDON, CLOSED, FAILED, FOUND, FRAME, PIPE_BYTES, TOOK, Results, frame, unpacked

PATIENCE_S = 5.0
"""Seconds that the child gets to end by itself."""
KINDS = {kind.__name__: kind for kind in (PageError, NotWellFormed, TooLarge)}
"""Errors of a page, by the name that the child gives them."""
WATCHDOG_S = 10.0
"""The child gets this long for one frame: one that answers none of those it has for so long is ended."""
LAST_WORD_S = 1.0
"""Seconds of them that are kept for answers that have come while this process itself was held up."""
HIDDEN = ("KAFKA_", "MPLUS_")
"""Settings, secrets among them, that the child has no use for."""


class DecoderDied(PageError):
    """The child process ended while the page was under way: read the page again."""


class DecoderUnavailable(PageError):
    """No child process can be started now (memory, descriptors, processes): nothing is wrong with the page."""


class RemotePage:
    """What the parent knows of a page: the items that came back, the frames in flight, how it ended, seconds of decoding."""

    def __init__(self) -> None:
        self.in_flight = 0
        self.closing = False
        self.seconds = 0.0
        self.closed = False
        self._found: Results = []
        self._failure: Callable[[], Exception] | None = None
        self._changed = asyncio.Event()

    @property
    def awaited(self) -> bool:
        """Is the child to answer something?"""
        return self.in_flight > 0 or (self.closing and not self.closed)

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
        self._changed.set()

    def fail(self, failure: Callable[[], Exception]) -> None:
        self._failure = failure
        self._changed.set()

    async def until(self, reached: Callable[["RemotePage"], bool]) -> None:
        """Wait for changes until it is so. Raises what the page failed of."""
        while not reached(self) and self._failure is None:
            self._changed.clear()
            await self._changed.wait()
        if self._failure is not None:
            raise self._failure()


class Child:
    """One child process and the pages that it is busy with."""

    def __init__(
        self, process: asyncio.subprocess.Process, requests: asyncio.StreamWriter, answers: asyncio.StreamReader
    ) -> None:
        self.pid = process.pid
        self.alive = True
        self._process = process
        self._requests = requests
        self._answers = answers
        self._pages: dict[int, RemotePage] = {}
        self._last = 0
        self._watchdog: asyncio.TimerHandle | None = None
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def start(cls) -> "Child":
        """Raises DecoderUnavailable."""
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "connector.mplus.responses.worker"),
                env={name: value for name, value in os.environ.items() if not name.startswith(HIDDEN)},
                limit=PIPE_BYTES,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
            )
        except (OSError, MemoryError, RuntimeError) as error:  # the last: no thread to wait for it
            raise DecoderUnavailable(f"no decoder process can be started: {error}") from None
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("a child process without pipes")
        _widen(process.stdin.get_extra_info("pipe"))
        return cls(process, process.stdin, process.stdout)

    def remember(self, page: RemotePage) -> int:
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
            self._watch()
            await self._requests.drain()
        except (ConnectionError, RuntimeError):
            raise _died() from None

    async def end(self) -> None:
        """Let the child end, or make it."""
        self.alive = False
        self._rest()
        self._requests.close()
        try:
            await asyncio.wait_for(self._process.wait(), PATIENCE_S)
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
                self._rest()
                self._watch()
        self.alive = False
        self._rest()
        for page in self._pages.values():
            page.fail(_died)

    def _watch(self) -> None:
        """From the moment that something is awaited, and again from each answer."""
        if self._watchdog is None and self.alive and any(page.awaited for page in self._pages.values()):
            self._watchdog = asyncio.get_running_loop().call_later(WATCHDOG_S - LAST_WORD_S, self._doubt)

    def _rest(self) -> None:
        if self._watchdog is not None:
            self._watchdog.cancel()
            self._watchdog = None

    def _doubt(self) -> None:
        self._watchdog = asyncio.get_running_loop().call_later(LAST_WORD_S, self.kill)

    def kill(self) -> None:
        """End it at once: its pages are told."""
        self.alive = False
        with suppress(ProcessLookupError):
            self._process.kill()

    def _dispatch(self, kind: bytes, number: int, payload: bytes) -> None:
        page = self._pages.get(number)
        if page is None:
            return
        if kind == FAILED:
            del self._pages[number]
            page.fail(_failure(payload))
        elif kind == FOUND:
            page.came(unpacked(payload), last=False)
        elif kind == CLOSED:
            (page.seconds,) = TOOK.unpack_from(payload)
            page.came(unpacked(payload[TOOK.size :]), last=True)


def _widen(pipe: IO[bytes]) -> None:
    with suppress(AttributeError, OSError):  # Linux only, and the system may limit it
        fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, PIPE_BYTES)


def _died() -> DecoderDied:
    return DecoderDied("the decoder process ended before the page did")


def _failure(payload: bytes) -> Callable[[], Exception]:
    told = orjson.loads(payload)
    if "code" in told:
        return lambda: FaultError(told["code"], told["text"])
    return lambda: KINDS[told["kind"]](told["text"])
