"""Health and metrics of `views` over HTTP; the dashboard's routes are added by who has them. Nothing changes anything."""

import os
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client import CollectorRegistry, exposition

from connector.errors import Fatal

Mount = Callable[[web.Application], None]
"""Adds routes to the application."""

SHUTDOWN = 2.0
"""Seconds that open requests get to end."""


@asynccontextmanager
async def serving(
    registry: CollectorRegistry, not_ready: Callable[[], list[str]], mounts: Iterable[Mount], *, host: str, port: int
) -> AsyncIterator[int]:
    """Serve while inside; yields the port. Raises Fatal when the port is taken."""
    app = _application(registry, not_ready)
    for mount in mounts:
        mount(app)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN)
    await runner.setup()
    try:
        await _listen(runner, host, port)
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def _listen(runner: web.AppRunner, host: str, port: int) -> None:
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        words = os.strerror(error.errno or 0)
        raise Fatal(f"cannot listen on {host}:{port} ({words}): set CONNECTOR_VIEWS_HTTP_PORT to a free port, or 0") from error


def _application(registry: CollectorRegistry, not_ready: Callable[[], list[str]]) -> web.Application:
    async def live(_: web.Request) -> web.Response:
        return web.json_response({"status": "live"})

    async def ready(_: web.Request) -> web.Response:
        reasons = not_ready()
        status = "not ready" if reasons else "ready"
        return web.json_response({"status": status, "reasons": reasons}, status=503 if reasons else 200)

    async def metrics(_: web.Request) -> web.Response:
        headers = {"Content-Type": exposition.CONTENT_TYPE_LATEST}
        return web.Response(body=exposition.generate_latest(registry), headers=headers)

    app = web.Application()
    app.add_routes([web.get("/health/live", live), web.get("/health/ready", ready), web.get("/metrics", metrics)])
    return app
