"""`python -m tests.e2e.zygote`: loads the connector once and forks it again and again, without the second that loading takes.

Each line on stdin is {"environment", "log", "arguments"}; for each it prints the child's pid, and how it ended.
"""

import os
import sys
from collections.abc import Mapping
from typing import Any

from tests.support.crashing import become_connector
from tests.support.warm import serve


def _become(asked: Mapping[str, Any]) -> None:
    """This process is the connector from here on."""
    os.setsid()
    log = os.open(asked["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.environ.update(asked["environment"])
    sys.argv = ["mplus-connector", *asked["arguments"]]
    code: Any = 1
    try:
        become_connector()
        code = 0
    except SystemExit as end:
        code = end.code
    finally:
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    serve(_become)
