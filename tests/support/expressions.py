"""PromQL taken apart: which metrics an expression asks for, by which labels."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import promql_parser
import yaml

REPOSITORY = Path(__file__).parents[2]
OPS = REPOSITORY / "ops"
FILLED_IN = {"$administration": ".*"}
"""Variables of the dashboard, as Grafana fills them in."""


@dataclass(frozen=True)
class Expression:
    """Where it stands, its text, and the texts that are made of its labels."""

    place: str
    text: str
    told: tuple[str, ...] = ()


def read_yaml(path: Path) -> Any:
    """A YAML file."""
    return yaml.safe_load(path.read_text())


def rules() -> list[dict[str, Any]]:
    """The alerts."""
    return [rule for group in read_yaml(OPS / "prometheus" / "alerts.yml")["groups"] for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    """The dashboard's panels, rows apart."""
    board = json.loads((OPS / "grafana" / "dashboard.json").read_text())
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def of_alerts() -> Iterator[Expression]:
    """With their annotations, which name labels."""
    for rule in rules():
        named = re.findall(r"\$labels\.(\w+)", json.dumps(rule["annotations"]))
        yield Expression(rule["alert"], rule["expr"], tuple(named))


def of_dashboard() -> Iterator[Expression]:
    """With their legends, which name labels."""
    for panel in panels():
        for target in panel["targets"]:
            text = target["expr"]
            for variable, value in FILLED_IN.items():
                text = text.replace(variable, value)
            yield Expression(panel["title"], text, tuple(re.findall(r"{{(\w+)}}", target["legendFormat"])))


def selectors(node: Any) -> Iterator[tuple[str, set[str]]]:
    """Metrics that are asked for: name and the labels by which they are chosen."""
    if isinstance(node, promql_parser.MatrixSelector):
        node = node.vector_selector
    if isinstance(node, promql_parser.VectorSelector):
        yield str(node.name), {matcher.name for matcher in node.matchers.matchers}
    for child in children(node):
        yield from selectors(child)


def grouped(node: Any) -> Iterator[tuple[set[str], set[str]]]:
    """What is put together: by which labels, and which metrics lie under it."""
    if isinstance(node, promql_parser.AggregateExpr):
        by = set(node.modifier.labels) if node.modifier else set()
        yield by, {name for name, _ in selectors(node.expr)}
    for child in children(node):
        yield from grouped(child)


def children(node: Any) -> Iterator[Any]:
    """The expressions right below."""
    for name in ("lhs", "rhs", "expr"):
        if (child := getattr(node, name, None)) is not None:
            yield child
    yield from getattr(node, "args", None) or ()
