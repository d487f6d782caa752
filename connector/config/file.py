"""The TOML file: read, and looked at for what would be silently ignored."""

import tomllib
from pathlib import Path
from typing import Any

from connector.errors import Misconfigured

SECTIONS = ("kafka", "connector", "administrations")


def read(path: Path | None) -> dict[str, Any]:
    """Its sections, of the right shapes; none without a path. Raises Misconfigured."""
    if path is None:
        return {}
    try:
        file = tomllib.loads(path.read_text())
    except OSError as error:
        raise Misconfigured(f"{path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Misconfigured(f"{path}: not valid TOML: {error}") from error
    if problems := [f"{path}: {problem}" for problem in _misshapen(file)]:
        raise Misconfigured(*problems)
    return file


def _misshapen(file: dict[str, Any]) -> list[str]:
    problems = [f"{name}: no such section; there are {', '.join(SECTIONS)}" for name in file if name not in SECTIONS]
    tables = [file.get("kafka", {}), file.get("connector", {})]
    rows = file.get("administrations", [])
    if not all(isinstance(table, dict) for table in [*tables, *(rows if isinstance(rows, list) else [rows, None])]):
        problems.append("[kafka] and [connector] are tables, [[administrations]] is a list of tables")
    return problems
