"""The architecture: which module may know which, what stays pure, where foreign errors become ours, and the shape of the code."""

import ast
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from connector.messages.topics import Topics
from tests.support.package_modules import (
    FUNCTIONS,
    PACKAGE,
    Function,
    functions,
    inside,
    modules,
    outside,
    part,
    reachable,
)

FOUNDATION = {"errors", "events", "clock", "config", "backoff", "cancellation"}
"""What any part may know; `config` only holds values."""

ALLOWED: Mapping[str, set[str]] = {
    "errors": set(),
    "events": {"events"},
    "clock": set(),
    "backoff": set(),
    "cancellation": set(),
    "config": {"config", "errors"},
    "schemas": set(),
    "tracing": set(),
    "mplus": {"mplus", "schemas", "errors", "tracing", "events", "cancellation"},
    "kafka": {"kafka", "errors", "events", "config", "clock", "backoff", "cancellation"},
    "messages": {"messages", "schemas", "mplus", "kafka", "errors"},
    "source": {"source", "messages", "mplus", "kafka", "errors", "tracing", "events", "clock", "backoff", "cancellation"},
    "sink": {"sink", "messages", "mplus", "kafka", "errors", "tracing", "events", "clock", "backoff", "cancellation"},
    "ops": {"ops", "messages", "errors", "tracing", "events", "clock"},
    "sandbox": {"sandbox"},
    "wiring": {
        "wiring",
        "messages",
        "dashboard",
        "views",
        "mplus",
        "kafka",
        "source",
        "sink",
        "ops",
        "tracing",
        *FOUNDATION,
    },
    "views": {"views", "messages", "source", "kafka", "ops", "errors", "events", "clock", "cancellation"},
    "dashboard": {"dashboard", "messages", "admin", "client", "kafka", "source", *FOUNDATION},
    "admin": {"admin", "messages", "client", "wiring", "mplus", "kafka", "source", *FOUNDATION},
    "client": {"client", "messages", "kafka", "errors", "tracing"},
    "audit": {"audit", "messages", "admin", "schemas", "mplus", "kafka", "source", *FOUNDATION},
    "cli": {
        "cli",
        "views",
        "audit",
        "admin",
        "client",
        "messages",
        "wiring",
        "ops",
        "source",
        "sink",
        "mplus",
        "kafka",
        "sandbox",
        *FOUNDATION,
    },
    "local_kafka": {"local_kafka", "errors"},
    "demo": {"demo", "messages", "local_kafka", "client", "sandbox", "source", "kafka", "ops", *FOUNDATION},
    "__main__": {"cli"},
}
"""Part → the parts that it may import. A part is a folder, or a file beside them."""

PURE = (
    "source.reading.paging",
    "source.schedule",
    "source.bundles",
    "messages.position",
    "source.control",
    "source.entities",
    "source.reading.narrowing",
    "messages.gaps",
    "source.doubt",
    "source.reading.moving",
    "source.reading.page_size",
    "source.reading.portion",
    "source.topic_facts",
    "mplus.responses.careful",
    "mplus.responses.splitting",
    "mplus.responses.characters",
    "mplus.responses.broken",
    "ops.rows",
    "ops.calls",
    "ops.wording",
    "audit.markup",
    "audit.raw",
    "audit.content",
    "audit.reached",
    "audit.versions",
    "audit.verdict",
    "audit.report",
    "sink.commands.spec",
    "sink.commands.payments",
    "sink.commands.create_order",
    "sink.commands.update_order",
    "sink.commands.pay_order",
    "sink.commands.deliver_order",
    "sink.commands.cancel_order",
    "sink.commands.table",
    "sink.decisions",
    "sink.pos.replies",
    "sink.blame",
    "sink.redrive",
    "sink.preconditions",
    "messages.command",
    "messages.strict_json",
    "messages.loose_json",
    "messages.status",
    "messages.schema_errors",
    "sink.pos.orders",
    "sink.command_end",
    "messages.result",
    "messages.topics",
    "messages.control",
    "messages.window",
    "messages.cloudevents",
    "messages.dead_letter",
    "sink.intake.offsets",
    "sink.ledger.ledger",
    "sink.records",
    "mplus.encode",
    "mplus.responses.answers",
    "views.offsets",
    "views.records",
    "views.facts",
    "views.fold",
    "views.projection",
    "views.windows",
    "views.batches",
    "dashboard.parts",
    "dashboard.folds.statuses",
    "dashboard.folds.outcomes",
    "dashboard.folds.advice",
    "dashboard.folds.windows",
    "dashboard.folds.journeys",
    "backoff",
    "kafka.records",
    "mplus.request",
    "mplus.operations",
)
NOT_PURE = {"asyncio", "aiokafka", "httpx", "aiohttp", "time", "random", "socket", "ssl", "subprocess", "logging"}
PURE_PARTS_OF_THEM = {"aiokafka.partitioner"}

SANDBOX_USERS = {"cli.sandbox", "demo.stage"}
HTTP_CLIENTS = {"mplus.transport", "mplus.response", "mplus.proxies", "mplus.faults", "demo.worker"}
"""The POS's client, its errors, and the demo, which reads /status of the worker that it started."""

KAFKA_CLIENTS = {"admin.control", "admin.seek", "audit.topic", "client.results"}
"""Beside the folder kafka/."""

TABLES: set[str] = set()
"""Files longer than the budget because they are tables."""

LONGEST_FUNCTION, LONGEST_FILE, DEEPEST, MOST_ARGUMENTS = 40, 250, 3, 5
WIDEST_FOLDER, DEEPEST_FOLDER = 18, 2
NESTING = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.Match)

SIDE_EFFECTS = {
    "open", "print", "input", "exec", "eval", "connect", "start", "run", "mkdir", "write", "write_text", "write_bytes",
    "read", "read_text", "read_bytes", "getenv", "now", "today", "create_task", "Lock", "Event", "Queue", "Semaphore",
    "Thread", "Popen", "socket", "getLogger", "AsyncClient", "Application", "Typer", "Console", "AIOKafkaProducer",
    "AIOKafkaConsumer", "AIOKafkaAdminClient", "CollectorRegistry", "Gauge", "Counter", "Histogram", "Config", "load",
}  # fmt: skip
"""Names of calls that make an object with a life of its own, or touch the world: not to be made on import."""


def test_every_part_has_its_place() -> None:
    """A new folder or file beside them says here what it may know."""
    assert {part(module) for module in modules()} == ALLOWED.keys()


@pytest.mark.parametrize("name", ALLOWED)
def test_imports_go_one_way(name: str) -> None:
    """Each part imports only what it may: mplus and kafka know neither each other nor source, only wiring knows all."""
    wrong = {
        (module, other)
        for module in modules()
        if part(module) == name
        for other in inside(module)
        if part(other) not in ALLOWED[name]
    }

    assert set() == wrong


def test_nobody_imports_a_part_through_the_back_door() -> None:
    """The decoder's child, which starts anew for each worker, loads nothing of the connector but decoding."""
    assert {"mplus", "schemas"} == {part(module) for module in reachable("mplus.responses.worker")}
    loaded = {part(name) for module in reachable("mplus.responses.worker") for name in outside(module)}
    assert not loaded & {"asyncio", "httpx", "pydantic"}


def test_the_library_needs_little() -> None:
    """Programs that send order commands load aiokafka and orjson, and nothing of Faust, httpx, pydantic or the worker."""
    loaded = {other for module in modules() if part(module) == "client" for other in reachable(module)}
    libraries = {part(name) for module in loaded for name in outside(module)} - sys.stdlib_module_names

    assert {"aiokafka", "orjson"} == libraries
    assert {"client", "messages", "kafka", "errors", "tracing", "cancellation"} == {part(module) for module in loaded}


def test_no_test_module_imports_another() -> None:
    """What several share stands in tests/support/: a test module can be read, moved and run by itself."""
    imports = re.compile(r"^ *from tests\.[\w.]*\btest_\w+ import|^ *from tests[\w.]* import .*\btest_\w+", re.MULTILINE)
    tests = PACKAGE.parent / "tests"

    assert [] == [str(path) for path in sorted(tests.rglob("*.py")) if imports.search(path.read_text())]


def test_what_several_areas_of_the_tests_share_is_in_support() -> None:
    """Aids of one area stand beside its tests; the benchmarks are tried where what they measure is."""
    imports = re.compile(r"^ *from (tests\.[\w.]+) import", re.MULTILINE)
    tests = PACKAGE.parent / "tests"

    wrong = {
        (path.name, other)
        for path in tests.rglob("*.py")
        for other in imports.findall(path.read_text())
        if other.split(".")[1] not in {path.relative_to(tests).parts[0], "support", "bench"}
    }

    assert set() == wrong


def test_no_import_cycles() -> None:
    """No module imports itself over others, not even within a function."""
    assert [] == [module for module in modules() if any(module in reachable(other) for other in inside(module))]


@pytest.mark.parametrize("module", PURE)
def test_pure_modules_do_no_io(module: str) -> None:
    """Neither they nor what they import know clocks, chance, sockets or clients; and none asks what time it is."""
    for other in reachable(module):
        impure = {name for name in outside(other) if part(name) in NOT_PURE}
        asked = {_called(node) for node in ast.walk(modules()[other]) if isinstance(node, ast.Call)} & {"now", "utcnow", "today"}

        assert set() == (impure - PURE_PARTS_OF_THEM) | asked, other


def test_only_the_sandbox_verb_and_the_demo_know_the_sandbox() -> None:
    """The connector itself never loads the simulated POS."""
    assert SANDBOX_USERS >= {
        module for module in modules() if part(module) != "sandbox" for other in inside(module) if part(other) == "sandbox"
    }


def test_the_sandbox_shares_nothing_with_the_connector() -> None:
    """So that both cannot agree on a mistake; it imports nothing of the package but itself, and neither of their clients."""
    sandbox = [module for module in modules() if part(module) == "sandbox"]

    assert {"sandbox"} == {part(other) for module in sandbox for other in inside(module)}
    assert not {part(name) for module in sandbox for name in outside(module)} & {"httpx", "aiokafka"}


def test_clients_are_used_where_they_belong() -> None:
    """httpx by the POS's client, aiokafka by kafka/; each has one place where its errors are known."""
    assert HTTP_CLIENTS == users("httpx")
    assert KAFKA_CLIENTS == {module for module in users("aiokafka") if part(module) != "kafka"}


def users(library: str) -> set[str]:
    """The modules that import it."""
    return {module for module in modules() if library in {part(name) for name in outside(module)}}


def test_errors_of_aiokafka_become_ours_in_its_folder() -> None:
    """Nobody else imports them."""
    importers = {module for module in modules() for name in outside(module) if name.startswith("aiokafka.errors")}

    assert {"kafka"} == {part(module) for module in importers}


@pytest.mark.parametrize(
    "module", [name for name in modules() if part(name) in {"mplus", "kafka", "demo", "source", "sink", "client"}]
)
def test_no_foreign_error_loses_its_cause(module: str) -> None:
    """An error raised while another is handled says `from`: the cause, or None where the cause holds the secret."""
    lost = [ast.unparse(node) for handler in _handlers(modules()[module]) for node in ast.walk(handler) if _raises_anew(node)]

    assert [] == lost


def test_a_loop_that_tries_again_ends_when_it_is_cancelled() -> None:
    """What it tries stands within one of these: else an error of cleaning up takes the cancellation's place, and it goes on."""
    attempts = {
        f"{module}.{function.name}": ast.unparse(attempt.body[0])
        for module, function in functions()
        for attempt in _tried_again(function)
        if part(module) not in {"demo", "sandbox", "cancellation"}
    }

    assert "source.poller.run" in attempts
    assert [] == [where for where, first in attempts.items() if not first.startswith(HEEDS)]


HEEDS = ("with cancel_wins()", "with only_we_cancel()", "with self._brokers.cluster.reaching()")


def _tried_again(function: Function) -> Iterator[ast.Try]:
    """Attempts of a coroutine's loops after whose errors the loop goes on."""
    loops = (node for node in ast.walk(function) if isinstance(node, ast.While))
    attempts = (node for loop in loops for node in ast.walk(loop) if isinstance(node, ast.Try))
    for attempt in attempts if isinstance(function, ast.AsyncFunctionDef) else ():
        awaits = any(isinstance(node, ast.Await) for node in ast.walk(attempt))
        if awaits and not all(isinstance(handler.body[-1], ast.Raise | ast.Return) for handler in attempt.handlers):
            yield attempt


def _handlers(tree: ast.Module) -> Iterator[ast.ExceptHandler]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.ExceptHandler))


def _raises_anew(node: ast.AST) -> bool:
    return isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and node.cause is None


@pytest.mark.parametrize("module", modules())
def test_nothing_happens_on_import(module: str) -> None:
    """No client, lock, registry or file is opened where a module is loaded: objects are made by who starts the program."""
    calls = [node for statement in _top_level(modules()[module]) for node in _calls(statement)]

    assert [] == [(node.lineno, _called(node)) for node in calls if _called(node) in SIDE_EFFECTS]


def _top_level(tree: ast.Module | ast.ClassDef) -> Iterator[ast.stmt]:
    for statement in tree.body:
        if isinstance(statement, ast.ClassDef):
            yield from _top_level(statement)
        elif not isinstance(statement, FUNCTIONS) and not _is_main(statement):
            yield statement


def _is_main(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.If) and "__main__" in ast.unparse(statement.test)


def _calls(node: ast.AST) -> Iterator[ast.Call]:
    if isinstance(node, ast.Call):
        yield node
    if not isinstance(node, ast.Lambda):
        for child in ast.iter_child_nodes(node):
            yield from _calls(child)


def _called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else ast.unparse(node.func)


def over(limit: int, measure: Callable[[Function], int]) -> list[str]:
    """Functions that measure more than the limit."""
    measured = [(module, node.name, measure(node)) for module, node in functions()]
    return [f"{module}.{name}: {size}" for module, name, size in measured if size > limit]


def test_functions_are_short() -> None:
    """At most 40 lines from `def` to end, without the docstring."""
    assert [] == over(LONGEST_FUNCTION, _lines)


def test_nesting_is_shallow() -> None:
    """At most three levels of blocks in a function; an `elif` is no deeper than its `if`."""
    assert [] == over(DEEPEST, _depth)


def test_arguments_are_few() -> None:
    """At most five positional ones; a verb's options are no arguments."""
    assert [] == [line for line in over(MOST_ARGUMENTS, _positional) if not line.startswith("cli.")]


def test_files_are_short() -> None:
    """At most 250 lines, tables apart."""
    lengths = {module: len(_path(module).read_text().splitlines()) for module in modules()}

    assert {} == {module: length for module, length in lengths.items() if length > LONGEST_FILE and module not in TABLES}


def test_folders_are_narrow() -> None:
    """At most 18 files and folders in one, beside its `__init__.py`, and at most two deep."""
    folders = [folder for folder in (PACKAGE, *PACKAGE.rglob("*")) if (folder / "__init__.py").exists()]
    inside_of = {folder: {path for path in folder.iterdir() if path.suffix == ".py" or path in folders} for folder in folders}
    wide = {str(folder): len(found) - 1 for folder, found in inside_of.items() if len(found) - 1 > WIDEST_FOLDER}

    assert {str(PACKAGE)} >= wide.keys(), wide  # whose folders are the parts themselves
    assert max(len(folder.relative_to(PACKAGE).parts) for folder in folders) <= DEEPEST_FOLDER


def _path(module: str) -> Path:
    path = PACKAGE / module.replace(".", "/")
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _lines(node: Function) -> int:
    first = node.body[0]
    docstring = (first.end_lineno or 0) - first.lineno + 1 if ast.get_docstring(node) else 0
    return (node.end_lineno or 0) - node.lineno + 1 - docstring


def _depth(node: ast.AST, depth: int = 0) -> int:
    return max([depth, *(_depth(child, depth + _deeper(node, child)) for child in _within(node))])


def _within(node: ast.AST) -> Iterator[ast.AST]:
    return (child for child in ast.iter_child_nodes(node) if not isinstance(child, (*FUNCTIONS, ast.ClassDef, ast.Lambda)))


def _deeper(node: ast.AST, child: ast.AST) -> bool:
    is_elif = isinstance(node, ast.If) and isinstance(child, ast.If) and [child] == node.orelse
    return isinstance(child, NESTING) and not is_elif


def _positional(node: Function) -> int:
    arguments = [*node.args.posonlyargs, *node.args.args]
    return len([argument for argument in arguments if argument.arg not in ("self", "cls")])


def test_what_is_said_on_kafka_is_said_in_one_place() -> None:
    """No module but those of messages/ holds the name of a topic, of a group, of a header, or of a field of a status record."""
    names = re.compile(
        r"\b(ce_[a-z]+|mplus_(redrive|intent|letter|first|epoch)\w*|__connect\.errors|unknownSince|deadLetters)|\.(pollers|views|work)$"
    )
    topics = [name for name, value in vars(Topics).items() if isinstance(value, property)]
    last = {getattr(Topics(""), name).removeprefix(".") for name in topics} - {"dead-letters"}  # which is a verb, too

    held = [
        (module, text)
        for module, tree in modules().items()
        if part(module) not in {"messages", "sandbox"}
        for text in _texts(tree)
        if names.search(text) or any(text in (word, f".{word}") for word in last) or ".dead-letters" in text
    ]

    assert [("cli.control", " events with ce_origin resync")] == held  # for people


def _texts(tree: ast.AST) -> Iterator[str]:
    """String constants, but for docstrings."""
    said = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and id(node) not in said and isinstance(node.value, str | bytes):
            yield node.value if isinstance(node.value, str) else node.value.decode("latin-1")


def test_everything_public_says_what_it_is() -> None:
    """Every module, and outside of the sandbox every public class and function of a module, has a docstring."""
    silent = [module for module, tree in modules().items() if not ast.get_docstring(tree)]
    silent += [
        f"{module}.{node.name}"
        for module, tree in modules().items()
        if part(module) != "sandbox"
        for node in tree.body
        if isinstance(node, (*FUNCTIONS, ast.ClassDef)) and not node.name.startswith("_") and not ast.get_docstring(node)
    ]

    assert [] == silent
