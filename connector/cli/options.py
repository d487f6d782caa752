"""Options that several verbs take, and which administrations they are for."""

from pathlib import Path
from typing import Annotated

import typer

from connector.config.load import Administration, Config
from connector.errors import Misconfigured

ConfigFile = Annotated[Path | None, typer.Option("--config", help="TOML file; the environment wins over it.", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="Machine-readable lines.")]


def chosen(config: Config, name: str | None) -> Administration:
    """The one of this name, or the only one there is. Raises Misconfigured."""
    names = ", ".join(row.administration for row in config.administrations)
    if name is None and len(config.administrations) > 1:
        raise Misconfigured(f"several administrations are configured: say which with --administration ({names})")
    found = [row for row in config.administrations if name in (None, row.administration)]
    if not found:
        raise Misconfigured(f"--administration {name} is not configured: use {names}")
    return found[0]
