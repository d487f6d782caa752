"""Options that several verbs take."""

from pathlib import Path
from typing import Annotated

import typer

ConfigFile = Annotated[Path | None, typer.Option("--config", help="TOML file; the environment wins over it.", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="Machine-readable lines.")]
