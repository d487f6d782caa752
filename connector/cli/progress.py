"""Progress of long work, on stderr: a spinner on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape

from connector.ops.stream import log_stream

EVERY = 5.0
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
            due = time.monotonic() + EVERY
            stream.write(f"{more}\n")

    line(text)
    yield line
