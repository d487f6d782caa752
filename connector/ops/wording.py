"""Errors and moments in words, for lines and reasons. Pure."""

import re
from datetime import datetime
from traceback import extract_tb

TEXT_CHARS_MAX = 300
"""Characters of an error's text that are shown."""

PLACES_MAX = 3
"""Places in the code that are named, the innermost first: enough to find the way there."""

ADDRESS = re.compile(r"\w+://\S+")
"""A URL may hold the POS's secret."""


def in_a_line(error: BaseException) -> str:
    """What it is and where in the code it came up; no address is in it."""
    text = without_address(str(error))
    places = [f"{place.filename.rpartition('/')[2]}:{place.lineno}" for place in extract_tb(error.__traceback__)]
    where = f" ({' < '.join(reversed(places[-PLACES_MAX:]))})" if places else ""
    return f"{type(error).__name__}{': ' if text else ''}{text}{where}"


def without_address(text: str) -> str:
    """Its first line, no longer than a line should be."""
    return ADDRESS.sub("…", text.partition("\n")[0])[:TEXT_CHARS_MAX]


def rfc3339(moment: datetime, timespec: str = "milliseconds") -> str:
    """A moment in UTC."""
    return moment.isoformat(timespec=timespec).replace("+00:00", "Z")
