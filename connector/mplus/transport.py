"""The way to a POS: httpx's requests and answers over aiohttp's connections (docs/decisions/0017).

A request goes to httpx's transport itself, without a client around it: no cookie is kept or sent, no redirect is followed, no
address is logged, no environment is read on the way, and nothing is repeated. What is sent is sent once.
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from connector import tracing
from connector.mplus.proxies import proxy_for
from connector.mplus.resolver import Resolver
from connector.mplus.response import Answer

SENDING_S = 4.0
"""For connecting and for sending, each, when a call changes something: it must not leave later than its worker knows."""

PIECE_BYTES_MAX = 1 << 20
"""Bytes of a request: what is larger goes out in pieces, so that others get their turn."""

KEEPALIVE = {"TCP_KEEPIDLE": 20, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 4}
"""Seconds of silence, seconds between probes, probes: as far as the system knows them."""

NOTICE_DEAD_PEERS = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    *((socket.IPPROTO_TCP, getattr(socket, name), value) for name, value in KEEPALIVE.items() if hasattr(socket, name)),
)
"""A slow POS may be silent for long; a dead one shall be noticed after a minute."""

GIVE_UP_UNSENT = (
    ((socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(SENDING_S * 1000)),) if hasattr(socket, "TCP_USER_TIMEOUT") else ()
)
"""What the POS has not acknowledged by then is given up by the system too."""

XML_IS_UTF_8 = "text/xml; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Access:
    """How an administration's POS is reached. Seconds; `rate` in requests per second."""

    administration: str
    url: str
    ident: str
    secret: str = field(repr=False)
    tls: ssl.SSLContext | bool = True
    connect_timeout: float = 10.0
    timeout: float = 600.0
    rate: float = 10.0

    @property
    def query(self) -> dict[str, str]:
        """The parameters that let us in. The secret among them is why no URL may be shown."""
        return {"ident": self.ident, "secret": self.secret}


@dataclass(frozen=True, slots=True)
class Pool:
    """How connections are made. `connections_max`: at once, 0 is any number.

    `connect_s`: bound for waiting for a free one and for all of making it: its name, TCP and TLS, the tunnel of a proxy.
    """

    connections_max: int
    connect_s: float
    options: tuple[tuple[int, int, int], ...] = NOTICE_DEAD_PEERS

    def socket(self, address: Any) -> socket.socket:
        """A new one, with what this pool wants of it."""
        family, kind, protocol, *_ = address
        made = socket.socket(family, kind, protocol)
        made.settimeout(0)
        for option in self.options:
            made.setsockopt(*option)
        return made


STEPS = 3
"""Steps of connecting, each of which may take `connect_timeout`: a name, TCP and TLS, a proxy's tunnel."""

IDLE_S = 15.0
"""A connection that the POS closes just as it is used again looks like a lost answer: so we close it first."""

READING = Pool(connections_max=20, connect_s=60.0)
"""For pages and heads: an administration has fewer entities than that."""

ORDERS = Pool(connections_max=0, connect_s=SENDING_S, options=(*NOTICE_DEAD_PEERS, *GIVE_UP_UNSENT))
"""For calls about one order: one for each that is under way."""


class _WithoutReason(aiohttp.ClientResponse):
    """The phrase behind an HTTP status is nothing to us, and httpx's transport stumbles over letters beyond ASCII in it."""

    async def start(self, connection: Any) -> aiohttp.ClientResponse:
        """Read the head of the answer."""
        await super().start(connection)
        self.reason = None
        return self


class Transport:
    """Connections of one kind to one POS. Raises Misconfigured for a proxy that cannot be used."""

    def __init__(self, access: Access, pool: Pool, resolver: Resolver) -> None:
        self._access = access
        self._pool = pool
        self._resolver = resolver
        whole_s = min(pool.connect_s, STEPS * access.connect_timeout)
        self._extensions = {"timeout": {"connect": access.connect_timeout, "pool": whole_s}}  # the rest is the call's own limit
        self._http = AiohttpTransport(verify=_trusted(access), proxy=proxy_for(access.url), client=self._session)

    @asynccontextmanager
    async def post(self, operation: str, body: bytes, limit_s: float) -> AsyncIterator[Answer]:
        """Send one request, once, and be done with its answer within `limit_s`. Raises the libraries' own errors."""
        async with asyncio.timeout(limit_s) as limit:
            response = await self._http.handle_async_request(self._request(operation, body))
            try:
                yield Answer(response, limit)
            finally:
                with suppress(Exception):  # what was read was read, however its connection ends
                    await response.aclose()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    @cached_property
    def _url(self) -> httpx.URL:
        return httpx.URL(self._access.url, params=self._access.query)

    def _request(self, operation: str, body: bytes) -> httpx.Request:
        return httpx.Request(
            "POST",
            self._url,
            headers=headers(operation) | {"Content-Length": str(len(body))},
            content=_in_pieces(body) if len(body) > PIECE_BYTES_MAX else body,
            extensions=self._extensions,
        )

    def _session(self) -> aiohttp.ClientSession:
        """Made at the first call: it wants a running loop."""
        connector = aiohttp.TCPConnector(
            limit=self._pool.connections_max,
            ssl=_trusted(self._access),
            keepalive_timeout=IDLE_S,
            socket_factory=self._pool.socket,
            resolver=self._resolver,
        )
        return aiohttp.ClientSession(
            connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False, response_class=_WithoutReason
        )


def headers(operation: str) -> dict[str, str]:
    """Headers of a request; one that serves a trace says which."""
    told = tracing.request_id()
    fixed = {"Content-Type": XML_IS_UTF_8, "Accept-Encoding": "gzip, deflate", "SOAPAction": operation}
    return fixed | ({"X-Request-Id": told} if told else {})


async def _in_pieces(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), PIECE_BYTES_MAX):
        yield body[start : start + PIECE_BYTES_MAX]


def _trusted(access: Access) -> ssl.SSLContext:
    return access.tls if isinstance(access.tls, ssl.SSLContext) else _default_trust(access.tls)


@cache
def _default_trust(verify: bool) -> ssl.SSLContext:
    """What the system trusts, and what httpx brings along: a container may have no authorities of its own. One for all POSs."""
    context = httpx.create_ssl_context(verify=verify)
    context.load_default_certs()
    return context
