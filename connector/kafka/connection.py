"""Clients that begin and end for certain, and what runs at the same time."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from aiokafka import AIOKafkaConsumer

from connector.cancellation import end
from connector.kafka.clients import Client

Waiting = TypeVar("Waiting", bound=asyncio.Future[Any])
Result = TypeVar("Result")


def retrieved(future: Waiting) -> Waiting:
    """The same future, whose error counts as seen: asyncio reports none that nobody waited for."""
    future.add_done_callback(lambda done: done.cancelled() or done.exception())
    return future


async def begin(start: Callable[[], Awaitable[None]], within: float) -> None:
    """Start a client in at most so many seconds. Raises TimeoutError, in words.

    A task of its own: aiokafka leaks its first connection when start() is cancelled half way, so it may end first.
    """
    starting = retrieved(asyncio.ensure_future(start()))  # also when nobody waits any more
    try:
        async with asyncio.timeout(within):
            await asyncio.shield(starting)
    except TimeoutError as error:
        raise TimeoutError(_trouble(start) or f"no broker answers within {within:.0f} s") from error
    finally:
        if not starting.done():
            await asyncio.wait([starting], timeout=2.0)
            starting.cancel()


def _trouble(start: Any) -> str:
    """What a client that starts knows of why it does not come to its end."""
    owner = getattr(start, "__self__", None)
    for client in (owner, getattr(owner, "client", None), getattr(owner, "_client", None)):
        if isinstance(client, Client):
            return client.trouble
    return ""


async def all_of(*coroutines: Coroutine[Any, Any, Result]) -> list[Result]:
    """The results of all, which run at the same time. Raises the first error, when the others have ended."""
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        await end(tasks)


async def close(consumer: AIOKafkaConsumer, within: float) -> None:
    """Stop a consumer for certain, each step in at most so many seconds.

    Each is a task of its own: a fetch that waits out a dead broker breaks stop() half way with a CancelledError.
    """
    try:
        for step in (consumer.stop, consumer._client.close):
            closing = retrieved(asyncio.create_task(step()))  # who closes has no use for its error
            await asyncio.wait([closing], timeout=within)
            closing.cancel()
            await asyncio.wait([closing], timeout=1.0)
    finally:
        consumer._closed = True  # cancelled, too: the process ends then, and aiokafka's complaint in the log helps nobody
