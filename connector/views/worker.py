"""A views worker: the Faust application runs until it is told to stop, or cannot go on."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress

from faust.types import TP
from mode import ServiceT

from connector.cancellation import cancel_wins
from connector.clock import Clock
from connector.errors import Fatal, Retry
from connector.events.base import Listener
from connector.events.views import ViewsLooked
from connector.kafka.connection import retrieved
from connector.kafka.groups import lag
from connector.messages.topics import Topics
from connector.views.agents import StageContext, install
from connector.views.app import AppSettings, ViewsApp, application
from connector.views.incarnations import Incarnations
from connector.views.offsets import StallDetector
from connector.views.progress import Progress, look, topics_of
from connector.views.stages import Stage

LOOKS_S = 2.0
"""Seconds between two looks at how far it is."""

OTHERS_S = 10.0
"""Seconds between two looks at how far all workers together are."""

DROPPED_S = 10.0
"""Seconds after which a record that was fetched is taken for dropped, and read again."""

STALLED_S = 120.0
"""Seconds after which that is given up: longer than Kafka is away when a broker restarts."""

STOPPING_S = 15.0
"""Seconds that Faust gets to stop."""

ENDING_S = 2.0
"""Seconds that each part of it gets after that."""

Shows = Callable[[Progress], None]


class ViewsWorker:
    """One process of `views`. `progress` tells how far it is."""

    def __init__(self, settings: AppSettings, tell: Listener, clock: Clock) -> None:
        self.progress = Progress()
        self._settings = settings
        self._tell = tell
        self._clock = clock
        self._app: ViewsApp = application(settings)
        self._incarnations = Incarnations(self._app, clock)
        self._dropped, self._stalled = StallDetector[TP](DROPPED_S), StallDetector[TP](STALLED_S)
        self._recovery = StallDetector[str](self._app.conf.broker_rebalance_timeout + STALLED_S)
        self._failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def add(self, topics: Topics, partitions: int, stages: Sequence[Stage]) -> None:
        """Work on an administration too; `partitions`: of its commands. To be called before it runs."""
        largest = self._settings.largest
        parts = (self._tell, self._clock, self._failed, largest, self._incarnations)
        install(StageContext(self._app, topics, partitions, *parts), stages)

    async def run(self, shows: Shows) -> None:
        """Until cancelled. Raises Fatal when it cannot go on: what was not committed is done again at the next start."""
        work = (self._crash(), self._looking(shows), self._looking_at_others(), _wait(self._failure), self._started())
        tasks = [retrieved(asyncio.ensure_future(each)) for each in work]  # the first that tells is heard
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                if task.done():
                    task.result()
        finally:
            for task in tasks:
                task.cancel()
            await self._stop()
            await asyncio.wait(tasks, timeout=1.0)

    async def _stop(self) -> None:
        """Faust gives up at the first part that fails to stop; an agent that still runs would begin anew when it is cancelled."""
        await _stopped(self._app, STOPPING_S)
        for part in self._app.parts():
            await _stopped(part, ENDING_S)
        await self._app.careful.thread.ended(ENDING_S)

    async def _started(self) -> None:
        """What fails before Faust's services run is no crash to Faust: it would wait for ever."""
        try:
            await self._app.start()
        except Exception as error:
            raise _fatal(error) from error
        await asyncio.Event().wait()

    async def _crash(self) -> None:
        """Faust's own failures: its services end and say so."""
        await self._app._crashed.wait()
        raise _fatal(self._app._crash_reason)

    async def _looking(self, shows: Shows) -> None:
        while True:
            await self._clock.sleep(LOOKS_S)
            await self._look()
            shows(self.progress)
            lag = () if self.progress.trouble else tuple(sorted(self.progress.lag.items()))
            self._tell(ViewsLooked(lag, self.progress.restoring, not self.progress.reasons()))

    async def _looking_at_others(self) -> None:
        """Look at workers that are frozen or behind: they cannot say so themselves. A look that fails tells nothing."""
        while True:
            await self._clock.sleep(OTHERS_S)
            with suppress(Exception), cancel_wins():
                async with asyncio.timeout(OTHERS_S * 3):
                    found = await lag(self._settings.cluster, self._settings.group, topics_of(self._app))
                mine = self._app.careful.assignment()
                self.progress.others(sum(records for place, records in found.items() if TP(*place) not in mine))

    async def _look(self) -> None:
        """A look that fails makes all unknown, until one succeeds: Kafka may be away, and Faust knows that itself."""
        try:
            with cancel_wins():
                await self._look_in_time()
        except Exception:
            self.progress.unknown("Kafka does not answer")
        self._notice_standstill()

    async def _look_in_time(self) -> None:
        async with asyncio.timeout(LOOKS_S * 5):
            await look(self._app, self.progress)
            await self._notice()

    async def _notice(self) -> None:
        """Records that Faust dropped without reading them again hold up their partition."""
        careful = self._app.careful
        trackers = careful.trackers if self.progress.working and not self.progress.restoring else {}
        rows = list(trackers.items())  # at once: the reading thread adds to them
        lowest, now = {place: tracker.lowest for place, tracker in rows}, self._clock.monotonic()
        for place in self._dropped.see(lowest, now):
            await careful.go_back(place)
        for place in self._stalled.see(lowest, now):
            self._failed(Retry(f"a record of {place} was not carried out within {STALLED_S:.0f} s"))

    def _notice_standstill(self) -> None:
        """Faust gives up a recovery that takes too long without a word: it keeps its partitions and hands out nothing more."""
        waits = self.progress.restoring if self._app.rebalancing or self._app.in_recovery else None
        if self._recovery.see({"recovery": waits}, self._clock.monotonic()):
            self._failed(Retry("the partitions were not handed out, and no table was read back"))

    def _failed(self, error: Exception) -> None:
        if not self._failure.done():
            self._failure.set_exception(_fatal(error))


async def _wait(failure: "asyncio.Future[None]") -> None:
    await failure


async def _stopped(service: ServiceT, within: float) -> None:
    """Whether it can or not: what is wrong was told before."""
    stopping = retrieved(asyncio.ensure_future(service.stop()))
    await asyncio.wait([stopping], timeout=within)  # no timeout(): Faust swallows cancellations while it stops
    stopping.cancel()


def _fatal(error: BaseException | None) -> Fatal:
    words = str(error or "").splitlines()
    name = type(error).__name__ if error is not None else "unknown"
    found = Fatal(f"views cannot go on ({name}{': ' + words[0] if words else ''}): start it again, nothing is lost")
    found.__cause__ = error
    return found
