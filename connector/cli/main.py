"""The entry point of `mplus-connector`."""

import sys
from collections.abc import Iterable
from importlib import import_module
from typing import Any

import typer
from rich.console import Console
from rich.markup import escape
from typer.exceptions import TyperException

from connector.errors import ConnectorError, Misconfigured
from connector.ops.log import silence_loggers

VERBS = {
    "run": "run",
    "views": "views",
    "sandbox": "sandbox",
    "check": "check",
    "status": "status",
    "tail": "tail",
    "pause": "control",
    "resume": "control",
    "resync": "control",
    "seek": "seek",
    "audit": "audit",
}
"""Verb → its module in connector.cli, where it is the function of that name."""

GROUPS = {"order": "order:order_verbs", "dead-letters": "dead_letters:dead_letter_verbs"}
"""Verbs with verbs of their own → the module and the function that makes them."""

ALL = (*VERBS, *GROUPS)


def main() -> None:
    """Run a verb; errors become lines and the exit code."""
    silence_loggers()
    try:
        wanted = [word for word in sys.argv[1:2] if word in VERBS or word in GROUPS]
        sys.exit(application(wanted or ALL)(standalone_mode=False) or 0)
    except TyperException as error:
        _leave(error.exit_code, filter(None, [error.format_message()]))  # one line instead of typer's box; none beside the help
    except Misconfigured as error:
        _leave(2, error.problems)
    except ConnectorError as error:
        _leave(1, str(error).split("; "))
    except (KeyboardInterrupt, typer.Abort):
        sys.exit(0)


def application(wanted: Iterable[str] = ALL) -> typer.Typer:
    """The program with these verbs. Only what they need is loaded: all of it takes a second."""
    app = typer.Typer(
        add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help="MplusKASSA to Apache Kafka and back."
    )
    app.callback()(lambda: None)  # else a single verb would lose its name
    for name in wanted:
        if name in VERBS:
            app.command(name)(_loaded(VERBS[name], name))
        else:
            app.add_typer(_loaded(*GROUPS[name].split(":"))(), name=name)
    return app


def _loaded(module: str, name: str) -> Any:
    return getattr(import_module(f"connector.cli.{module}"), name)


def _leave(code: int, lines: Iterable[str]) -> None:
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    for line in lines:
        console.print(f"[bold red]error:[/] {escape(line)}")
    sys.exit(code)
