"""`mplus-connector`: one verb per module.

Errors are one line and an exit code: 0 done, 1 the thing asked for failed, 2 wrong usage or configuration.
"""

import asyncio
import signal
import sys
from collections.abc import Coroutine
from typing import Any

import typer
from rich.console import Console
from rich.markup import escape

from connector.errors import ConnectorError, Misconfigured
from connector.ops.log import hush


def main() -> None:
    """Entry point."""
    hush()
    try:
        application()()
    except Misconfigured as error:
        _leave(2, error.problems)
    except ConnectorError as error:
        _leave(1, str(error).split("; "))
    except KeyboardInterrupt:
        sys.exit(0)


def application() -> typer.Typer:
    """All verbs."""
    from connector.cli import check, run, sandbox, status, tail  # noqa: PLC0415 - a verb's parts load when a verb runs

    app = typer.Typer(
        add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help="MplusKASSA to Apache Kafka and back."
    )
    app.command()(run.run)
    app.command()(sandbox.sandbox)
    app.command()(check.check)
    app.command()(status.status)
    app.command()(tail.tail)
    return app


def until_signalled(work: Coroutine[Any, Any, None]) -> None:
    """Run to the end, or until SIGINT or SIGTERM asks to stop: then clean up and return."""

    async def guarded() -> None:
        task = asyncio.ensure_future(work)
        for name in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(name, task.cancel)
        try:
            await task
        except asyncio.CancelledError:
            return

    asyncio.run(guarded())


def _leave(code: int, lines: Any) -> None:
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    for line in lines:
        console.print(f"[bold red]error:[/] {escape(line)}")
    sys.exit(code)
