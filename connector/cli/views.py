"""`views`: order journeys, windows of figures, and the dashboard."""

import asyncio
import time
from collections.abc import Callable
from typing import Annotated

import typer

from connector.cli.options import ConfigFile
from connector.cli.terminal import progress, until_signalled
from connector.config.load import Config, load
from connector.ops import log
from connector.ops.stream import log_stream
from connector.views.progress import Progress
from connector.wiring.rebuild import forget
from connector.wiring.views import run_views


def views(
    config: ConfigFile = None,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Forget all journeys and windows first, and build them from the topics again.")
    ] = False,
) -> None:
    """Follow every order's journey, count changes, commands and revenue, and serve the dashboard.

    Start it on as many machines as you like: Kafka spreads the work.
    """
    settings = load(config)
    log.configure(settings.connector.log_format, settings.connector.log_level)
    until_signalled(_views(settings, rebuild))


async def _views(config: Config, rebuild: bool) -> None:
    if rebuild:
        await forget(config)
    started: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    announcing = asyncio.create_task(_announce(started))
    try:
        with progress("starting") as say:
            await run_views(config, Telling(say, time.monotonic), started)
    finally:
        announcing.cancel()


async def _announce(started: "asyncio.Future[int]") -> None:
    log_stream().write(f"dashboard, health, metrics on port {await started}\n")


class Telling:
    """Tells how far the worker is, until it is up to date; then nothing more."""

    def __init__(self, say: Callable[[str], None], now: Callable[[], float]) -> None:
        self._say = say
        self._now = now
        self._began = now()
        self._most = 0
        self._told = False

    def __call__(self, standing: Progress) -> None:
        """Take in how far it is."""
        if self._told or not standing.working:
            return
        if standing.caught_up:
            self._told = True
            log.write("info", "up to date", seconds=round(self._now() - self._began, 1))
            self._say("up to date")
        else:
            self._say(self._words(standing))

    def _words(self, standing: Progress) -> str:
        if standing.restoring:
            return f"reading tables back: {standing.restoring:,} entries to go"
        self._most = max(self._most, standing.to_do)
        return rebuilding(self._most - standing.to_do, self._most, self._now() - self._began)


def rebuilding(done: int, total: int, seconds: float) -> str:
    """The progress line: records done of all, and the time that the rest will take at this rate."""
    share = f"{done:,} of {total:,} records ({100 * done // max(total, 1)} %)"
    return f"reading topics: {share}, about {seconds * (total - done) / done:,.0f} s left" if done else f"reading topics: {share}"
