"""Running a verb's work until it ends or is asked to stop."""

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any


def until_signalled(work: Coroutine[Any, Any, None]) -> None:
    """Run to the end, or until SIGINT or SIGTERM asks to stop: then clean up and return."""

    async def guarded() -> None:
        task = asyncio.ensure_future(work)
        for name in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(name, task.cancel)
        try:
            await task
        except asyncio.CancelledError:
            return

    asyncio.run(guarded())
