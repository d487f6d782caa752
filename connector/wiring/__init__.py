"""The composition root: the one place that knows all parts and puts a worker together from a configuration."""

import asyncio
import gc
import hashlib
import os
import socket
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from importlib.metadata import version

from connector.clock import Clock
from connector.config.load import Config
from connector.errors import Fatal
from connector.kafka.configured import cluster_of
from connector.kafka.ownership import Ownership
from connector.kafka.records import Place, Record
from connector.kafka.tasks import TaskBody, TaskContext, TransactionalTasks, run_together
from connector.kafka.topics import ensure
from connector.kafka.writing.transactions import Tuning
from connector.messages import command
from connector.messages.status import encode
from connector.messages.topics import Topics, work_topic
from connector.ops import fan_out
from connector.ops.http import serving
from connector.ops.log_throttle import FloodLog
from connector.ops.metrics import Metrics, Share
from connector.ops.otel_setup import exporter_asked, tracing
from connector.ops.status import WorkerStatus
from connector.ops.status_route import status_route
from connector.ops.waiting import WaitingLog
from connector.source.entities import Entity
from connector.source.position_writer import Shard
from connector.wiring.clients import access, clients
from connector.wiring.deployment import settle
from connector.wiring.descriptors import raise_limit
from connector.wiring.sink import commanding
from connector.wiring.source import chosen_entities, kept, polling
from connector.wiring.topics import plan

__all__ = ["ROLES", "Worker", "access", "chosen_entities", "kept", "run"]

ROLES = ("source", "commands")


@dataclass(frozen=True, slots=True)
class Worker:
    """What `run` shows: the status, and where HTTP is served."""

    status: WorkerStatus
    port: int


async def run(
    config: Config, *, roles: Sequence[str] = ROLES, adopt: bool = False, started: "asyncio.Future[Worker] | None" = None
) -> None:
    """Run a worker until cancelled. Raises Fatal with a line that says what to do."""
    exporter_asked(os.environ)  # wrong usage is told before anything is done
    raise_limit()
    settings, clock = config.connector, Clock()
    cluster = cluster_of(config.kafka)
    await prepare_topics(config, chosen_entities(config))
    await settle(config, roles, adopt=adopt)
    status = WorkerStatus(clock, owner_name(), digest(config))
    metrics = Metrics(status)
    metrics.expect(share(config, roles))
    tell = fan_out([status, metrics, FloodLog(clock.monotonic), WaitingLog(clock.monotonic)])
    task_context = TaskContext(cluster, tell, clock, Tuning(settings.compression, largest=settings.max_event_bytes))
    gc.freeze()  # what is there now stays; pages make no cycles, so looking for them seldom is enough
    gc.set_threshold(50_000, 20, 50)
    async with AsyncExitStack() as stack:
        stack.enter_context(tracing(os.environ))
        pos = await stack.enter_async_context(clients(config, task_context.tell))
        works = []
        if "source" in roles:
            polled = await stack.enter_async_context(
                polling(config, pos, task_context, lambda owned: status_records(status, owned), owner=owner_name())
            )
            works.append(_ownership(config, task_context, "pollers", [work_topic(settings.group)], polled))
        if "commands" in roles:
            commanded = await stack.enter_async_context(commanding(config, pos, task_context))
            works.append(_ownership(config, task_context, "commands", [Topics(name).commands for name in pos], commanded))
        groups = [work.group for work in works]
        served = serving(
            lambda: not_ready(status, groups),
            metrics.exposed,
            [status_route(status)],
            where=(settings.http_host, settings.http_port),
            setting="CONNECTOR_HTTP_PORT",
        )
        port = await stack.enter_async_context(served)
        if started is not None:
            started.set_result(Worker(status, port))
        await run_together(*(work.run() for work in works))


def _ownership(config: Config, task_context: TaskContext, role: str, topics: Sequence[str], work: TaskBody) -> Ownership:
    group, session = config.connector.group, config.connector.session_timeout

    def transactional_id(place: Place) -> str:
        return f"{group}.{place.partition}" if role == "pollers" else f"{group}.{place.topic}.{place.partition}"

    tasks = TransactionalTasks(task_context, transactional_id, work)
    return Ownership(task_context.cluster, topics, f"{group}.{role}", tasks, session_timeout=session, tell=task_context.tell)


async def prepare_topics(config: Config, entities: Sequence[Entity]) -> None:
    """Create what is missing. Raises Fatal with every problem."""
    cluster = cluster_of(config.kafka)
    with cluster.reaching():
        problems = await ensure(cluster, plan(config, entities))
    if problems:
        raise Fatal("; ".join(problems))


OF_A_MACHINE = {"http_host", "http_port", "views_http_port", "views_data", "log_format", "log_level"}
"""Settings in which workers may differ."""


def status_records(status: WorkerStatus, shards: Sequence[Shard]) -> list[Record]:
    """The status topic's records of these shards."""
    rows = status.rows((shard.administration, shard.entity) for shard in shards)
    return [encode(*where, row) for where, row in rows.items()]


def share(config: Config, roles: Sequence[str]) -> Share:
    """What a worker with these roles may get to do."""
    names, settings = [row.administration for row in config.administrations], config.connector
    shards = [(name, entity.name) for name in names for entity in chosen_entities(config)] if "source" in roles else []
    commands = [(name, each) for name in names for each in command.names()] if "commands" in roles else []
    partitions = [(work_topic(settings.group), settings.work_partitions)] if "source" in roles else []
    partitions += [(Topics(name).commands, settings.command_partitions) for name in names if "commands" in roles]
    return Share(version("mplus-connector"), digest(config), shards, commands, partitions, settings.page_size)


def not_ready(status: WorkerStatus, groups: Sequence[str]) -> list[str]:
    """Why this worker is not ready, in words. One without work is: it stands by."""
    reasons = [f"{name}: {outage}" for name, outage in status.outages.items()]
    assigned, owned = status.assigned, len(status.partitions)
    reasons += [f"not a member of the consumer group {group} (yet)" for group in groups if group not in assigned]
    if owned < sum(assigned.values()):
        reasons.append(f"{sum(assigned.values()) - owned} assigned partitions are not taken yet")
    return reasons


def owner_name() -> str:
    """This worker, for people: host and process."""
    return f"{socket.gethostname()}:{os.getpid()}"


def digest(config: Config) -> str:
    """Short digest of the configuration without secrets: workers that differ in it were configured differently."""
    return hashlib.blake2b(config.model_dump_json(exclude={"connector": OF_A_MACHINE}).encode(), digest_size=4).hexdigest()
