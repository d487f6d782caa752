"""Live parts for viewers: server-sent events with what changed, and a heartbeat."""

import asyncio
import uuid
from typing import Any

import orjson
from aiohttp import web
from aiohttp_sse import sse_response

from connector.clock import Clock
from connector.dashboard.parts import PageParts
from connector.dashboard.web.security import HEADERS

EVERY_S = 0.2
"""Seconds between looks for changes: a viewer gets at most five messages a second."""
HEARTBEAT_S = 1.0
"""Seconds without a message, at most: a viewer that hears nothing for longer has lost us."""
VIEWERS_MAX = 100
AGAIN_MS = 1000
"""Milliseconds until a viewer that lost us tries again."""
STREAM_S = 300.0
"""Seconds that a stream lasts: a viewer that is there comes back and goes on, one that is not gives its place away."""
WRITE_S = 10.0
"""Seconds for a message to leave: a viewer that reads no more is dropped."""


class Stream:
    """Streams to any number of viewers, up to VIEWERS_MAX."""

    def __init__(self, shown: PageParts, clock: Clock) -> None:
        self._shown = shown
        self._clock = clock
        self._viewers = 0
        self._closing = False
        self._id = uuid.uuid4().hex[:8]  # versions are this process's own

    async def close(self, _: web.Application) -> None:
        """End all streams: the server waits for them."""
        self._closing = True

    def message(self, version: int) -> dict[str, Any]:
        """What changed since a version. `now` is this process's clock, in epoch seconds: browsers' clocks may be wrong.

        `process`, `from` and `version`: whose versions these are, since which, and which one a viewer has after it.
        """
        told = {"now": self._clock.wall().timestamp(), "full": version == 0, "parts": self._shown.since(version)}
        return {**told, "process": self._id, "from": version, "version": self._shown.version}

    async def events(self, request: web.Request) -> web.StreamResponse:
        """All of it, or what changed since a viewer was here, then what changes; until it or this process leaves.

        Where too many are here, an event `busy` with the words for it: a browser does not tell a page what a refusal says.
        """
        if self._viewers >= VIEWERS_MAX:
            return await _refused(request, f"{VIEWERS_MAX} viewers are here already: close some, or look later")
        self._viewers += 1
        response: web.StreamResponse = web.Response()
        try:
            async with sse_response(request, headers=HEADERS) as response:
                await self._send_changes(response, self._seen(request))
        except (ConnectionError, TimeoutError):
            if request.transport is not None:
                request.transport.abort()
        finally:
            self._viewers -= 1
        return response

    def _seen(self, request: web.Request) -> int:
        """The version that a viewer who comes back has; 0 for any other."""
        process, _, version = request.headers.get("Last-Event-ID", "").partition("-")
        return int(version) if process == self._id and version.isdecimal() and int(version) <= self._shown.version else 0

    async def _send_changes(self, response: Any, version: int) -> None:
        silent, until = HEARTBEAT_S, self._clock.monotonic() + STREAM_S
        while not self._closing and response.is_connected() and self._clock.monotonic() < until:
            if self._shown.version > version or silent >= HEARTBEAT_S:
                message, version, silent = self.message(version), self._shown.version, 0.0
                await self._send(response, message, version)
            await self._clock.sleep(EVERY_S)
            silent += EVERY_S

    async def _send(self, response: Any, message: dict[str, Any], version: int) -> None:
        async with asyncio.timeout(WRITE_S):
            await response.send(orjson.dumps(message).decode(), id=f"{self._id}-{version}", retry=AGAIN_MS)


async def _refused(request: web.Request, words: str) -> web.StreamResponse:
    async with sse_response(request, headers=HEADERS) as response:
        await response.send(words, event="busy", retry=30 * AGAIN_MS)
    return response
