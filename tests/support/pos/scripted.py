"""A POS of a few lines that answers as it is told, for what the sandbox does not do; and clients that speak to one."""

import gzip
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from connector.events.base import Event
from connector.mplus.client import Access, PosClient, Retries
from connector.mplus.responses.process import InlineDecoder

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]
IDENT = "an ident"
SECRET = "s3cret/&?+ü"
"""With characters that a query must escape, so that both spellings are looked for."""
QUICK = Retries(attempts=4, first=0.01, most=0.05)
SOAP = '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>%s</e:Body></e:Envelope>'


def xml(body: str, status: int = 200, **headers: str) -> Answer:
    """An answer with this in its SOAP Body."""
    given = {name.replace("_", "-"): text for name, text in headers.items()}

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(body=(SOAP % body).encode(), status=status, headers=given, content_type="text/xml")

    return answer


def version(major: int = 67) -> Answer:
    """A successful getApiVersion."""
    return xml(
        f'<n:getApiVersionResponse xmlns:n="urn:mplusqapi"><n:majorNumber>{major}</n:majorNumber></n:getApiVersionResponse>'
    )


def found(code: str = "GET-ORDER-RESULT-OK") -> Answer:
    """A successful getOrder or findOrder."""
    return xml(f'<n:GetOrderResponse xmlns:n="urn:mplusqapi"><n:result>{code}</n:result></n:GetOrderResponse>')


def fault(code: str, text: str) -> Answer:
    """A SOAP fault."""
    return xml(f"<e:Fault><faultcode>e:{code}</faultcode><faultstring>{text}</faultstring></e:Fault>", 500)


def zipped(body: str) -> Answer:
    """A compressed answer."""

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(body=gzip.compress((SOAP % body).encode()), headers={"Content-Encoding": "gzip"})

    return answer


def echo(code: str, status: int = 500) -> Answer:
    """A fault that repeats the whole address it was asked at, as it came and as it reads."""

    async def answer(request: web.Request) -> web.StreamResponse:
        said = f"{request.raw_path} {request.query['secret']} {request.rel_url}".replace("&", "&amp;").replace("<", "&lt;")
        return await fault(code, said)(request)

    return answer


class ScriptedPos:
    """Gives its answers in turn, the last one for ever."""

    def __init__(self, *answers: Answer) -> None:
        self._answers = answers
        self.url = ""
        self.asked: list[float] = []
        self.bodies: list[bytes] = []
        self.accepts: list[str] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """The next answer."""
        self.asked.append(time.monotonic())
        self.accepts.append(request.headers.get("Accept-Encoding", ""))
        self.bodies.append(await request.read())
        return await self._answers[min(len(self.asked), len(self._answers)) - 1](request)


@asynccontextmanager
async def scripted(*answers: Answer) -> AsyncIterator[ScriptedPos]:
    """A scripted POS that listens."""
    pos = ScriptedPos(*answers)
    application = web.Application()
    application.router.add_post("/", pos.handle)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        pos.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
        yield pos
    finally:
        await runner.cleanup()


@asynccontextmanager
async def client(
    url: str, *, ident: str = IDENT, secret: str = SECRET, retries: Retries = QUICK, rate: float = 1000, timeout: float = 10
) -> AsyncIterator[tuple[PosClient, list[Event]]]:
    """A client, and what it tells."""
    told: list[Event] = []
    access = Access("demo", url, ident, secret, connect_timeout=min(2.0, timeout), timeout=timeout, rate=rate)
    speaking = PosClient(access, InlineDecoder(), told.append, retries=retries)
    try:
        yield speaking, told
    finally:
        await speaking.close()
