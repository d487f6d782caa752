"""docs/commands.md says what the code does."""

import asyncio
import json
import re
import shlex
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest
import typer.main

from connector.cli.main import application
from connector.messages.command import Command, read
from connector.messages.command import names as commands
from connector.messages.result import NAMES, decoded
from tests.support.kafka.order_topics import answering, make_topics

REPOSITORY = Path(__file__).parents[2]
TEXT = (REPOSITORY / "docs" / "commands.md").read_text()
REASONS = {
    reason
    for path in (REPOSITORY / "schemas" / "results").glob("*.json")
    for reason in json.loads(path.read_text())["properties"]["reason"]["enum"]
}


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)


def test_it_is_short() -> None:
    """So that it is read."""
    assert len(TEXT.splitlines()) <= 160


def test_the_example_commands_are_valid() -> None:
    """Under the key that the page prescribes; every command is shown."""
    found = []
    for line in blocks("json")[0].splitlines():
        row = json.loads(line)
        command = read(row.get("order", row)["extOrderId"].encode(), line.encode())
        assert isinstance(command, Command), command
        found.append(command.name)

    assert set(commands()) == set(found)


def test_the_example_result_has_every_field() -> None:
    """And no other."""
    value = blocks("json")[1].encode()

    assert set(NAMES.values()) == json.loads(value).keys()
    assert decoded(value) is not None


@pytest.mark.parametrize("reason", sorted(REASONS))
def test_every_reason_is_explained(reason: str) -> None:
    """In one row of the table."""
    assert 1 == len([line for line in TEXT.splitlines() if line.startswith("|") and f"`{reason}`" in line.split("|")[1]])


def test_no_reason_is_explained_that_does_not_exist() -> None:
    """The table holds those of the schemas."""
    cells = [line.split("|")[1] for line in TEXT.splitlines() if line.startswith("| `")]
    assert REASONS == {reason for cell in cells for reason in re.findall(r"`([^`]+)`", cell)}


def test_the_example_calls_are_right() -> None:
    """Each verb is one, with options that it has."""
    group = typer.main.get_command(application())
    for line in "".join(blocks("sh")).splitlines():
        program, *words = shlex.split(line)
        assert program == "mplus-connector"
        verb = group.commands[words[0]].commands[words[1]]  # type: ignore[attr-defined]
        known = {name for parameter in verb.params for name in (*parameter.opts, *parameter.secondary_opts)}
        assert {word for word in words if word.startswith("--")} <= known, line


async def test_the_python_example_runs_as_it_stands(bootstrap: str, prefix: str, tmp_path: Path) -> None:
    """Pasted into a file, with nothing changed but where Kafka is and what the administration is called."""
    (example,) = blocks("python")
    for place, here in (('"localhost:9092"', repr(bootstrap)), ('"mplus"', repr(prefix))):
        assert 1 == example.count(place)
        example = example.replace(place, here)
    path = tmp_path / "example.py"
    path.write_text(example)
    await make_topics(bootstrap, prefix)
    async with answering(bootstrap, prefix) as seen:
        program = await asyncio.create_subprocess_exec(sys.executable, "-W", "error", path, stdout=PIPE, stderr=PIPE)
        out, err = await asyncio.wait_for(program.communicate(), 60)

    assert (0, "") == (program.returncode, err.decode())
    assert ["cancelOrder", "deliverOrder"] == [command["command"] for command in seen]
    assert ["succeeded None 17", "Result(command_id="] == [line[:18].strip() for line in out.decode().splitlines()]
