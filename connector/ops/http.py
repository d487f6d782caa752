"""Health and metrics over HTTP, of `run` and of `views`; who has more routes mounts them. It only reads."""

import os
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client import exposition

from connector.errors import Fatal

SHUTDOWN_S = 2.0
"""Seconds that open requests get to end."""

Readiness = Callable[[], list[str]]
"""Reasons why the worker is not ready; none when it is."""

Exposed = Callable[[], bytes]
"""The metrics as they are now, in Prometheus's text format."""

Mount = Callable[[web.Application], None]
"""Adds routes to the application."""


@asynccontextmanager
async def serving(
    not_ready: Readiness, exposed: Exposed, mounts: Iterable[Mount], *, where: tuple[str, int], setting: str
) -> AsyncIterator[int]:
    """Serve at host and port while inside; yields the port. `setting` names the port's. Raises Fatal when it is taken."""
    app = _application(not_ready, exposed)
    for mount in mounts:
        mount(app)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_S)
    await runner.setup()
    try:
        await _listen(runner, where, setting)
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def _listen(runner: web.AppRunner, where: tuple[str, int], setting: str) -> None:
    host, port = where
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        words = os.strerror(error.errno or 0)
        raise Fatal(f"cannot listen on {host}:{port} ({words}): set {setting} to a free port, or 0") from error


def _application(not_ready: Readiness, exposed: Exposed) -> web.Application:
    async def live(_: web.Request) -> web.Response:
        return web.json_response({"status": "live"})

    async def ready(_: web.Request) -> web.Response:
        reasons = not_ready()
        status = "not ready" if reasons else "ready"
        return web.json_response({"status": status, "reasons": reasons}, status=503 if reasons else 200)

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=exposed(), headers={"Content-Type": exposition.CONTENT_TYPE_LATEST})

    app = web.Application()
    app.add_routes([web.get("/health/live", live), web.get("/health/ready", ready), web.get("/metrics", metrics)])
    return app
