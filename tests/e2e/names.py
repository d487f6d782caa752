"""`python -m tests.e2e.names run`: the connector, for which names under `.pos.test` are this machine, or hang.

`E2E_HANGING` names a file: while a name stands in it, whoever asks for that name waits, as for a resolver whose servers are
silent. `E2E_BACKOFF` is how many seconds an administration that fails, is refused or doubted waits at most before it
tries again.
"""

import os
import runpy
import socket
import time
from dataclasses import fields
from pathlib import Path
from typing import Any

from connector import backoff
from connector.source import doubt
from connector.source import state as standing

HANGING, BACKOFF = "E2E_HANGING", "E2E_BACKOFF"
OURS = ".pos.test"
_real = socket.getaddrinfo


def getaddrinfo(host: Any, *arguments: Any, **named: Any) -> Any:
    """For socket.getaddrinfo."""
    name = host.decode() if isinstance(host, bytes) else host
    if not isinstance(name, str) or not name.endswith(OURS):
        return _real(host, *arguments, **named)
    while name in Path(os.environ[HANGING]).read_text().split():
        time.sleep(0.05)
    return _real("127.0.0.1", *arguments, **named)


def hasten(seconds: float) -> None:
    """Else most of a test would be waiting. What is believed only after half a minute, still is."""
    backoff.MOST_S = seconds
    vars(standing)["REFUSED_AGAIN"] = seconds
    looks = [seconds if field.name == "pause" else field.default for field in fields(doubt.Confirmation)]
    doubt.Confirmation.__init__.__defaults__ = tuple(looks)


if __name__ == "__main__":
    socket.getaddrinfo = getaddrinfo
    hasten(float(os.environ[BACKOFF]))
    runpy.run_module("connector", run_name="__main__", alter_sys=True)
