"""The modules of the package, and what they import."""

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "connector"


FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def modules() -> Mapping[str, ast.Module]:
    """Every module of the package by its name within it (`source.poller`; a folder's `__init__` by the folder's)."""
    return {_name(path): ast.parse(path.read_text()) for path in sorted(PACKAGE.rglob("*.py")) if path != PACKAGE / "__init__.py"}


def _name(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")


def part(module: str) -> str:
    """The folder or file that a module belongs to."""
    return module.partition(".")[0]


@cache
def imported(module: str) -> frozenset[str]:
    """Full names of what a module imports anywhere in it, also within functions."""
    return frozenset(name for node in ast.walk(modules()[module]) for name in _imports(node, module))


def _imports(node: ast.AST, module: str) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = ".".join(filter(None, [_package(module, node.level), node.module])) if node.level else str(node.module)
        for alias in node.names:
            inner = f"{base}.{alias.name}"
            yield inner if inner.removeprefix("connector.") in modules() else base


def _package(module: str, level: int) -> str:
    parents = ["connector", *module.split(".")]
    is_folder = (PACKAGE / module.replace(".", "/")).is_dir()
    return ".".join(parents[: len(parents) - level + is_folder])


def inside(module: str) -> set[str]:
    """The modules of the package that a module imports."""
    return {name.removeprefix("connector.") for name in imported(module) if name.startswith("connector.")} - {module}


def outside(module: str) -> set[str]:
    """The libraries that a module imports, by full name."""
    return {name for name in imported(module) if part(name) != "connector"}


def reachable(module: str) -> set[str]:
    """The module and all modules of the package that it imports, directly or not."""
    found, todo = {module}, [module]
    while todo:
        new = inside(todo.pop()) - found
        found |= new
        todo += new
    return found


def functions() -> Iterator[tuple[str, Function]]:
    """Every function with the module it is in."""
    for module, tree in modules().items():
        yield from ((module, node) for node in ast.walk(tree) if isinstance(node, FUNCTIONS))
