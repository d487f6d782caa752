"""The program without the second that loading takes: a process that has loaded all verbs, and forks one for each call.

`python -m tests.support.warm` is the server. Each line on its stdin is {"arguments", "environment", "out", "err"}; for each it
prints the child's pid, and how it ended. What an interpreter reads when it starts (PYTHON…, the locale) is the server's.
"""

import asyncio
import atexit
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

REPOSITORY = Path(__file__).parents[2]
WARNINGS = ("-W", "error", "-W", "ignore::ResourceWarning")
AT_START = ("PYTHON", "LANG", "LC_")


def as_here(environment: Mapping[str, str]) -> bool:
    """Whether an interpreter with this environment starts as this one did."""
    return _at_start(environment) == _at_start(os.environ)


def _at_start(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(AT_START)}


class Warm:
    """The parent's side. One call at a time: for more, take more of them."""

    def __init__(self) -> None:
        self._server = subprocess.Popen(
            (sys.executable, *WARNINGS, "-m", "tests.support.warm"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=REPOSITORY,
        )
        atexit.register(self._close)

    async def run(self, arguments: Sequence[str], environment: Mapping[str, str]) -> tuple[int, bytes, bytes]:
        """Exit code, output, errors; killed where the call is cancelled."""
        with TemporaryDirectory() as directory:
            out, err = Path(directory) / "out", Path(directory) / "err"
            asked = {"arguments": arguments, "environment": dict(environment), "out": str(out), "err": str(err)}
            assert self._server.stdin
            self._server.stdin.write(json.dumps(asked).encode() + b"\n")
            self._server.stdin.flush()
            pid = await asyncio.to_thread(self._number)
            ending = asyncio.ensure_future(asyncio.to_thread(self._number))
            try:
                await asyncio.shield(ending)
            finally:
                if not ending.done():
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                    await ending
            return ending.result(), out.read_bytes(), err.read_bytes()

    def _close(self) -> None:
        assert self._server.stdin
        assert self._server.stdout
        self._server.stdin.close()
        self._server.wait()
        self._server.stdout.close()

    def _number(self) -> int:
        assert self._server.stdout
        return int(self._server.stdout.readline())


_idle: list[Warm] = []


async def run(arguments: Sequence[str], environment: Mapping[str, str]) -> tuple[int, bytes, bytes]:
    """See Warm."""
    warm = _idle.pop() if _idle else Warm()
    try:
        return await warm.run(arguments, environment)
    finally:
        _idle.append(warm)


def serve(become: Callable[[Mapping[str, Any]], None]) -> None:
    """One child after the other, until stdin ends. The parts of every verb are loaded before."""
    import_module("connector.cli.main").application()
    for late in ("httpcore", "anyio._backends._asyncio"):  # httpx loads them when it is first used
        import_module(late)
    for line in sys.stdin:
        pid = os.fork()
        if not pid:
            become(json.loads(line))
        print(pid, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


def _become(asked: Mapping[str, Any]) -> None:
    """This process is the program from here on, and ends as it does."""
    os.environ.clear()
    os.environ.update(asked["environment"])
    files = [(os.devnull, os.O_RDONLY), *((asked[name], os.O_WRONLY | os.O_CREAT) for name in ("out", "err"))]
    for descriptor, (path, how) in enumerate(files):
        opened = os.open(path, how)
        os.dup2(opened, descriptor)
        os.close(opened)
    random.seed()
    sys.argv = [str(REPOSITORY / "connector" / "__main__.py"), *asked["arguments"]]
    sys.modules["__main__"].__package__ = "connector"
    import_module("connector.__main__").main()
    sys.exit(0)


if __name__ == "__main__":
    serve(_become)
