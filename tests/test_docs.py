"""The documentation says what the code does: every name, default, state and link in it is held against the code."""

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
import typer.main
from prometheus_client import Metric
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from connector.cli.main import application
from connector.clock import Clock
from connector.config import Administration, Config, Connector, Kafka, load
from connector.demo.kafka import Broker
from connector.ops.board import Board
from connector.ops.metrics import Metrics
from connector.sandbox import Sandbox, SandboxOptions
from connector.source.entities import ENTITIES, Entity
from connector.source.schedule import State
from connector.topics import plan
from tests.e2e.connectors import fleet, settings, until

REPOSITORY = Path(__file__).parents[1]
DOCS = REPOSITORY / "docs"
PAGES = [REPOSITORY / "README.md", REPOSITORY / "CHANGELOG.md", REPOSITORY / ".env.example", *sorted(DOCS.rglob("*.md"))]
SECTIONS = ((Kafka, "[kafka]"), (Administration, "[[administrations]]"), (Connector, "[connector]"))
SHOWN_BY_STATUS_ALONE = ("silent", "unowned")
"""States that no worker reports, because none is there."""

CLOSED = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}


def page(name: str) -> str:
    """A page of docs/."""
    return (DOCS / name).read_text()


def table_row(text: str, first: str) -> str:
    """The row of a table whose first cell is this; AssertionError where there is none, or more than one."""
    rows = [line for line in text.splitlines() if line.startswith(f"| {first} |")]
    assert 1 == len(rows), f"{len(rows)} table rows begin with {first}"
    return rows[0]


def setting_rows() -> Iterator[str]:
    """The rows of the settings' table, as the models in connector/config.py have them."""
    for section, place in SECTIONS:
        for name, field in section.model_fields.items():
            variable = f"{section.model_config.get('env_prefix')}{name.upper()}"
            key = "name" if name == "administration" else name
            yield f"| `{variable}` | `{place}` `{key}` | {_default(field)} | {_values(field)} | {field.description} |"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.default
    if value is None or value == () or (isinstance(value, SecretStr) and not value.get_secret_value()) or value == "":
        return "–"
    return f"`{value}`"


def _values(field: FieldInfo) -> str:
    if get_origin(field.annotation) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(field.annotation))
    bounds = [f"{sign} {getattr(limit, name)}" for limit in field.metadata for name, sign in CLOSED.items() if hasattr(limit, name)]
    patterns = [f"`{limit.pattern}`" for limit in field.metadata if getattr(limit, "pattern", None)]
    return ", ".join([*bounds, *patterns]) or "–"
