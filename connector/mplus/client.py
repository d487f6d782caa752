"""One client per administration: a pooled HTTP connection, deadlines, a request rate, retries.

The POS secret travels in the query string. So no URL appears in a message, httpx's errors are never chained
(they hold the request), a fault's text is shown without the secret that it may echo, and httpx's and httpcore's
loggers, which print URLs, are silenced by `ops/log.py`.
"""

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.request import getproxies

import httpx
import stamina
from aiolimiter import AsyncLimiter

from connector.errors import AccessDenied, ConnectorError, Retry
from connector.events import CallMade, CallRetried, Listener
from connector.mplus.answers import OrderAnswer, read_answer
from connector.mplus.faults import DENIED, retry_after, translated
from connector.mplus.offload import Decoder
from connector.mplus.operations import OPERATIONS, Operation
from connector.mplus.pages import FaultError, Item, PageError, PageSpec, Undecodable, read_fault, read_numbers
from connector.mplus.soap import Fields, request

CHUNK = 1 << 16
"""Bytes handed to the decoder at a time."""

KEEPALIVE = {"TCP_KEEPIDLE": 20, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 4}
"""Seconds of silence, seconds between probes, probes: as far as the system knows them."""

SMALL_ANSWER = 1 << 20
"""Bytes of an answer that is not a page, at most: a head, a version, a fault."""

ORDER_ANSWER = 16 << 20
"""Bytes of an answer that holds one order, at most."""

SENDING = 4.0
"""Seconds for connecting and for sending, each, when a call changes something: it must not leave later than its worker knows."""

UNSENT = [(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(SENDING * 1000))] if hasattr(socket, "TCP_USER_TIMEOUT") else []
"""What the POS has not acknowledged by then is given up by the system too."""

NOTICE_DEAD_PEERS = [
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    *((socket.IPPROTO_TCP, getattr(socket, name), value) for name, value in KEEPALIVE.items() if hasattr(socket, name)),
]
"""A slow POS may be silent for long; a dead one shall be noticed after a minute."""

CONNECTIONS = 64
"""Of one administration, for looking, and as many for changing."""

SocketOptions = list[tuple[int, int, int]]
Page = list[Item | Undecodable]
Answer = TypeVar("Answer")


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


@dataclass(frozen=True, slots=True)
class Retries:
    """How often a repeatable call is tried, and how long to wait in between (seconds, doubling, jittered)."""

    attempts: int = 4
    first: float = 0.3
    most: float = 10.0
    longest_asked: float = 60.0


class PosClient:
    """Calls operations. Raises Retry (server fault, timeout, unreachable, garbled), AccessDenied, Refused."""

    def __init__(self, access: Access, decoder: Decoder, tell: Listener, *, retries: Retries = Retries()) -> None:
        self._access = access
        self._decoder = decoder
        self._tell = tell
        self._retries = retries
        self._limiter = AsyncLimiter(max(1.0, access.rate), max(1.0, access.rate) / access.rate)
        self._http = _http(access, NOTICE_DEAD_PEERS, httpx.Timeout(access.timeout, connect=access.connect_timeout))
        sending = min(SENDING, access.connect_timeout)
        self._changing = _http(
            access, [*NOTICE_DEAD_PEERS, *UNSENT], httpx.Timeout(access.timeout, connect=sending, write=SENDING)
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()
        await self._changing.aclose()

    async def page(self, operation: str, fields: Fields, spec: PageSpec) -> Page:
        """Read one page to its end: the decoded items, in the POS's order."""
        return await self._call(operation, fields, lambda answer: self._decoded(answer, spec))

    async def numbers(self, operation: str, fields: Fields = ()) -> dict[str, int]:
        """A small answer's direct integer children, by name (heads, versions)."""

        async def read(answer: httpx.Response) -> dict[str, int]:
            return read_numbers(await _small(answer))

        return await self._call(operation, fields, read)

    async def order(self, operation: str, fields: Fields) -> OrderAnswer:
        """Look at an order; repeated by itself."""
        return await self._call(operation, fields, _order_answer)

    async def turn(self) -> None:
        """Wait until the request rate allows one more call."""
        await self._limiter.acquire()

    async def change(self, operation: str, fields: Fields) -> OrderAnswer:
        """Change something: sent at once and once, after `turn`. NotSent and Unanswered tell what may have happened."""
        async with self._sent(self._changing, operation, self._body(operation, fields)) as answer:
            return await _order_answer(answer)

    async def _decoded(self, answer: httpx.Response, spec: PageSpec) -> Page:
        decoding = self._decoder.open(spec)
        items: Page = []
        try:
            async for chunk in answer.aiter_bytes():
                items += await decoding.feed(chunk)
            items += await decoding.close()
        finally:
            decoding.abandon()
        return items

    async def _call(self, operation: str, fields: Fields, read: Callable[[httpx.Response], Awaitable[Answer]]) -> Answer:
        body = self._body(operation, fields)
        async for attempt in self._attempts(OPERATIONS[operation]):
            if attempt.num > 1:
                self._tell(CallRetried(self._access.administration, operation, attempt.num))
            with attempt:
                async with self._answer(operation, body) as answer:
                    return await read(answer)
        raise AssertionError("stamina raises the last error")

    def _body(self, operation: str, fields: Fields) -> bytes:
        return request(operation, [("request", fields)] if OPERATIONS[operation].wrapped else fields)

    def _attempts(self, operation: Operation) -> AsyncIterator[stamina.Attempt]:
        patience = self._retries
        return aiter(
            stamina.retry_context(
                on=lambda error: _again(error, patience.longest_asked),
                attempts=patience.attempts if operation.repeatable else 1,
                timeout=None,
                wait_initial=patience.first,
                wait_max=patience.most,
                wait_jitter=patience.first,
            )
        )

    @asynccontextmanager
    async def _answer(self, operation: str, body: bytes) -> AsyncIterator[httpx.Response]:
        """Send one request when its turn has come."""
        await self._limiter.acquire()
        async with self._sent(self._http, operation, body) as answer:
            yield answer

    @asynccontextmanager
    async def _sent(self, http: httpx.AsyncClient, operation: str, body: bytes) -> AsyncIterator[httpx.Response]:
        """A successful answer's body is read within, under the same deadline."""
        started, fault = time.monotonic(), ""
        try:
            with translated(operation, self._access.secret):
                async with asyncio.timeout(self._access.timeout), self._send(http, operation, body) as answer:
                    await _refuse_faults(answer)
                    yield answer
        except ConnectorError as error:
            fault = type(error).__name__
            error.__context__ = None  # `from None` only hides httpx's error: whoever walks the chain finds the request
            raise
        finally:
            self._tell(CallMade(self._access.administration, operation, time.monotonic() - started, fault))

    def _send(self, http: httpx.AsyncClient, operation: str, body: bytes) -> AbstractAsyncContextManager[httpx.Response]:
        return http.stream(
            "POST",
            self._access.url,
            params={"ident": self._access.ident, "secret": self._access.secret},
            headers={"Content-Type": "text/xml; charset=utf-8", "SOAPAction": operation},
            content=body,
        )


def _http(access: Access, options: SocketOptions, timeout: httpx.Timeout) -> httpx.AsyncClient:
    limits = httpx.Limits(max_connections=CONNECTIONS, keepalive_expiry=20)
    transport = httpx.AsyncHTTPTransport(verify=access.tls, limits=limits, socket_options=options)
    # httpx takes proxies from the environment only without a transport
    return httpx.AsyncClient(verify=access.tls, transport=None if getproxies() else transport, timeout=timeout)


async def _order_answer(answer: httpx.Response) -> OrderAnswer:
    return read_answer(await _small(answer, ORDER_ANSWER))


def _again(error: Exception, longest: float) -> bool | float:
    if not isinstance(error, Retry):
        return False
    return True if error.after is None else min(error.after, longest)


async def _refuse_faults(answer: httpx.Response) -> None:
    if answer.status_code == 200:
        return
    if answer.status_code in (401, 403):
        raise AccessDenied(DENIED, str(answer.status_code))
    if answer.status_code in (429, 503):
        raise Retry(f"the POS asks to wait (HTTP {answer.status_code})", after=retry_after(answer.headers.get("retry-after", "")))
    fault = read_fault(await _small(answer))
    if fault is None:
        raise Retry(f"the POS answered HTTP {answer.status_code} without a SOAP fault")
    raise FaultError(*fault)


async def _small(answer: httpx.Response, most: int = SMALL_ANSWER) -> bytes:
    body = bytearray()
    async for chunk in answer.aiter_bytes(CHUNK):
        body += chunk
        if len(body) > most:
            raise PageError(f"more than {most} bytes where a few were expected")
    return bytes(body)
