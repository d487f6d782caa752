"""docs/glossary.md and the code use the same words, and none of the private ones of before."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
PACKAGE = REPOSITORY / "connector"
BEFORE = {
    "anew", "course", "desk", "finder", "hush", "lane", "lanes", "lookout", "news", "office", "pen", "picker", "seat",
    "seats", "spot", "spots", "tenure", "tenures", "wish", "wishes",
}  # fmt: skip
"""Words that nobody else of the field uses for what they named here."""


def test_the_words_of_the_glossary_are_those_of_the_code() -> None:
    """Each name that it explains is one of a class or a function."""
    names = set(re.findall(r"`(\w+)`", (REPOSITORY / "docs" / "glossary.md").read_text().partition("## In the code")[2]))

    assert set() == names - {name for name, _ in defined()} - {"views"}


def test_no_private_word_comes_back() -> None:
    """Neither as a name nor as the name of a file."""
    files = {path.stem for path in PACKAGE.rglob("*.py")}
    used = {(name, place) for name, place in identifiers() if name.strip("_").lower() in BEFORE}

    assert set() == used
    assert set() == files & BEFORE


def trees() -> Iterator[tuple[str, ast.Module]]:
    """Every module of the package."""
    for path in sorted(PACKAGE.rglob("*.py")):
        yield str(path.relative_to(PACKAGE)), ast.parse(path.read_text())


def defined() -> Iterator[tuple[str, str]]:
    """Names of classes, functions and what is assigned at the top of a module."""
    for place, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
                yield node.name, place
            elif isinstance(node, ast.Assign):
                yield from ((target.id, place) for target in node.targets if isinstance(target, ast.Name))


def identifiers() -> Iterator[tuple[str, str]]:
    """Every name there is: defined, assigned, asked for as an attribute, or of an argument."""
    yield from defined()
    for place, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Name):
                yield node.id, place
            elif isinstance(node, ast.Attribute):
                yield node.attr, place
            elif isinstance(node, ast.arg):
                yield node.arg, place
