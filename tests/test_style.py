"""Style that a machine can hold: what names and docstrings say."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.support.package_modules import modules
from tests.support.slow import slow_tests

UNITS = {
    "Seconds": "S",
    "Milliseconds": "MS",
    "Bytes": "BYTES",
    "Characters": "CHARS",
    "Minutes": "MINUTES",
    "Hours": "HOURS",
    "Days": "DAYS",
    "Columns": "COLUMNS",
}
"""How the docstring of a constant begins → how its name ends, before `_MAX` or `_MIN`."""

WITHOUT_UNIT = re.compile(r"_SHARE$|^CHANCE_MAX$|PER_SECOND$")
"""Fractions that have none."""


def test_what_is_called_slow_is_a_test() -> None:
    """`make unit` leaves out what is named there, and nothing else."""
    places = [name.removesuffix("::runTest").split("::") for name in sorted(slow_tests())]

    assert [] == [name for path, *_, name in places if not re.search(rf"(def |^){name}\b", Path(path).read_text(), re.MULTILINE)]


def test_the_name_of_a_constant_says_its_unit() -> None:
    """So that no caller takes seconds for milliseconds, or bytes for characters."""
    wrong = [
        f"{module}.{name}"
        for module, tree in modules().items()
        for name, value, text in _constants(tree)
        if (unit := UNITS.get(text.partition(" ")[0].rstrip(":.,"), "S" if _fraction(value) else ""))
        and not re.search(rf"_?{unit}(_MAX|_MIN)?$", name)
        and not WITHOUT_UNIT.search(name)
    ]

    assert [] == wrong


def _constants(tree: ast.Module) -> Iterator[tuple[str, ast.expr, str]]:
    """Name, value and docstring of each number; of several that share one, all."""
    bodies = [tree.body, *(node.body for node in ast.walk(tree) if isinstance(node, ast.ClassDef))]
    for body in bodies:
        for statement, following in zip(body, [*body[1:], None], strict=True):
            if isinstance(statement, ast.Assign):
                text = (
                    following.value.value if isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant) else ""
                )
                yield from ((*pair, str(text)) for pair in _pairs(statement) if pair[0].isupper())


def _docstring(following: ast.stmt | None) -> str:
    told = following.value if isinstance(following, ast.Expr) else None
    return told.value if isinstance(told, ast.Constant) and isinstance(told.value, str) else ""


def _pairs(statement: ast.Assign) -> Iterator[tuple[str, ast.expr]]:
    (target, value) = statement.targets[0], statement.value
    several = isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple)
    names, values = (target.elts, value.elts) if several else ([target], [value])  # type: ignore[attr-defined]
    for name, number in zip(names, values, strict=True):
        if isinstance(name, ast.Name) and not any(isinstance(node, ast.Call | ast.JoinedStr) for node in ast.walk(number)):
            leaves = [node.value for node in ast.walk(number) if isinstance(node, ast.Constant)]
            if leaves and all(isinstance(leaf, int | float) and not isinstance(leaf, bool) for leaf in leaves):
                yield name.id, number


def _fraction(value: ast.expr) -> bool:
    return any(isinstance(node, ast.Constant) and isinstance(node.value, float) for node in ast.walk(value))


NO_BEGINNING = {"And", "As", "But", "By", "Else", "In", "It", "Of", "So", "That", "These", "They", "Those"}
"""Words that refer to something the reader has not read."""


def test_docstrings_begin_with_what_they_are_about() -> None:
    """A noun or a verb: the sentence can be read without the name above it."""
    wrong = [
        f"{module}: {text.splitlines()[0]}"
        for module, tree in modules().items()
        for text in _docstrings(tree)
        if text.partition(" ")[0].rstrip(",.:;") in NO_BEGINNING
    ]

    assert [] == wrong


def _docstrings(tree: ast.Module) -> Iterator[str]:
    """Those of the module, classes and functions, and those below what is assigned."""
    for node in ast.walk(tree):
        for statement in getattr(node, "body", []) if not isinstance(node, ast.Lambda | ast.IfExp) else []:
            if text := _docstring(statement):
                yield text
