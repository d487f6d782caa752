"""Standard error as the log sees it: a place that may be full, closed, or read by nobody."""

import os
import select
import sys
from collections.abc import Mapping

import structlog

Line = tuple[str, str, Mapping[str, object]]
"""Level, text, fields."""

PATIENCE_MS = 100
"""Milliseconds that a reader who is behind is waited for: the event loop waits along."""


class LogStream:
    """A file for lines, each written in one call. What cannot be written is lost and counted in `lost`; nothing is raised.

    A pipe or terminal whose reader does not read would stop the whole process in its next line: such a reader is waited for
    once, and then lines are lost until it reads on.
    """

    def __init__(self) -> None:
        self.lost = 0
        self._cut = False
        self._patience_ms = PATIENCE_MS

    def __call__(self, *_: object) -> structlog.WriteLogger:
        """A logger that writes here: this is structlog's `logger_factory`."""
        return structlog.WriteLogger(self)  # type: ignore[arg-type]  # a file as far as it is one

    def write(self, text: str) -> int:
        """Write a line, or lose it."""
        try:
            self._write(text)
        except Exception:  # ENOSPC, EPIPE, a closed or a missing stream, a display that fails
            self.lost += 1
        return len(text)

    def flush(self) -> None:
        """Nothing is held back."""

    def _write(self, text: str) -> None:
        stream, real = sys.stderr, sys.__stderr__  # looked up each time: a live display redirects it
        if real is None or stream is not real:
            stream.write(text)
            stream.flush()
            return
        # Past the stream's buffer: it would keep what could not be written, and fail again with it at the exit
        self._put(real.fileno(), text.encode(real.encoding, "backslashreplace"))

    def _put(self, descriptor: int, data: bytes) -> None:
        rest = b"\n" + data if self._cut else data  # a line that was cut must not spoil this one
        while rest:
            self._await_room(descriptor)
            rest = rest[os.write(descriptor, rest[: select.PIPE_BUF]) :]
            self._cut = bool(rest)

    def _await_room(self, descriptor: int) -> None:
        """Where this returns, PIPE_BUF bytes can be written without waiting."""
        room = select.poll()
        room.register(descriptor, select.POLLOUT)
        if not room.poll(self._patience_ms):
            self._patience_ms = 0
            raise BlockingIOError("nobody reads the log")
        self._patience_ms = PATIENCE_MS


def log_stream() -> LogStream:
    """The one that `ops.log.configure` gave the log; one of its own where it did not."""
    factory = structlog.get_config()["logger_factory"]
    return factory if isinstance(factory, LogStream) else LogStream()


def write(level: str, text: str, /, **fields: object) -> None:
    """Write a line. Raises nothing: one that cannot be made or written is lost and counted."""
    try:
        getattr(structlog.get_logger(), level)(text, **fields)
    except Exception:
        log_stream().lost += 1
