"""`status` where there is little room, and where standard output is not what one would request."""

import asyncio
import io
import json
import os
import sys
from typing import Any

import pytest
from rich.console import Console

from connector.cli.tables import COLOURS, shards_report
from connector.messages.position import State
from connector.source.entities import ENTITIES
from tests.support.docs import SHOWN_BY_STATUS_ALONE
from tests.support.program import at, ended

UNKNOWN = {"backlog": None, "age": 75.3, "unknownSince": "2026-11-30T19:40:10.123Z", "state": "unreachable", "reason": "HTTP 503"}
KNOWN = {"backlog": 0, "age": 0.0, "unknownSince": None, "state": "head-regressed", "reason": ""}
CLOSED = "error: standard output is closed: send it to a file, or to /dev/null"
Rows = dict[tuple[str, str], dict[str, Any]]


def fleet(*administrations: str) -> Rows:
    """Every second entity is one of which nothing is known."""
    shared = {"head": 1234567, "position": 1234567, "rate": 0.5, "owner": "machine-of-the-shop:27600"}
    names = [entity.name for entity in ENTITIES]
    return {
        (name, entity): shared | (UNKNOWN if number % 2 else KNOWN)
        for name in administrations
        for number, entity in enumerate(names)
    }


def shown(rows: Rows, width: int) -> str:
    """As it is printed on so many columns."""
    console = Console(width=width, file=io.StringIO(), record=True)
    console.print(shards_report(rows))
    return console.export_text()


@pytest.mark.parametrize("width", [60, 80, 100, 120])
@pytest.mark.parametrize("administrations", [("shop",), ("amsterdam", "utrecht")])
def test_no_word_is_cut_where_there_is_little_room(width: int, administrations: tuple[str, ...]) -> None:
    """Entity, backlog and state of each are whole, one line each; why, and since when, stands below once for all."""
    text = shown(fleet(*administrations), width)
    rows = [line for line in text.splitlines() if line.startswith("│")]

    assert len(ENTITIES) * len(administrations) == len(rows)
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
    for entity, row in zip(ENTITIES * len(administrations), rows, strict=True):
        cells = [cell.strip() for cell in row.split("│")]
        assert entity.name in cells
        assert {"–", "unreachable"} <= set(cells) or {"0", "head-regressed"} <= set(cells)
    assert len(administrations) == " ".join(text.split()).count("HTTP 503; head unknown since 2026-11-30T19:40:10.123Z")


def test_where_there_is_room_all_stands_in_one_table() -> None:
    """Also in a file or a pipe."""
    text = shown(fleet("amsterdam", "utrecht"), 240)
    row = next(line for line in text.splitlines() if "│ articleGroup" in line)

    assert ["amsterdam", "articleGroup", "1234567", "1234567", "–", "75.3 s", "0.5"] == [cell.strip() for cell in row.split("│")][
        1:8
    ]
    assert "unreachable HTTP 503; head unknown since 2026-11-30T19:40:10.123Z" in row
    assert "machine-of-the-shop:27600" in row


def test_every_state_has_its_colour() -> None:
    """None is told by its colour alone, and none is forgotten."""
    assert {*State, *SHOWN_BY_STATUS_ALONE} == COLOURS.keys()


async def into(target: int, *arguments: str, env: dict[str, str]) -> tuple[int, str]:
    """The program with this standard output: how it ended, and what it said of it."""
    program = (sys.executable, "-W", "error", "-m", "connector", *arguments)
    process = await asyncio.create_subprocess_exec(*program, env=env, stdout=target, stderr=asyncio.subprocess.PIPE)
    async with asyncio.timeout(60):
        _, said = await process.communicate()
    return process.returncode or 0, said.decode()


@pytest.mark.parametrize("more", [(), ("--json",), ("--watch", "--json")])
async def test_whoever_reads_no_more_is_no_error(bootstrap: str, prefix: str, more: tuple[str, ...]) -> None:
    """`status | head`: quiet, and a good end."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        assert (0, "") == await into(writer, "status", *more, env=at("http://127.0.0.1:9", bootstrap, prefix))
    finally:
        os.close(writer)


async def test_a_standard_output_that_cannot_be_written_is_said_in_a_line(bootstrap: str, prefix: str) -> None:
    """A full disk, a closed one."""
    env = at("http://127.0.0.1:9", bootstrap, prefix)
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        code, said = await into(full, "status", env=env)
    finally:
        os.close(full)
    shell = await asyncio.create_subprocess_exec(
        *("sh", "-c", f"exec '{sys.executable}' -m connector status >&-"), env=env, stderr=asyncio.subprocess.PIPE
    )
    _, closed = await shell.communicate()

    assert (1, "error: standard output cannot be written: No space left on device") == (code, said.strip())
    assert (1, "error: standard output is closed: send it to a file, or to /dev/null") == (
        shell.returncode,
        closed.decode().strip(),
    )


async def test_json_says_what_is_not_known(bootstrap: str, prefix: str) -> None:
    """As null, beside since when: an entity that nobody has ever reported has neither."""
    outcome = await ended("status", "--json", env=at("http://127.0.0.1:9", bootstrap, prefix))
    rows = [json.loads(line) for line in outcome.out.splitlines()]

    assert {(None, None, "unowned")} == {(row["backlog"], row["unknownSince"], row["state"]) for row in rows}
