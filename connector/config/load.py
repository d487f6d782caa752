"""The configuration: one frozen tree, read once, from the environment and an optional TOML file. Environment wins over file."""

from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from connector.config.file import read
from connector.config.settings import Administration, Connector, Kafka, OneOfSeveral, Section
from connector.errors import Misconfigured

__all__ = ["Administration", "Config", "Connector", "Kafka", "load"]

SomeSection = TypeVar("SomeSection", bound=Section)


class Config(BaseModel):
    """The whole tree."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    kafka: Kafka
    connector: Connector
    administrations: tuple[Administration, ...]


def load(path: Path | None = None, **overrides: object) -> Config:
    """Read the configuration. `overrides` are [connector] settings from the command line: they win.

    Raises Misconfigured with every problem.
    """
    file = read(path)
    problems: list[str] = []
    kafka = _build(Kafka, file.get("kafka", {}), problems)
    connector = _build(Connector, file.get("connector", {}), problems)
    administrations = _administrations(file.get("administrations", []), problems)
    if problems or kafka is None or connector is None:
        raise Misconfigured(*problems)
    connector = connector.model_copy(update={name: value for name, value in overrides.items() if value is not None})
    return Config(kafka=kafka, connector=connector, administrations=tuple(administrations))


def _administrations(rows: list[dict[str, Any]], problems: list[str]) -> list[Administration]:
    kind = OneOfSeveral if len(rows) > 1 else Administration
    renamed = [{("administration" if key == "name" else key): value for key, value in row.items()} for row in rows or [{}]]
    several = len(rows) > 1
    built = [
        _build(kind, row, problems, where=f"administration {row.get('administration', number)}: " if several else "")
        for number, row in enumerate(renamed, 1)
    ]
    found = [row for row in built if row is not None]
    names = [row.administration for row in found]
    problems += [f"administrations: the name {name} is used twice" for name in sorted({n for n in names if names.count(n) > 1})]
    return found


def _build(kind: type[SomeSection], values: dict[str, Any], problems: list[str], where: str = "") -> SomeSection | None:
    try:
        return kind(**values)
    except ValidationError as error:
        problems += [_problem(kind, detail, where) for detail in error.errors(include_url=False, include_input=False)]
        return None


def _problem(kind: type[Section], detail: Any, where: str) -> str:
    """`where` names a row of the file, for which no variable stands."""
    field = str(detail["loc"][0]) if detail["loc"] else ""
    name = f"{where}{field}" if where else f"{kind.model_config.get('env_prefix')}{field.upper()}"
    message = detail["msg"].removeprefix("Value error, ")
    what = "is not set" if detail["type"] == "missing" else message[:1].lower() + message[1:]
    return f"{name}: {what}" if field else detail["msg"].removeprefix("Value error, ")
