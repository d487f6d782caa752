"""A bad POS in front of a good one: it hands reading calls on and misbehaves in one way at a time, switched while it runs.

What the ways are stands in `bad_modes.py`.
"""

import asyncio
import re
import ssl
import subprocess
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self, cast

import aiohttp
from aiohttp import web

from connector.sandbox import Sandbox
from connector.sandbox.operations import OPERATIONS
from connector.sandbox.pages import Page
from connector.sandbox.shop.entities import ENTITIES

LISTS = {"getDeliveryMethods": "deliveryMethod", "getOrderCategories": "orderCategory"}
_ANSWERED_BY = {name: getattr(row.answer, "__self__", None) for name, row in OPERATIONS.items()}
PAGES = {name: ENTITIES[page.entity].element for name, page in _ANSWERED_BY.items() if isinstance(page, Page)} | LISTS
"""Operation → the element of its rows."""

HEADS = ("getCurrentSyncMarkersV2", "getCurrentSyncMarkers")
LIMIT = re.compile(rb"(Limit>)(\d+)<")
LARGEST_REQUEST = 16 << 20
"""Bytes."""


class Certificate(NamedTuple):
    """Paths of a certificate and its key, PEM; it signs itself, so it is its own authority too."""

    chain: str
    key: str


def certificate(directory: Path, *names: str) -> Certificate:
    """Made anew, for 127.0.0.1 and these names."""
    made = Certificate(str(directory / "pos.pem"), str(directory / "pos.key"))
    subject = ",".join(["IP:127.0.0.1", *(f"DNS:{name}" for name in names)])
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=bad-pos"]
    more = ["-addext", f"subjectAltName={subject}", "-keyout", made.key, "-out", made.chain]
    subprocess.run([*make, *more], check=True, capture_output=True)
    return made


class Told(NamedTuple):
    """What the good POS answered."""

    status: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Call:
    """One call as it came; `first` says whether it is the first of its operation since the mode began."""

    box: "BadPos"
    request: web.Request
    operation: str
    body: bytes
    first: bool

    @property
    def limit(self) -> int:
        """How many items are asked for; 0 where the operation has no limit."""
        found = LIMIT.search(self.body)
        return int(found[2]) if found else 0

    def asking_for(self, limit: int) -> bytes:
        """The same call with another limit."""
        return LIMIT.sub(rb"\g<1>%d<" % limit, self.body)

    async def told(self, body: bytes | None = None) -> Told:
        """What the good POS answers to it, or to this body."""
        return await self.box.forwarded(self.request, self.body if body is None else body)


Act = Callable[[Call], Awaitable[web.StreamResponse | None]]
"""What a mode answers; None: what the good POS does."""

Byte = Callable[["BadPos", asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
"""What a mode does to a connection, below HTTP."""


@dataclass(frozen=True, slots=True)
class Mode:
    """One way to misbehave: towards calls of `operations` (none: all), or below HTTP.

    `tls`: only where it is spoken. `slow`: what it does to its own administration lasts a minute longer.
    """

    act: Act | None = None
    operations: tuple[str, ...] = ()
    byte: Byte | None = None
    tls: bool = False
    slow: bool = False
    wants_certificate: bool = False


class BadPos:
    """`async with BadPos(pos) as bad:` listens on `bad.url`; `play` switches, `be_good` ends it.

    With a certificate it speaks TLS; `name` is how its address names it. `struck` counts, by mode, what was answered badly,
    `strayed` the calls that followed a redirect.
    """

    def __init__(self, pos: Sandbox, certificate: Certificate | None = None, *, name: str = "127.0.0.1") -> None:
        self.url = ""
        self.pos = pos
        self.ident, self.secret = pos.ident, pos.secret
        self.mode, self._playing = "", Mode()
        self.struck: Counter[str] = Counter()
        self.strayed = 0
        self._seen: Counter[str] = Counter()
        self._certificate = certificate
        self._name = name
        self._over = asyncio.Event()
        self._open: dict[asyncio.StreamWriter, asyncio.Task[None]] = {}
        self._ports: list[int] = []

    @property
    def as_pos(self) -> Sandbox:
        """Itself for whoever takes a Sandbox: all but the address is the good one's own."""
        return cast(Sandbox, self)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.pos, name)

    def play(self, name: str, mode: Mode) -> None:
        """Misbehave in this way from now on: what is under way is cut off, so that it begins at once."""
        self.turn(name, mode)
        self.cut()

    def turn(self, name: str, mode: Mode) -> None:
        """The same from the next call on."""
        self.mode, self._playing = name, mode
        self._seen.clear()
        self._over.set()
        self._over = asyncio.Event()

    def be_good(self) -> None:
        """Hand everything on from now on."""
        self.play("", Mode())

    def cut(self) -> None:
        """End every connection."""
        for writer in self._open:
            writer.transport.abort()

    async def over(self) -> None:
        """Wait until another mode begins."""
        await self._over.wait()

    async def forwarded(self, request: web.Request, body: bytes) -> Told:
        passed = {name: request.headers[name] for name in ("Content-Type", "SOAPAction") if name in request.headers}
        async with self._http.post(self.pos.url.rstrip("/") + request.path_qs, data=body, headers=passed) as reply:
            return Told(reply.status, await reply.read())

    async def __aenter__(self) -> Self:
        application = web.Application(client_max_size=LARGEST_REQUEST)
        application.router.add_post("/", self._handle)
        application.router.add_route("*", "/{path:.+}", self._stray)
        self._http = aiohttp.ClientSession()
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        for context in self._contexts():
            await web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=context).start()
        self._ports = [address[1] for address in self._runner.addresses]
        self._front = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        scheme, port = "https" if self._certificate else "http", self._front.sockets[0].getsockname()[1]
        self.url = f"{scheme}://{self._name}:{port}/"
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.be_good()
        self._front.close()
        await asyncio.gather(*self._open.values(), return_exceptions=True)
        await self._runner.cleanup()
        await self._http.close()

    def server_side(self, *, wants_certificate: bool = False) -> ssl.SSLContext:
        """TLS as this POS speaks it."""
        assert self._certificate, "it speaks no TLS"
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self._certificate.chain, self._certificate.key)
        if wants_certificate:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self._certificate.chain)
        return context

    def _contexts(self) -> list[ssl.SSLContext | None]:
        if self._certificate is None:
            return [None]
        return [self.server_side(), self.server_side(wants_certificate=True)]

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._open[writer] = task
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                if self._playing.byte:
                    self.struck[self.mode] += 1
                    await self._playing.byte(self, reader, writer)
                else:
                    await self._passed_on(reader, writer)
        finally:
            del self._open[writer]
            writer.transport.abort()

    async def _passed_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """To the side that speaks HTTP."""
        self.struck[self.mode] += self._playing.wants_certificate
        inside, answer = await asyncio.open_connection("127.0.0.1", self._ports[self._playing.wants_certificate])
        ways = [asyncio.create_task(_pumped(reader, answer)), asyncio.create_task(_pumped(inside, writer))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            answer.transport.abort()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        operation, mode = request.headers.get("SOAPAction", "").strip('"').rpartition("#")[2], self._playing
        try:
            body = await request.read()
        except ConnectionResetError:  # cut
            return web.Response()
        self._seen[operation] += 1
        call = Call(self, request, operation, body, self._seen[operation] == 1)
        answer = None
        if mode.act and (not mode.operations or operation in mode.operations):
            name = self.mode
            self.struck[name] += 1  # now, for some never end
            answer = await mode.act(call)
            self.struck[name] -= answer is None
        if answer is None:
            told = await call.told()
            answer = web.Response(status=told.status, body=told.body, content_type="text/xml", charset="utf-8")
        return answer

    async def _stray(self, request: web.Request) -> web.StreamResponse:
        self.strayed += 1
        return web.Response(status=404)


async def _pumped(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while chunk := await reader.read(1 << 16):
            writer.write(chunk)
            await writer.drain()
