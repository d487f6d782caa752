"""Running a verb's work until it ends or is asked to stop."""

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any

from connector.errors import Fatal


def until_signalled(work: Coroutine[Any, Any, None]) -> None:
    """Run to the end, or until SIGINT or SIGTERM asks to stop: then clean up and return.

    Only then: aiokafka lets CancelledError out of calls that nobody cancelled, and that must not look like a clean end.
    """

    async def guarded() -> None:
        task, asked = asyncio.ensure_future(work), asyncio.Event()

        def stop() -> None:
            asked.set()
            task.cancel()

        for name in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(name, stop)
        try:
            await task
        except asyncio.CancelledError as error:
            if not asked.is_set():
                raise Fatal("the Kafka client gave up by itself: start again") from error

    asyncio.run(guarded())
