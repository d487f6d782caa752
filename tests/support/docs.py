"""The documentation, as the tests read it."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from connector.config.load import Administration, Kafka
from connector.config.load import Connector as ConnectorSettings

REPOSITORY = Path(__file__).parents[2]


DOCS = REPOSITORY / "docs"


SECTIONS = ((Kafka, "[kafka]"), (Administration, "[[administrations]]"), (ConnectorSettings, "[connector]"))


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
    """The rows of the settings' table, as the models in connector/config/load.py have them."""
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
    bounds = [
        f"{sign} {getattr(limit, name)}" for limit in field.metadata for name, sign in CLOSED.items() if hasattr(limit, name)
    ]
    patterns = [f"`{limit.pattern}`" for limit in field.metadata if getattr(limit, "pattern", None)]
    return ", ".join([*bounds, *patterns]) or "–"


def slugs(text: str) -> set[str]:
    """The anchors of a page's headings, as a forge makes them."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
