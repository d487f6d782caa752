"""`python -m tests.support.views.ailing views`: a worker whose Faust drops records it has fetched, or whose reading fails.

It is the product's own program. A seek from another thread than the one that reads ends it at once.
"""

import asyncio
import os
import runpy
import sys
from collections.abc import AsyncIterator
from typing import Any

from aiokafka import AIOKafkaConsumer
from faust.tables.recovery import Recovery, ServiceStopped

from connector.views import app, worker
from connector.views.consumer import CarefulConsumer, CommittedThread

DROP, FAIL, GIVE_UP = "DROP_EACH", "FAIL_AFTER", "GIVE_UP"
"""Environment: every how many offsets one is dropped when it is first fetched; after how many records reading fails; whether
recovery gives up, as it does when a step of it takes too long."""

FAILED = "a failure of the client"


def drop(each: int) -> None:
    """What is dropped is fetched, and never handed out."""
    getmany, dropped = CarefulConsumer.getmany, set[tuple[Any, int]]()

    async def dropping(self: CarefulConsumer, timeout: float) -> AsyncIterator[tuple[Any, Any]]:
        async for place, message in getmany(self, timeout):
            where = (place, message.offset)
            if message.offset % each or where in dropped or self._is_changelog_tp(place):
                yield place, message
            dropped.add(where)

    setattr(CarefulConsumer, "getmany", dropping)  # noqa: B010


def fail(after: int) -> None:
    """As a client does that is used from two threads."""
    fetch, left = CommittedThread._fetch_records, after

    async def failing(self: CommittedThread, *told: Any, **more: Any) -> Any:
        nonlocal left
        if left <= 0:
            raise KeyError(FAILED)
        records = await fetch(self, *told, **more)
        left -= sum(map(len, records.values()))
        return records

    setattr(CommittedThread, "_fetch_records", failing)  # noqa: B010


def give_up() -> None:
    """Faust takes a timeout for the service's end. What waits for it waits for seconds, not minutes."""
    app.REBALANCE_S, worker.STALLED_S = 1.0, 2.0

    async def giving_up(_: Recovery, waited: Any, **__: Any) -> None:
        if asyncio.iscoroutine(waited):
            waited.close()
        raise ServiceStopped

    setattr(Recovery, "_wait", giving_up)  # noqa: B010


def watch_seeks() -> None:
    """A wrong one ends the process."""
    seek = AIOKafkaConsumer.seek

    def watched(self: AIOKafkaConsumer, *where: Any) -> None:
        if asyncio.get_running_loop() is not self._loop:
            os.write(2, b"a seek from another thread\n")
            os._exit(3)
        seek(self, *where)

    AIOKafkaConsumer.seek = watched


def main() -> None:
    """Run the program."""
    watch_seeks()
    if each := os.environ.get(DROP):
        drop(int(each))
    if after := os.environ.get(FAIL):
        fail(int(after))
    if os.environ.get(GIVE_UP):
        give_up()
    sys.argv[0] = "mplus-connector"
    runpy.run_module("connector", run_name="__main__")


if __name__ == "__main__":
    main()
