"""The documentation says what the code does: every name, default, state and link in it is held against the code."""

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import typer.main
from prometheus_client import Metric

from connector.cli.main import application
from connector.clock import Clock
from connector.config.load import Config, load
from connector.events.source import ShardStarted
from connector.messages.cloudevents import CloudEvents
from connector.messages.command import names as commands
from connector.messages.dead_letter import LEFT_OUT, dead_letter_headers
from connector.messages.position import Deployment, Position, State
from connector.ops.metrics import Metrics
from connector.ops.series import SERIES, SERIES_OF_VIEWS
from connector.ops.status import WorkerStatus
from connector.sandbox import Sandbox, SandboxOptions
from connector.sink.ledger.ledger import Done, Intent
from connector.sink.ledger.ledger import encode as encode_entry
from connector.source.entities import ENTITIES, Entity
from connector.views.metrics import ViewsMetrics
from connector.wiring.topics import plan
from tests.support.connectors import Connector, fleet, settings, until
from tests.support.docs import (
    DOCS,
    REPOSITORY,
    SHOWN_BY_STATUS_ALONE,
    page,
    setting_rows,
    slugs,
    table_row,
)
from tests.support.kafka.reading import read_topics

PAGES = [REPOSITORY / "README.md", REPOSITORY / "CHANGELOG.md", REPOSITORY / ".env.example", *sorted(DOCS.rglob("*.md"))]
SAID_IN_WORDS = ("min.insync.replicas", "max.message.bytes")
"""Settings of topics that the page explains by the settings they come from."""


FORBIDDEN = (
    r"/work/|/tmp/|/root/|/home/\w+|pypi\.\w+|pythonhosted|repo1?\.maven|registry\.\w+\.\w+|proxy\.golang|npmjs"
    r"|\bTODO\b|\bFIXME\b"
)
"""Machine paths, registry hosts, notes to oneself."""


def entity_row(entity: Entity) -> str:
    """An entity's row in the table of topics."""
    key = "-".join(path for path, _ in entity.page.identity)
    policy = "compact" if entity.compacted else "delete"
    operations = ", ".join(f"`{reading.operation}`" for reading in entity.readings)
    return f"| `{{a}}.{entity.topic}` | `{entity.name}` | `{key}` | {policy} | {operations} |"


def configuration(**environment: str) -> Config:
    """A configuration of one administration, `{a}`-like names in its topics."""
    needed = {"MPLUS_URL": "http://127.0.0.1:1", "MPLUS_IDENT": "i", "MPLUS_SECRET": "s", "KAFKA_BOOTSTRAP_SERVERS": "b:1"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (needed | environment).items():
            patch.setenv(name, value)
        return load()


def verbs() -> Mapping[str, Any]:
    """The program's commands; those of a group under both words: `order create`."""
    program: Any = typer.main.get_command(application())
    found: dict[str, Any] = {}
    for name, command in program.commands.items():
        within = getattr(command, "commands", None)
        found |= {f"{name} {verb}": each for verb, each in within.items()} if within else {name: command}
    return found


def documented_options(verb: str) -> list[str]:
    """What the table says of a verb, in its rows and in those it shares with others; the verb's own row is empty."""
    rows = re.findall(r"^\| ((?:`[a-z -]+`(?:, )?)+) \| (?:`([^`]+)`)? ?\|", page("configuration.md"), re.MULTILINE)
    return [option for named, option in rows if f"`{verb}`" in named]


def options(command: Any) -> Iterator[str]:
    """A command's options and arguments as they are written in the table."""
    for parameter in command.params:
        if parameter.param_type_name == "argument":
            yield parameter.metavar or parameter.name.upper()
        elif "--help" not in parameter.opts:
            yield from (*parameter.opts, *parameter.secondary_opts)


def used_verbs(text: str) -> set[str]:
    """The verbs that a page calls: one word, or two of a group."""
    groups = {verb.partition(" ")[0] for verb in verbs() if " " in verb}
    calls = re.findall(r"(?:^|`)(?:\.venv/bin/)?mplus-connector ([a-z-]+)(?: ([a-z-]+))?", text, re.MULTILINE)
    return {f"{first} {second}" if first in groups else first for first, second in calls}


TABLES = (SERIES, SERIES_OF_VIEWS)
"""All metrics that are made, with their labels."""


def metrics() -> Sequence[tuple[str, Metric]]:
    """Every metric that `/metrics` shows, of `run` and of `views`, with the page that explains it."""
    run, views = Metrics(WorkerStatus(Clock(), "", "")).registry, ViewsMetrics().registry
    return [*(("operations.md", metric) for metric in run.collect()), *(("views.md", metric) for metric in views.collect())]


def code_blocks(text: str, language: str) -> list[str]:
    """The code blocks in a language, indented or not."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^\1```$", text, re.DOTALL | re.MULTILINE)
    return [re.sub(rf"^{indent}", "", code, flags=re.MULTILINE) for indent, code in found]


@pytest.mark.parametrize("row", list(setting_rows()), ids=lambda row: row.split("`")[1])
def test_every_setting_is_documented(row: str) -> None:
    """With its place in the file, its default, its bounds and its meaning, word for word as in the code."""
    assert row == table_row(page("configuration.md"), row.partition(" | ")[0].removeprefix("| "))


def test_no_setting_is_documented_that_does_not_exist() -> None:
    """Every variable that a page names is one of ours."""
    known = {row.split("`")[1] for row in setting_rows()} | {"MPLUS_WSDL", "KAFKA_VERSION"}
    for path in PAGES:
        named = set(re.findall(r"\b(?:MPLUS|KAFKA|CONNECTOR)_[A-Z_]*[A-Z]\b", path.read_text()))

        assert set() == named - known, path.name


def test_the_example_file_is_a_valid_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The TOML example loads, with both administrations and their secrets."""
    (example,) = code_blocks(page("configuration.md"), "toml")
    secret, path = tmp_path / "secret", tmp_path / "connector.toml"
    secret.write_text("two\n")
    path.write_text(example.replace("/run/secrets/utrecht", str(secret)))
    monkeypatch.setenv("AMSTERDAM_SECRET", "one")

    config = load(path)

    assert ["amsterdam", "utrecht"] == [row.administration for row in config.administrations]
    assert ["one", "two"] == [row.secret.get_secret_value() for row in config.administrations]


def test_the_example_environment_is_a_valid_configuration() -> None:
    """`.env.example` names settings that exist, also in its comments, with values that load."""
    lines = re.findall(r"^(?:# )?([A-Z_]+)=(.*)$", (REPOSITORY / ".env.example").read_text(), re.MULTILINE)

    assert {name for name, _ in lines} <= {row.split("`")[1] for row in setting_rows()}
    assert "shop" == configuration(**dict(lines)).administrations[0].administration


@pytest.mark.parametrize("verb", list(verbs()))
def test_every_verb_and_option_is_documented(verb: str) -> None:
    """One row each, which verbs may share; and no row for an option that does not exist."""
    assert sorted(["", *options(verbs()[verb])]) == sorted(documented_options(verb))


@pytest.mark.parametrize("entity", ENTITIES, ids=lambda entity: entity.name)
def test_every_entity_is_documented(entity: Entity) -> None:
    """With its topic, key, cleanup and operations."""
    row = entity_row(entity)

    assert row == table_row(page("topics.md"), f"`{{a}}.{entity.topic}`")


def test_every_topic_is_documented() -> None:
    """With its cleanup, its partitions and the settings it is created with."""
    counts = {"WORK_PARTITIONS": 3, "COMMAND_PARTITIONS": 5, "PARTITIONS": 7}
    numbers = {f"CONNECTOR_{name}": str(count) for name, count in counts.items()}
    config = configuration(MPLUS_ADMINISTRATION="a", CONNECTOR_GROUP="group", **numbers)
    named = {count: f"`CONNECTOR_{name}`" for name, count in counts.items()} | {1: "1"}
    entities = {f"a.{entity.topic}" for entity in ENTITIES}
    for topic in plan(config, ENTITIES):
        owner, _, word = topic.name.partition(".")
        row = table_row(page("topics.md"), f"`{{{owner}}}.{word}`")

        assert f"| {topic.settings['cleanup.policy']} |" in row
        if topic.name not in entities:
            assert f"| {named[topic.partitions]}{', fixed' if topic.fixed_partitions else ''} |" in row
            for name, value in topic.settings.items() - {("cleanup.policy", topic.settings["cleanup.policy"])}:
                assert name in SAID_IN_WORDS or f"`{name}={value}`" in row, (topic.name, name)


def test_every_header_is_documented() -> None:
    """Of events, tombstones and dead letters; and none that is never written."""
    written = {name for name, _ in CloudEvents("a", "order", "", "poll", 0).headers("1", 1, deleted=False)}
    written |= {name for name, _ in CloudEvents("a", "order", "", "repair", 0).gone("1", 1)}
    written |= {LEFT_OUT, *(name for name, _ in dead_letter_headers(("", -1, -1), "", "", ""))}
    rows = [line.split("|")[1] for line in page("topics.md").splitlines() if re.match(r"\| `(ce_|content-type|__connect)", line)]

    assert written == {name for row in rows for name in re.findall(r"`([^`]+)`", row)}


def test_the_example_event_is_one() -> None:
    """The headers shown are those that the connector writes for the value shown, the time apart."""
    text = page("topics.md")
    shown = dict(re.findall(r"^(content-type|ce_\w+) +(\S+)$", code_blocks(text, "text")[0], re.MULTILINE))
    value = json.loads(code_blocks(text, "json")[0])
    events = CloudEvents("mplus", "relationPoints", shown["ce_time"], "poll", 0)

    expected = events.headers(str(value["relationNumber"]), value["syncMarker"], deleted=False)

    assert {name: text.decode() for name, text in expected} == shown


def test_the_example_records_have_the_fields_that_are_written() -> None:
    """Position and status records, and the tables that explain them."""
    text = page("topics.md")
    position, status = (json.loads(block) for block in code_blocks(text, "json")[1:3])
    board = WorkerStatus(Clock(), "", "")
    board(ShardStarted("a", "order", 1, "running"))
    (row,) = board.rows().values()

    assert json.loads(Deployment("g", 8).encode(Position())).keys() == position.keys()
    assert {"administration", "entity", *row} == status.keys()
    for name in (position | status).keys() - {"administration", "entity"}:
        assert re.search(rf"^\| [^|]*`{name}`[^|]* \|", text, re.MULTILINE), name


def test_the_example_ledger_records_are_ones() -> None:
    """INTENT and DONE have the fields that are written, and the page explains each of an INTENT's."""
    text = page("topics.md")
    intent, done, lane = (json.loads(line) for line in code_blocks(text, "json")[3].splitlines())
    example = Intent(**intent["entry"])

    assert json.loads(encode_entry(example)) == intent
    assert json.loads(encode_entry(Done(**done["entry"]))) == done
    assert {"offset", "finished", "group"} == lane.keys()
    for name in intent["entry"]:
        assert re.search(rf"^\| [^|]*`{name}`[^|]* \|", text, re.MULTILINE), name


def test_every_command_is_documented() -> None:
    """In docs/commands.md, and in the values of its label in operations.md."""
    for name in commands():
        assert f"`{name}`" in page("operations.md"), name
        assert f"**{name}**" in page("commands.md") or f'"command":"{name}"' in page("commands.md"), name


@pytest.mark.parametrize("state", [*State, *SHOWN_BY_STATUS_ALONE])
def test_every_state_is_documented(state: str) -> None:
    """What it means and what to do."""
    assert table_row(page("operations.md"), f"`{state}`")


@pytest.mark.parametrize(("where", "metric"), metrics(), ids=lambda each: getattr(each, "name", ""))
def test_every_metric_is_documented(where: str, metric: Metric) -> None:
    """With its type, its labels and its meaning, word for word as in the code."""
    labels = [row.labels for table in TABLES for row in table.values() if row.name == metric.name]
    name = f"{metric.name}_total" if metric.type == "counter" else metric.name
    row = table_row(page(where), f"`{name}`")
    shown = ", ".join(f"`{label}`" for label in labels[0]) or "–"

    assert f"| `{name}` | {metric.type} | {shown} | {metric.documentation} |" == row


def test_no_metric_is_documented_that_does_not_exist() -> None:
    """Also not in the examples of alerts."""
    for name in ("operations.md", "views.md"):
        known = {f"{row.name}_total" if row.type == "counter" else row.name for where, row in metrics() if where == name}

        assert known == set(re.findall(r"\bmplus_connector_\w+", page(name)))


def test_every_folder_is_explained() -> None:
    """A row each; and no row, and no step of the two flows, for what is gone."""
    package = REPOSITORY / "connector"
    folders = {f"{path.parent.relative_to(package)}/" for path in package.rglob("*") if path.suffix in {".py", ".js"}} - {"./"}
    text = page("development.md").partition("## The house")[2].partition("## Errands")[0]
    rows = [name for line in text.splitlines() if line.startswith("| `") for name in re.findall(r"`([^`]+)`", line.split("|")[1])]
    named = re.findall(r"`((?:[a-z_]+/)+(?:[a-z_]+\.py)?)`", text)

    assert folders == set(rows)
    assert len(rows) == len(set(rows))
    assert [] == [name for name in named if not (package / name).exists() and not (REPOSITORY / name).exists()]


def test_every_folder_of_tests_is_explained() -> None:
    """In the table of development.md."""
    folders = {f"`tests/{path.parent.name}/`" for path in (REPOSITORY / "tests").glob("*/*.py")}

    assert set() == {folder for folder in folders if folder not in page("development.md")}


def test_the_readme_is_short() -> None:
    """At most 120 lines, and the two commands are in it."""
    text = (REPOSITORY / "README.md").read_text()

    assert len(text.splitlines()) <= 120
    assert "make demo" in text
    assert "make test" in text


def test_commands_in_the_documentation_exist() -> None:
    """Every make target has a recipe or something to do first, and every verb is one of the program's."""
    makefile = (REPOSITORY / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    for path in PAGES:
        text = path.read_text()
        named = set(re.findall(r"(?:^|`|=\w+ )make (?:[A-Z]+=\S+ )?([a-z]+)", text, re.MULTILINE))

        assert set() == named - targets, path.name
        assert set() == used_verbs(text) - verbs().keys(), path.name


def test_promised_make_targets_are_there() -> None:
    """What `.PHONY` names has a rule: make says nothing about a target that does nothing."""
    makefile = (REPOSITORY / "Makefile").read_text()
    (phony,) = re.findall(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)

    assert set(phony.split()) == set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_links_resolve(path: Path) -> None:
    """To files of the repository, and to headings of theirs."""
    for link in re.findall(r"\]\(([^)\s]+)\)", path.read_text()):
        if link.startswith("http"):
            continue
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        assert target.exists(), link
        assert not anchor or anchor in slugs(target.read_text()), link


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_nothing_stands_there_that_must_not(path: Path) -> None:
    """No paths of somebody's machine, no package registries, nothing left to do."""
    text = path.read_text()

    assert [] == re.findall(FORBIDDEN, text, re.IGNORECASE)


async def test_an_entity_can_leave_head_regressed_as_the_documentation_says(bootstrap: str, prefix: str, tmp_path: Path) -> None:
    """The command in operations.md lets everything of the entity be read again, while the connector runs."""
    (verb,) = re.findall(r"`mplus-connector (resync relation --apply)`", page("operations.md"))
    async with Sandbox(SandboxOptions(items=12)) as pos:
        environment = settings(pos, bootstrap, prefix, entities="relation,employee", session_timeout=2)
        async with fleet(tmp_path, environment) as connectors:
            worker = connectors.start()
            await until(lambda: at(worker, "relation", pos.shop.heads()["relation"], "running"), 60, worker.last_words)
            pos.shop.fall_back("relation", 5)
            await until(lambda: standing(worker, "relation", "head-regressed"), 60, worker.last_words)
            command = [sys.executable, "-m", "connector", *verb.split()]
            await asyncio.to_thread(
                subprocess.run, command, env={**os.environ, **environment}, cwd=REPOSITORY, check=True, capture_output=True
            )
            await until(lambda: at(worker, "relation", pos.shop.heads()["relation"], "running"), 60, worker.last_words)
            await connectors.stop()
    topics = await read_topics(bootstrap, [f"{prefix}.relations", f"{prefix}.employees"])
    last = {record.key.decode(): int(dict(record.headers)["ce_syncmarker"]) for record in topics[f"{prefix}.relations"]}

    assert pos.truth()["relation"].items() <= last.items()
    assert len(pos.truth()["employee"]) == len(topics[f"{prefix}.employees"])


async def row_of(connector: Connector, entity: str) -> Mapping[str, Any]:
    """An entity's row in /status; empty while the connector does not read it."""
    rows = (await connector.status()).get("entities", ())
    return next((row for row in rows if row["entity"] == entity), {})


async def standing(connector: Connector, entity: str, state: str) -> bool:
    """Whether it is in this state."""
    return bool((await row_of(connector, entity)).get("state") == state)


async def at(connector: Connector, entity: str, marker: int, state: str) -> bool:
    """Whether it is in this state, at this position."""
    row = await row_of(connector, entity)
    return bool((row.get("state"), row.get("position")) == (state, marker))
