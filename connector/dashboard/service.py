"""The dashboard put together: what is followed, folded and served."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import aclosing, asynccontextmanager
from typing import Any

from aiohttp import web

from connector.cancellation import end
from connector.clock import Clock
from connector.config.load import Config
from connector.dashboard.brokers import BrokerWatch
from connector.dashboard.feed import Feed
from connector.dashboard.folds.windows import day_in
from connector.dashboard.lookup import JourneyLookup
from connector.dashboard.parts import PageParts
from connector.dashboard.read_model import KINDS, ReadModel
from connector.dashboard.web.routes import routes
from connector.dashboard.web.sse import Stream
from connector.source.entities import named

STALE_S = 7.0
"""Seconds after which a row is stale: its worker should have reported three times by then."""
TICK_S = 1.0

Mount = Callable[[web.Application], None]
Doubts = Callable[[], list[str]]
"""Why figures and journeys may be old, in words."""


@asynccontextmanager
async def dashboard(config: Config, clock: Clock, doubts: Doubts = list) -> AsyncIterator[Mount]:
    """Follow the topics while inside. Yields what adds the page to a web application, which must end before the block does.

    Kafka may be away, and topics may be missing: the page says so. Raises Fatal for certificates that cannot be read,
    Misconfigured for unknown entities.
    """
    administrations = [row.administration for row in config.administrations]
    entities = [entity.name for entity in named(config.connector.entities)]
    read_model = ReadModel(administrations, entities, day_in(config.connector.time_zone))
    brokers = BrokerWatch(config.kafka, clock)
    read_model.shown.put("about", _about(config, administrations, entities))
    stream = Stream(read_model.shown, clock)
    lookup = JourneyLookup(brokers, read_model.journeys)
    feeds = [Feed(row, administrations, brokers, clock) for row in KINDS]

    def mount(app: web.Application) -> None:
        app.add_routes(routes(stream, lookup, config.connector.http_host))
        app.on_shutdown.append(stream.close)

    work = [
        *(feed.run(read_model, read_model.shown) for feed in feeds),
        brokers.run(read_model.shown),
        _tick(read_model, clock, doubts),
    ]
    async with aclosing(lookup), _running(work, read_model.shown):
        yield mount


@asynccontextmanager
async def _running(work: Iterable[Coroutine[Any, Any, None]], shown: PageParts) -> AsyncIterator[None]:
    """While inside. Should one of them fail, which is a bug, the page says so: its numbers stand still."""

    def ended(task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (error := task.exception()):
            shown.put("trouble/dashboard", f"the dashboard itself failed, restart it: {type(error).__name__}: {error}")

    tasks = [asyncio.create_task(each) for each in work]
    for task in tasks:
        task.add_done_callback(ended)
    try:
        yield
    finally:
        await end(tasks)


def _about(config: Config, administrations: list[str], entities: list[str]) -> dict[str, object]:
    return {"group": config.connector.group, "administrations": administrations, "entities": entities, "staleAfter": STALE_S}


async def _tick(read_model: ReadModel, clock: Clock, doubts: Doubts) -> None:
    while True:
        read_model.shown.put("views", doubts() or None)
        read_model.tick(clock.wall().timestamp())
        await clock.sleep(TICK_S)
