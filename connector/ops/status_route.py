"""`/status` of a worker: its partitions, and what it knows of entities and commands."""

from typing import Any

from aiohttp import web

from connector.ops.http import Mount
from connector.ops.status import WorkerStatus


def status_route(worker: WorkerStatus) -> Mount:
    """To be mounted where health and metrics are served."""

    async def status(_: web.Request) -> web.Response:
        return web.json_response(_shown(worker))

    def mount(app: web.Application) -> None:
        app.router.add_get("/status", status)

    return mount


def _shown(worker: WorkerStatus) -> dict[str, Any]:
    entities, commands = worker.rows().items(), worker.commands.items()
    return {
        "partitions": [{"topic": topic, "partition": partition} for topic, partition in sorted(worker.partitions)],
        "entities": [{"administration": name, "entity": entity, **row} for (name, entity), row in entities],
        "commands": [{"administration": name, "command": command, **row} for (name, command), row in commands],
    }
