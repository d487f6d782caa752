"""Health, metrics and status over HTTP. Reads only: nothing that changes anything is served."""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from prometheus_client import exposition

from connector.errors import Fatal
from connector.ops.metrics import Metrics
from connector.ops.status import WorkerStatus

Readiness = Callable[[], list[str]]
"""Reasons why the worker is not ready; none when it is."""


@asynccontextmanager
async def serving(board: WorkerStatus, metrics: Metrics, not_ready: Readiness, *, host: str, port: int) -> AsyncIterator[int]:
    """Serve while inside; yields the port. Raises Fatal when the port is taken."""
    runner = web.AppRunner(_application(board, metrics, not_ready), access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        await runner.cleanup()
        raise Fatal(
            f"cannot listen on {host}:{port} ({os.strerror(error.errno or 0)}): set CONNECTOR_HTTP_PORT to a free port, or 0"
        ) from error
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


def _application(board: WorkerStatus, metrics: Metrics, not_ready: Readiness) -> web.Application:
    async def live(_: web.Request) -> web.Response:
        return web.json_response({"status": "live"})

    async def ready(_: web.Request) -> web.Response:
        reasons = not_ready()
        return web.json_response(
            {"status": "not ready" if reasons else "ready", "reasons": reasons}, status=503 if reasons else 200
        )

    async def show_metrics(_: web.Request) -> web.Response:
        metrics.collect()
        return web.Response(
            body=exposition.generate_latest(metrics.registry), headers={"Content-Type": exposition.CONTENT_TYPE_LATEST}
        )

    async def status(_: web.Request) -> web.Response:
        return web.json_response(_status(board))

    app = web.Application()
    app.add_routes(
        [
            web.get("/health/live", live),
            web.get("/health/ready", ready),
            web.get("/metrics", show_metrics),
            web.get("/status", status),
        ]
    )
    return app


def _status(board: WorkerStatus) -> dict[str, Any]:
    entities, commands = board.rows().items(), board.commands.items()
    return {
        "partitions": [{"topic": topic, "partition": partition} for topic, partition in sorted(board.partitions)],
        "entities": [{"administration": name, "entity": entity, **row} for (name, entity), row in entities],
        "commands": [{"administration": name, "command": command, **row} for (name, command), row in commands],
    }
