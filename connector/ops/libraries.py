"""What libraries log (asyncio, aiohttp): lines like ours, and no more of them."""

import logging
import re
from collections.abc import Callable

from connector.ops.stream import log_stream
from connector.ops.throttle import Throttle
from connector.ops.wording import in_a_line, without_address

NUMBER = re.compile(r"0x[0-9a-fA-F]+|\d+")
"""What differs between two lines about the same thing: descriptors, addresses, ports."""


class LibraryLog(logging.Handler):
    """Writes a record as one line: a traceback becomes the error and where it came up."""

    def __init__(self, now: Callable[[], float]) -> None:
        """`now`: monotonic seconds."""
        super().__init__()
        self.throttle = Throttle(now)

    def emit(self, record: logging.LogRecord) -> None:
        """See logging.Handler. What cannot be written is lost."""
        try:
            self.throttle.sum_up()
            text = without_address(record.getMessage())
            error = record.exc_info[1] if record.exc_info else None
            fields = {"logger": record.name} | ({} if error is None else {"error": in_a_line(error)})
            kind = (record.name, record.levelno, NUMBER.sub("#", text), type(error))
            self.throttle.write(kind, (_level(record.levelno), text, fields))
        except Exception:
            log_stream().lost += 1

    def sum_up(self) -> None:
        """Write what is due. Threads log, too: as in `emit`, one at a time."""
        self.acquire()
        try:
            self.throttle.sum_up()
        finally:
            self.release()


def _level(number: int) -> str:
    return "error" if number >= logging.ERROR else "warning" if number >= logging.WARNING else "info"


def sum_up_libraries() -> None:
    """Write what libraries said more often: they may say nothing more."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, LibraryLog):
            handler.sum_up()
