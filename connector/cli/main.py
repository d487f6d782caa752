"""The entry point of `mplus-connector`."""

import sys
from collections.abc import Iterable

import typer
from rich.console import Console
from rich.markup import escape
from typer.exceptions import TyperException

from connector.cli.check import check
from connector.cli.control import pause, resume, resync
from connector.cli.dead_letters import dead_letter_verbs
from connector.cli.order import order_verbs
from connector.cli.run import run
from connector.cli.sandbox import sandbox
from connector.cli.seek import seek
from connector.cli.status import status
from connector.cli.tail import tail
from connector.errors import ConnectorError, Misconfigured
from connector.ops.log import hush

VERBS = (run, sandbox, check, status, tail, pause, resume, resync, seek)
GROUPS = {"order": order_verbs, "dead-letters": dead_letter_verbs}
"""Verbs with verbs of their own."""


def main() -> None:
    """Run a verb; errors become lines and the exit code."""
    hush()
    try:
        sys.exit(application()(standalone_mode=False) or 0)
    except TyperException as error:
        _leave(error.exit_code, filter(None, [error.format_message()]))  # one line instead of typer's box; none beside the help
    except Misconfigured as error:
        _leave(2, error.problems)
    except ConnectorError as error:
        _leave(1, str(error).split("; "))
    except (KeyboardInterrupt, typer.Abort):
        sys.exit(0)


def application() -> typer.Typer:
    """All verbs."""
    app = typer.Typer(
        add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help="MplusKASSA to Apache Kafka and back."
    )
    for verb in VERBS:
        app.command()(verb)
    for name, verbs in GROUPS.items():
        app.add_typer(verbs(), name=name)
    return app


def _leave(code: int, lines: Iterable[str]) -> None:
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    for line in lines:
        console.print(f"[bold red]error:[/] {escape(line)}")
    sys.exit(code)
