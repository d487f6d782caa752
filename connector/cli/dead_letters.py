"""`dead-letters`: what could not be done, and doing it again."""

import re
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated

import orjson
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from connector.cli.administrations import chosen
from connector.cli.letter_text import body, row, words
from connector.cli.options import ConfigFile, Json
from connector.cli.order_options import AdministrationName
from connector.cli.progress import progress
from connector.cli.signals import until_signalled
from connector.cli.status import WIDE
from connector.client.letters import SINK_STAGES, DeadLetters, Later, Letter, in_order
from connector.config import Config, load
from connector.errors import Misconfigured, Reject
from connector.kafka.connection import client_arguments

STAGES = (*SINK_STAGES, "decode", "too-large")
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
QUIET = 5.0
"""Seconds of reading before the first plain line about it."""

Stage = Annotated[str | None, typer.Option("--stage", help=f"Only of this one: {', '.join(STAGES)}.", show_default=False)]
Coordinates = Annotated[list[str] | None, typer.Argument(metavar="PARTITION:OFFSET…", help="Letters, as `list` names them.")]


def dead_letter_verbs() -> typer.Typer:
    """The sub-app."""
    app = typer.Typer(no_args_is_help=True, help="What could not be done: list it, look at it, do it again.")
    app.command("list")(list_letters)
    app.command()(show)
    app.command()(redrive)
    return app


def list_letters(
    config: ConfigFile = None,
    administration: AdministrationName = None,
    stage: Stage = None,
    since: Annotated[str | None, typer.Option("--since", help="A time (ISO 8601), or an age: 30m, 2h, 7d.")] = None,
    as_json: Json = False,
) -> None:
    """List the dead letters that there are now."""
    after = moment(since, datetime.now(UTC))
    _known(stage)
    settings = load(config)
    rows = [chosen(settings, administration)] if administration else settings.administrations
    until_signalled(
        _list(settings, [each.administration for each in rows], lambda letter: _wanted(letter, stage, after), as_json)
    )


async def _list(config: Config, administrations: Sequence[str], wanted: Callable[[Letter], bool], as_json: bool) -> None:
    found: list[Letter] = []
    for name in administrations:
        found += await _all(_letters(config, name), wanted)
    if as_json:
        for letter in found:
            typer.echo(orjson.dumps(row(letter)).decode())
        return
    Console(width=None if sys.stdout.isatty() else WIDE).print(_table(found) if found else "no dead letters")


def show(
    coordinate: Annotated[str, typer.Argument(metavar="PARTITION:OFFSET", help="The letter, as `list` names it.")],
    config: ConfigFile = None,
    administration: AdministrationName = None,
) -> None:
    """Show a letter's headers and body."""
    wanted = parsed([coordinate])
    settings = load(config)
    until_signalled(_show(_letters(settings, chosen(settings, administration).administration), wanted))


async def _show(letters: DeadLetters, wanted: Sequence[tuple[int, int]]) -> None:
    (letter,) = await _at(letters, wanted)
    typer.echo(f"{letter.place.topic}:{letter.coordinate}  {letter.at.isoformat()}")
    typer.echo(f"key: {words(letter.key)}")
    for name, value in letter.headers.items():
        typer.echo(f"{words(name.encode())}: {words(value)}")
    typer.echo()
    typer.echo(body(letter.value))


def redrive(
    coordinates: Coordinates = None,
    stage: Stage = None,
    everything: Annotated[bool, typer.Option("--all", help="All letters of order commands, or all of --stage.")] = False,
    apply: Annotated[bool, typer.Option("--apply", help="Do it: without this it is only shown.")] = False,
    config: ConfigFile = None,
    administration: AdministrationName = None,
) -> None:
    """Send dead letters of order commands again. Each runs once: to redrive it twice does no harm."""
    if bool(coordinates) == everything or (stage and not everything):
        raise Misconfigured("say which: PARTITION:OFFSET …, or --all, or --stage … --all")
    _known(stage)
    wanted = parsed(coordinates or [])
    settings = load(config)
    letters = _letters(settings, chosen(settings, administration).administration)
    until_signalled(_redrive(letters, wanted, stage, apply=apply))


async def _redrive(letters: DeadLetters, wanted: Sequence[tuple[int, int]], stage: str | None, *, apply: bool) -> None:
    stages = (stage,) if stage else SINK_STAGES
    found = await _at(letters, wanted) if wanted else await _all(letters, lambda letter: letter.stage in stages)
    if problems := [problem for letter in found if (problem := letters.problem(letter))]:
        raise Reject("; ".join(problems))
    with progress("reading what was sent since", quiet=QUIET):
        since = await letters.later(found)
    for letter in in_order(found):
        typer.echo(_plan(letter, since[letter.coordinate]))
    if not apply:
        typer.echo(f"{len(found)} to send again: nothing is done without --apply")
        return
    done = 0
    with progress(f"sending {len(found)} again", quiet=QUIET) as tell:
        async for _, _ in letters.redrive(in_order(found)):
            done += 1
            tell(f"sent {done} of {len(found)} again")
    typer.echo(f"{done} sent again: each runs once, however often it is redriven, and its result comes as any other's")


def _plan(letter: Letter, since: Later) -> str:
    key, origin = words(letter.key), letter.origin
    text = f"{letter.coordinate}  {letter.stage}  {key}  → {origin.topic}[{origin.partition}] (was offset {origin.offset})"
    if since.redrives:
        text += f", redriven before: {since.redrives}"
    if since.commands:
        text += f", {since.commands} later command{'s' * (since.commands > 1)} of this key came since: look at the order first"
    return text


async def _at(letters: DeadLetters, wanted: Sequence[tuple[int, int]]) -> list[Letter]:
    found = await letters.at(wanted)
    if missing := [f"{partition}:{offset}" for partition, offset in wanted if (partition, offset) not in found]:
        raise Reject("; ".join(f"there is no letter {name} in {letters.topic}" for name in missing))
    return list(found.values())


async def _all(letters: DeadLetters, wanted: Callable[[Letter], bool]) -> list[Letter]:
    found, seen = [], 0
    with progress(f"reading {letters.topic}", quiet=QUIET) as tell:
        async for letter in letters.all():
            seen += 1
            if wanted(letter):
                found.append(letter)
            tell(f"reading {letters.topic}: {seen} letters")
    return found


def _table(letters: Sequence[Letter]) -> Table:
    table = Table("letter", "time", "stage", "key", "origin", "message", header_style="bold")
    for letter in letters:
        origin = letter.origin
        where = f"{origin.topic}:{origin.partition}:{origin.offset}"
        cells = (f"{letter.place.topic}:{letter.coordinate}", letter.at.isoformat(timespec="seconds"), letter.stage)
        texts = (*cells, words(letter.key), where, letter.message)
        table.add_row(*(Text(words(text.encode()), overflow="fold") for text in texts))
    return table


def _letters(config: Config, administration: str) -> DeadLetters:
    return DeadLetters(client_arguments(config.kafka), administration)


def _wanted(letter: Letter, stage: str | None, after: datetime | None) -> bool:
    return stage in (None, letter.stage) and (after is None or letter.at >= after)


def _known(stage: str | None) -> None:
    if stage is not None and stage not in STAGES:
        raise Misconfigured(f"--stage {stage}: use {', '.join(STAGES)}")


def parsed(coordinates: Sequence[str]) -> list[tuple[int, int]]:
    """Each as partition and offset, once; `list`'s whole name of a letter will do. Raises Misconfigured with every other."""
    found = {text: re.fullmatch(r"(?:.*:)?([0-9]{1,9}):([0-9]{1,18})", text) for text in coordinates}
    if wrong := [text for text, match in found.items() if match is None]:
        raise Misconfigured(*(f"{text} is not PARTITION:OFFSET" for text in wrong))
    return list(dict.fromkeys((int(match[1]), int(match[2])) for match in found.values() if match))


def moment(text: str | None, now: datetime) -> datetime | None:
    """A time in ISO 8601 (UTC where it does not say), or an age before now. Raises Misconfigured."""
    if text is None:
        return None
    if age := re.fullmatch(r"([0-9]{1,6})([smhd])", text):
        return now - timedelta(**{UNITS[age[2]]: int(age[1])})
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise Misconfigured(f"--since {text}: use a time such as 2026-07-31T10:00:00+02:00, or an age such as 2h") from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)
