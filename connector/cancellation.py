"""Tasks that end when they are cancelled, whatever goes wrong meanwhile.

An error that is raised while a cancelled task cleans up takes the cancellation's place. A loop that waits errors out and tries
again would go on then, and nobody cancels it twice: the worker that was told to stop does not.
"""

import asyncio
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any


def cancelled() -> bool:
    """Whether somebody wants the task that runs here to end. A deadline that has passed counts, as long as one is within it."""
    return _cancellations() > 0


def _cancellations() -> int:
    task = asyncio.current_task()
    return 0 if task is None else task.cancelling()


@contextmanager
def cancel_wins() -> Iterator[None]:
    """Around each attempt of a loop that tries again: errors of a task that is cancelled meanwhile become CancelledError.

    Meanwhile: who goes on although he was cancelled before, to clean up, is told what went wrong.
    """
    before = _cancellations()
    try:
        yield
    except Exception:
        if _cancellations() > before:
            raise asyncio.CancelledError from None  # nobody reads the error any more, and it may hold a secret
        raise


async def end(tasks: Collection["asyncio.Task[Any]"]) -> None:
    """Cancel these, and return when all have ended.

    Cancelled meanwhile, it waits nevertheless, and raises CancelledError then.
    """
    for task in tasks:
        task.cancel()
    await ended(tasks)


async def ended(tasks: Collection["asyncio.Task[Any]"]) -> None:
    """Return when all have ended, by themselves. Cancelled meanwhile as `end`."""
    interrupted = False
    while not all(task.done() for task in tasks):
        try:
            await asyncio.wait(tasks)
        except asyncio.CancelledError:
            interrupted = True
    if interrupted:
        raise asyncio.CancelledError
