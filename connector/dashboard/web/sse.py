"""Live parts for viewers: server-sent events with what changed, and a heartbeat."""

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


class Stream:
    """Streams to any number of viewers, up to VIEWERS_MAX."""

    def __init__(self, shown: PageParts, clock: Clock) -> None:
        self._shown = shown
        self._clock = clock
        self._viewers = 0
        self._closing = False

    async def close(self, _: web.Application) -> None:
        """End all streams: the server waits for them."""
        self._closing = True

    def message(self, version: int) -> dict[str, Any]:
        """What changed since a version. `now` is this process's clock, in epoch seconds: browsers' clocks may be wrong."""
        return {"now": self._clock.wall().timestamp(), "full": version == 0, "parts": self._shown.since(version)}

    async def events(self, request: web.Request) -> web.StreamResponse:
        """All of it, then what changes, until the viewer or this process leaves."""
        if self._viewers >= VIEWERS_MAX:
            return web.Response(status=503, text=f"{VIEWERS_MAX} viewers are here already\n", headers=HEADERS)
        self._viewers += 1
        try:
            async with sse_response(request, headers=HEADERS) as response:
                await self._send_changes(response)
            return response
        finally:
            self._viewers -= 1

    async def _send_changes(self, response: Any) -> None:
        version, silent = 0, 0.0
        try:
            while not self._closing and response.is_connected():
                if self._shown.version > version or silent >= HEARTBEAT_S:
                    message, version, silent = self.message(version), self._shown.version, 0.0
                    await response.send(orjson.dumps(message).decode(), retry=AGAIN_MS)
                await self._clock.sleep(EVERY_S)
                silent += EVERY_S
        except ConnectionResetError:
            return
