"""The way to a POS: httpx's requests and answers over aiohttp's connections (docs/decisions/0017).

A request goes to httpx's transport itself, without a client around it: no cookie is kept or sent, no redirect is followed, no
address is logged, no environment is read on the way, and nothing is repeated. What is sent is sent once.
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from connector import tracing
from connector.errors import Misconfigured
from connector.mplus.document import TooLarge
from connector.mplus.resolver import Resolver

SENDING_S = 4.0
"""For connecting and for sending, each, when a call changes something: it must not leave later than its worker knows."""

PIECE_BYTES_MAX = 1 << 20
"""Of a request: what is larger goes out in pieces, so that others get their turn."""

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
    """How connections are made and kept. `connections_max`: 0 is any number; `idle_s`: how long one is kept without use.

    `connect_s`: bound for all of it, from the name to TLS, and for waiting for a free one; None: the call's own limit.
    """

    connections_max: int
    idle_s: float
    connect_s: float | None = None
    options: tuple[tuple[int, int, int], ...] = NOTICE_DEAD_PEERS

    def socket(self, address: Any) -> socket.socket:
        """A new one, with what this pool wants of it."""
        family, kind, protocol, *_ = address
        made = socket.socket(family, kind, protocol)
        made.settimeout(0)
        for option in self.options:
            made.setsockopt(*option)
        return made


READING = Pool(connections_max=20, idle_s=60.0)
"""For pages and heads: an administration has fewer entities than that."""

ORDERS = Pool(connections_max=0, idle_s=15.0, connect_s=SENDING_S, options=(*NOTICE_DEAD_PEERS, *GIVE_UP_UNSENT))
"""For calls about one order, one for each that is under way. One that the POS closes as it is used looks like a lost answer."""


class Answer:
    """An HTTP answer whose body has not been read yet."""

    def __init__(self, response: httpx.Response, limit: asyncio.Timeout) -> None:
        self._response = response
        self._limit = limit
        self.status = response.status_code
        self.retry_after = response.headers.get("retry-after", "")

    @property
    def charset(self) -> str | None:
        """The body's encoding by its HTTP header, where that is one to know and not UTF-8, which XML is without a word."""
        name = self._response.charset_encoding
        with suppress(LookupError, ValueError):
            return None if not name or b"\xc3\xa9".decode(name, "replace") == "\xe9" else name
        return None

    def chunks(self) -> AsyncIterator[bytes]:
        """The body as it comes, decompressed."""
        headers = self._response.headers
        if "x-gzip" in (packed := headers.get("content-encoding", "").lower()):
            headers["content-encoding"] = packed.replace("x-gzip", "gzip")  # its older name (RFC 9110, 8.4.1.3)
        return self._response.aiter_bytes()

    async def whole(self, most: int) -> bytes:
        """The body of a small answer. Raises TooLarge beyond `most` bytes."""
        body = bytearray()
        async for chunk in self.chunks():
            body += chunk
            if len(body) > most:
                raise TooLarge(f"more than {most} bytes where fewer were expected")
        return bytes(body)

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        """While inside, it is not the POS that is waited for: the time counts for nothing."""
        loop, end = asyncio.get_running_loop(), self._limit.when()
        started = loop.time()
        self._limit.reschedule(None)
        try:
            yield
        finally:
            if end is not None:
                self._limit.reschedule(end + loop.time() - started)


class Transport:
    """Connections of one kind to one POS. Raises Misconfigured for a proxy that cannot be used."""

    def __init__(self, access: Access, pool: Pool, resolver: Resolver) -> None:
        self._access = access
        self._pool = pool
        self._resolver = resolver
        limits = {"connect": access.connect_timeout, "pool": pool.connect_s}  # the rest is the call's own limit
        self._extensions = {"timeout": limits}
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
            keepalive_timeout=self._pool.idle_s,
            socket_factory=self._pool.socket,
            resolver=self._resolver,
        )
        return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False)


def headers(operation: str) -> dict[str, str]:
    """Of a request; one that serves a trace says which."""
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


def proxy_for(url: str) -> httpx.Proxy | None:
    """The proxy that the environment names for this address. Raises Misconfigured where it is none that can be used."""
    proxies = getproxies()
    with suppress(ValueError):  # an address that is none is told by the call
        scheme, host = urlsplit(url).scheme, urlsplit(url).hostname
        named = proxies.get(scheme) or proxies.get("all")
        return _proxy(named) if named and not proxy_bypass(host or "") else None
    return None


def _proxy(named: str) -> httpx.Proxy:
    with _understood():
        proxy = httpx.Proxy(named if "://" in named else f"http://{named}")
        if proxy.url.scheme not in ("http", "https"):
            raise ValueError("scheme")
        return proxy


@contextmanager
def _understood() -> Iterator[None]:
    try:
        yield
    except (ValueError, httpx.InvalidURL):  # its text would show a password
        raise Misconfigured(
            "the proxy that HTTP_PROXY, HTTPS_PROXY or ALL_PROXY names cannot be used for the POS: it must be an http:// or "
            "https:// address; or name the POS in NO_PROXY"
        ) from None
