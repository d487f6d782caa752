"""Walls between partitions: what goes wrong in the work on one costs that one, and is said in one line."""

import re
from traceback import extract_tb

from connector.errors import Blocked, Fatal, Fenced, Retry

TEXT_CHARS_MAX = 300
"""Characters of an error's own text that are told."""

ADDRESS = re.compile(r"\S*://\S*")
"""The POS's secret stands in an address's query."""


def spreads(error: BaseException) -> bool:
    """Whether an error of the work on one partition concerns more than that.

    Fenced, and Retry as a group membership raises it: the membership is in doubt, so all is let go. Fatal: what is wrong is wrong
    for the whole process, as another deployment's name in what it wrote. Everything else stays with its partition, also Blocked,
    Kafka's own errors and those of the POS: it is told, waited out and tried again there.
    """
    if isinstance(error, Fatal):
        return not isinstance(error, Blocked)
    return type(error) in (Fenced, Retry)


def in_a_line(error: BaseException) -> str:
    """What it is, in one line, with the place in the code where it came up; no address is in it."""
    text = ADDRESS.sub("…", str(error).partition("\n")[0])[:TEXT_CHARS_MAX]
    places = extract_tb(error.__traceback__)
    where = f" ({places[-1].filename.rpartition('/')[2]}:{places[-1].lineno})" if places else ""
    return f"{type(error).__name__}{': ' if text else ''}{text}{where}"
