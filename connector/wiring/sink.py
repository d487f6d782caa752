"""The sink of a worker: the tasks of every administration's order commands."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from connector.config.load import Config
from connector.kafka.ownership import Membership
from connector.kafka.records import Place
from connector.kafka.tasks import OnReady, TaskContext
from connector.kafka.writing.transactions import FencedProducer
from connector.messages.topics import Topics
from connector.mplus.client import PosClient
from connector.sink.context import Deadlines, MissingOperations
from connector.sink.intake.window import Window
from connector.sink.outbox import Limits
from connector.sink.pos.calls import Calls
from connector.sink.task import SinkTask, SinkTaskContext
from connector.wiring.topics import sink_limits

DAY_S = 24 * 3600.0
GRACE_S = 5.0
"""Seconds that calls under way are given when the worker stops: who takes over must look for what they did."""


class Commanding:
    """What is done on a command partition, of whichever administration."""

    def __init__(self, tasks: Mapping[str, SinkTask]) -> None:
        """`tasks`: by command topic."""
        self._tasks = tasks

    async def __call__(self, place: Place, producer: FencedProducer, membership: Membership, settled: OnReady) -> None:
        """See kafka.tasks.TaskBody."""
        await self._tasks[place.topic](place, producer, membership, settled)


@asynccontextmanager
async def commanding(config: Config, clients: Mapping[str, PosClient], task_context: TaskContext) -> AsyncIterator[Commanding]:
    """Calls that are under way at the end get a moment to end."""
    calls = {name: Calls(client) for name, client in clients.items()}
    window = Window(config.connector.bytes_in_flight)
    try:
        parts = {name: _parts(config, name, calls[name], task_context, window) for name in clients}
        yield Commanding({Topics(name).commands: SinkTask(parts[name]) for name in clients})
    finally:
        for each in calls.values():
            await each.end(GRACE_S)


def _parts(config: Config, name: str, calls: Calls, task_context: TaskContext, window: Window) -> SinkTaskContext:
    settings = config.connector
    return SinkTaskContext(
        task_context,
        name,
        Topics(name),
        calls,
        missing=MissingOperations(),
        deadlines=Deadlines(settings.answer_deadline, settings.unknown_after, ledger=settings.ledger_retention * DAY_S),
        in_flight=settings.commands_in_flight,
        retention=settings.ledger_retention * DAY_S,
        proof=settings.session_timeout / 2,
        linger=min(1.5, settings.session_timeout / 5),  # the rebalance waits for it
        group=settings.group,
        partitions=settings.command_partitions,
        limits=Limits(sink_limits(name, settings)),
        window=window,
    )
