"""The terminal: progress of long work, signals that end it, and a standard output that somebody may close."""

import asyncio
import io
import os
import signal
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import typer
from rich.console import Console, RenderableType
from rich.markup import escape

from connector.errors import Fatal
from connector.ops.stream import log_stream

EVERY_S = 5.0
"""Seconds between two plain lines."""


@contextmanager
def progress(text: str, *, quiet: float = 0.0) -> Iterator[Callable[[str], None]]:
    """Show a text, and each text that it is told, while inside. Plain lines begin after `quiet` seconds."""
    if sys.stderr is not None and sys.stderr.isatty():
        with Console(stderr=True, soft_wrap=True, highlight=False).status(escape(text)) as status:
            yield lambda more: status.update(escape(more))
        return
    due, stream = time.monotonic() + quiet, log_stream()

    def line(more: str) -> None:
        nonlocal due
        if time.monotonic() >= due:
            due = time.monotonic() + EVERY_S
            stream.write(f"{more}\n")

    line(text)
    yield line


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


WIDE_COLUMNS = 240
"""Columns where there is no terminal: nothing is cut off in a file or a pipe."""


def put(text: str) -> None:
    """Write text at once. Ends the program, quietly and well, where nobody reads on. Raises Fatal where it cannot be written."""
    if sys.stdout is None:
        raise Fatal("standard output is closed: send it to a file, or to /dev/null")
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        _leave_to_nobody()
        raise typer.Exit from None
    except OSError as error:
        _leave_to_nobody()
        raise Fatal(f"standard output cannot be written: {error.strerror}") from error


def put_table(table: RenderableType) -> None:
    """Show it: on a terminal as wide as that, elsewhere in full."""
    if sys.stdout is not None and sys.stdout.isatty():
        Console().print(table)
        return
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    page = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="replace", write_through=True)
    Console(width=WIDE_COLUMNS, file=page).print(table)
    page.seek(0)
    put(page.read())


def _leave_to_nobody() -> None:
    """What is still held back must not fail once more at the exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
