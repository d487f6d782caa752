"""A views worker put together: the stages of every administration, the tables, the HTTP server and the dashboard in it."""

import asyncio
import gc
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from connector.clock import Clock
from connector.config.load import Config
from connector.dashboard.service import dashboard
from connector.errors import Fatal
from connector.kafka.configured import cluster_of
from connector.messages.topics import Topics, views_group
from connector.ops import fan_out
from connector.ops.http import serving
from connector.ops.log_throttle import FloodLog
from connector.views.app import AppSettings, silence_loggers
from connector.views.metrics import ViewsMetrics
from connector.views.progress import Progress
from connector.views.stages import Stage, entity_topics, stages
from connector.views.worker import ViewsWorker
from connector.wiring import chosen_entities, prepare_topics
from connector.wiring.descriptors import raise_limit
from connector.wiring.topics import DEAD_LETTER_ROOM_BYTES

OWN_DIRECTORY = "mplus-connector-views"


async def run_views(config: Config, shows: Callable[[Progress], None], started: "asyncio.Future[int] | None" = None) -> None:
    """Run a views worker until cancelled; `started` becomes the port. Raises Fatal with a line that says what to do."""
    settings, clock = config.connector, Clock()
    silence_loggers()
    raise_limit()
    _make(tables_at(config))
    await prepare_topics(config, chosen_entities(config))
    rows = {topics: _stages(config, topics, clock) for topics in map(Topics, _names(config))}
    read = {topic for row in rows.values() for stage in row for topic in stage.reads}
    metrics = ViewsMetrics(clock.wall().timestamp(), sorted(read))
    worker = ViewsWorker(app_settings(config), fan_out([metrics, FloodLog(clock.monotonic)]), clock)
    for topics, row in rows.items():
        worker.add(topics, config.connector.command_partitions, row)
    gc.freeze()  # what is there now stays
    gc.set_threshold(50_000, 20, 50)
    async with AsyncExitStack() as stack:
        page = await stack.enter_async_context(dashboard(config, clock, worker.progress.doubts))
        served = serving(
            worker.progress.reasons,
            metrics.exposed,
            [page],
            where=(settings.http_host, settings.views_http_port),
            setting="CONNECTOR_VIEWS_HTTP_PORT",
        )
        bound = await stack.enter_async_context(served)
        if started is not None:
            started.set_result(bound)
        await worker.run(shows)


def _stages(config: Config, topics: Topics, clock: Clock) -> Sequence[Stage]:
    entities = entity_topics(topics.administration, {entity.name for entity in chosen_entities(config)})
    return stages(topics, entities, lambda: clock.wall().timestamp())


def app_settings(config: Config) -> AppSettings:
    """What Faust has to know."""
    settings = config.connector
    return AppSettings(
        views_group(config.connector.group),
        cluster_of(config.kafka),
        settings.compression,
        settings.max_event_bytes + DEAD_LETTER_ROOM_BYTES,
        settings.session_timeout,
        tables_at(config),
    )


def tables_at(config: Config) -> Path | None:
    """Where tables are kept: a directory of its own, for --rebuild deletes it, below the configured one; None: in memory."""
    named = config.connector.views_data
    return None if named is None else named.expanduser() / OWN_DIRECTORY


def _make(tables: Path | None) -> None:
    """Raises Fatal where it cannot be made."""
    try:
        if tables is not None:
            tables.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Fatal(f"CONNECTOR_VIEWS_DATA: {tables} cannot be made: {error.strerror or error}") from error


def _names(config: Config) -> list[str]:
    return [row.administration for row in config.administrations]
