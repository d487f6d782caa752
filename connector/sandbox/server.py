"""A running sandbox: the shop, its endpoint and its activity behind one HTTP server."""

import asyncio
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from signal import SIGINT, SIGTERM
from types import TracebackType
from typing import Self

from aiohttp import web

from connector.sandbox.control import Control
from connector.sandbox.endpoint import Endpoint
from connector.sandbox.faults.switches import Faults
from connector.sandbox.options import SandboxOptions
from connector.sandbox.order_operations.staff import StaffedShop
from connector.sandbox.requests_seen import RequestLog
from connector.sandbox.shop.activity import Activity
from connector.sandbox.shop.memory import Effect, OrderMemory
from connector.sandbox.shop.selection import LIMIT_SEMANTICS

REQUEST_BYTES_MAX = 16 * 1024 * 1024  # bytes
SHUTDOWN_S = 1.0  # seconds that open calls have left when it stops


class Sandbox:
    """`async with Sandbox(SandboxOptions(...)) as pos:` listens on `pos.url` until the block ends.

    `clock` (seconds since 1970) dates what happens while it runs; what it starts with is dated by the seed.
    """

    def __init__(self, options: SandboxOptions | None = None, *, clock: Callable[[], float] = time.time) -> None:
        self.options = options or SandboxOptions()
        self.ident = self.options.ident
        self.secret = self.options.secret
        self.url = ""
        self.faults = Faults(self.options.seed)
        self.shop = open_shop(self.options, self.faults, clock)
        self.activity = Activity(self.shop, self.options.activity)
        self._endpoint = Endpoint(self.shop, self.faults, self.options)
        self._runner: web.AppRunner | None = None
        self._life: asyncio.Task[None] | None = None

    @property
    def requests(self) -> RequestLog:
        return self._endpoint.log

    @property
    def effects(self) -> list[Effect]:
        """What commands and cashiers really did to orders, one row per effect, in order."""
        return self.shop.memory.effects

    def truth(self) -> dict[str, dict[str, int]]:
        """Per entity, identity -> marker of everything that a reader with the default filter must find."""
        return self.shop.truth()

    async def __aenter__(self) -> Self:
        # No access log: its lines hold the query, and the query holds the secret.
        self._runner = web.AppRunner(self._application(), access_log=None, shutdown_timeout=SHUTDOWN_S)
        await self._runner.setup()
        await web.TCPSite(self._runner, self.options.host, self.options.port, ssl_context=_tls(self.options)).start()
        scheme = "https" if self.options.tls_cert else "http"
        self.url = f"{scheme}://{self.options.host}:{self._runner.addresses[0][1]}/"
        self._life = asyncio.create_task(self.activity.run())
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._life:
            self._life.cancel()
            with suppress(asyncio.CancelledError):
                await self._life
        if self._runner:
            await self._runner.cleanup()

    def _application(self) -> web.Application:
        application = web.Application(client_max_size=REQUEST_BYTES_MAX)
        application.router.add_post("/", self._endpoint.handle)
        application.add_routes(Control(self.shop, self.faults, self.activity, self.requests).routes())
        return application


def open_shop(options: SandboxOptions, faults: Faults, clock: Callable[[], float]) -> StaffedShop:
    memory = OrderMemory(faults, forget_keys=options.forget_keys, clock=clock)
    shop = StaffedShop(options.seed, options.items, options.per_entity, memory=memory, clock=clock)
    shop.limits = LIMIT_SEMANTICS[options.limit_semantics]
    shop.stock_inclusive = options.stock_inclusive
    shop.late.share, shop.late.seconds, shop.late.counted = options.late, options.late_seconds, options.late_counted
    return shop


def _tls(options: SandboxOptions) -> ssl.SSLContext | None:
    if options.tls_cert is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(options.tls_cert, options.tls_key)
    return context


async def serve(options: SandboxOptions) -> None:
    """Run a sandbox, saying where it listens, until SIGINT or SIGTERM. OSError: the port is taken or TLS files do not load."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signal in (SIGINT, SIGTERM):
        loop.add_signal_handler(signal, stop.set)
    try:
        async with Sandbox(options) as pos:
            print(f"sandbox listening on {pos.url} (ident {pos.ident})", flush=True)  # noqa: T201 the verb's one line
            await stop.wait()
    finally:
        for signal in (SIGINT, SIGTERM):
            loop.remove_signal_handler(signal)
