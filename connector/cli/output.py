"""Standard output, which somebody may close: `| head`, `>&-`, a full disk."""

import io
import os
import sys

import typer
from rich.console import Console, RenderableType

from connector.errors import Fatal

WIDE = 240
"""Columns where there is no terminal: nothing is cut off in a file or a pipe."""


def put(text: str) -> None:
    """Write text at once. Ends the program, quietly and well, where nobody reads on. Raises Fatal where it cannot be written."""
    if sys.stdout is None:
        raise Fatal("standard output is closed: send it to a file, or to /dev/null")
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        _leave_to_nobody()
        raise typer.Exit from None
    except OSError as error:
        _leave_to_nobody()
        raise Fatal(f"standard output cannot be written: {error.strerror}") from error


def put_table(table: RenderableType) -> None:
    """Show it: on a terminal as wide as that, elsewhere in full."""
    if sys.stdout is not None and sys.stdout.isatty():
        Console().print(table)
        return
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    page = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="replace", write_through=True)
    Console(width=WIDE, file=page).print(table)
    page.seek(0)
    put(page.read())


def _leave_to_nobody() -> None:
    """What is still held back must not fail once more at the exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
