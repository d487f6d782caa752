"""Aids for tests of what shards share: a sandbox with something between that answers for it, a clock, and a client."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from connector.clock import Clock
from connector.mplus.client import Access, PosClient, Retries
from connector.mplus.responses.process import InlineDecoder
from connector.sandbox import Sandbox

SOAP = b'<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>%s</e:Body></e:Envelope>'
FAULT = b"<e:Fault><faultcode>e:Client</faultcode><faultstring>%s</faultstring></e:Fault>"
SPURIOUS = "End of file or no input: Operation interrupted or timed out"

Instead = Callable[[str, web.Response], Awaitable[web.StreamResponse | None]]
"""Of an operation and the POS's answer, what is answered instead; None: that answer."""


def interpose(pos: Sandbox, instead: Instead) -> None:
    """From now on."""
    answer = pos._endpoint._answer

    async def interposed(request: web.Request, call: Any) -> web.StreamResponse:
        right = await answer(request, call)
        assert isinstance(right, web.Response)
        return await instead(call.operation, right) or right

    pos._endpoint._answer = interposed  # type: ignore[method-assign]


def xml(body: bytes, status: int = 200) -> web.Response:
    """With this in its SOAP Body."""
    return web.Response(body=SOAP % body, status=status, content_type="text/xml")


def empty(operation: str, around: str) -> web.Response:
    """A page without items, as the WSDL wants it."""
    name = operation[0].upper() + operation[1:]
    return xml(f'<n:{name}Response xmlns:n="urn:mplusqapi"><n:{around}/></n:{name}Response>'.encode())


def refusal(text: str = SPURIOUS) -> web.Response:
    """A Client fault."""
    return xml(FAULT % text.encode(), 500)


def cut(answer: web.Response) -> web.Response:
    """A complete HTTP answer with XML that stops in the middle."""
    assert isinstance(answer.body, bytes)
    return web.Response(body=answer.body[: len(answer.body) // 2], content_type="text/xml")


@dataclass
class Time:
    """Stands still but for sleeps, which take no time; `sleeps` are those asked for."""

    now: float = 1000.0
    sleeps: list[float] = field(default_factory=list)

    async def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now += seconds

    @property
    def clock(self) -> Clock:
        return Clock(monotonic=lambda: self.now, sleep=self.sleep, chance=lambda: 0.0)


def quick_clock(times: float = 100.0) -> Clock:
    """A real clock on which so many times as much passes."""
    return Clock(monotonic=lambda: time.monotonic() * times)


@asynccontextmanager
async def client_of(pos: Sandbox) -> AsyncIterator[PosClient]:
    """Of one attempt a call."""
    access = Access("demo", pos.url, pos.ident, pos.secret, rate=1000, timeout=20)
    client = PosClient(access, InlineDecoder(), lambda _: None, retries=Retries(attempts=1))
    try:
        yield client
    finally:
        await client.close()
