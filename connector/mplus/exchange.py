"""The channel for calls about one order: aiohttp, which takes an eighth of httpx's CPU for each (docs/decisions/0009).

aiohttp repeats no POST by itself: what is sent is sent once.
"""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import BytesIO
from typing import Any
from urllib.request import getproxies

import aiohttp

from connector.mplus.channels import GIVE_UP_UNSENT, NOTICE_DEAD_PEERS, SENDING, Access, Answer, headers

IDLE = 15.0
"""Seconds that a connection is kept without use: one that the POS closes at that moment looks like a lost answer."""


LARGE = 1 << 20
"""Bytes of a body that aiohttp wants to send in pieces, so that others get their turn."""


class Exchange:
    """A connection for each call that is under way; see mplus.channels.Channel. Connecting and sending take SENDING, or fail."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._timeout = aiohttp.ClientTimeout(total=access.timeout, connect=min(SENDING, access.connect_timeout))
        self._session: aiohttp.ClientSession | None = None

    @asynccontextmanager
    async def post(self, operation: str, body: bytes) -> AsyncIterator[Answer]:
        """See Channel."""
        access = self._access
        async with self._open().post(
            access.url,
            params=access.query,
            headers=headers(operation),
            data=BytesIO(body) if len(body) > LARGE else body,
            timeout=self._timeout,
            allow_redirects=False,  # it would send the call once more
        ) as answer:
            yield _Exchanged(answer)

    async def close(self) -> None:
        """See Channel."""
        if self._session is not None:
            await self._session.close()

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:  # not in __init__: it wants a running loop
            connector = aiohttp.TCPConnector(limit=0, ssl=self._access.tls, keepalive_timeout=IDLE, socket_factory=_socket)
            self._session = aiohttp.ClientSession(
                connector=connector,
                trust_env=bool(getproxies()),  # else it reads environment and .netrc for each call
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session


class _Exchanged:
    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer = answer
        self.status = answer.status
        self.retry_after = answer.headers.get("Retry-After", "")

    def chunks(self) -> AsyncIterator[bytes]:
        """See Answer."""
        return self._answer.content.iter_any()


def _socket(address: Any) -> socket.socket:
    family, kind, protocol, *_ = address
    made = socket.socket(family, kind, protocol)
    made.settimeout(0)
    for level, name, value in [*NOTICE_DEAD_PEERS, *GIVE_UP_UNSENT]:
        made.setsockopt(level, name, value)
    return made
