"""`dead-letters`: what could not be done, and doing it again."""

import re
import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated

import orjson
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from connector.admin.dead_letters import DeadLetters, in_order
from connector.cli.letters import plan as redrive_plan
from connector.cli.letters.intent import intended
from connector.cli.letters.text import body, row, words
from connector.cli.options import ConfigFile, Json, chosen
from connector.cli.orders.options import AdministrationName
from connector.cli.terminal import WIDE_COLUMNS, progress, until_signalled
from connector.config.load import Config, load
from connector.errors import Misconfigured, Reject
from connector.kafka.configured import cluster_of
from connector.messages.dead_letter import INTENT, SINK_STAGES, DeadLetter

STAGES = (*SINK_STAGES, "decode", "too-large")
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
QUIET_S = 5.0
"""Seconds of reading before the first plain line about it."""

Stage = Annotated[str | None, typer.Option("--stage", help=f"Only of this one: {', '.join(STAGES)}.", show_default=False)]
Since = Annotated[str | None, typer.Option("--since", help="A time (ISO 8601), or an age: 30m, 2h, 7d.")]
Until = Annotated[str | None, typer.Option("--until", help="Only before this time, or age.")]
Span = tuple[datetime | None, datetime | None]
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
    since: Since = None,
    until: Until = None,
    as_json: Json = False,
) -> None:
    """List the dead letters that there are now, the newest last."""
    span = _span(since, until)
    _known(stage)
    settings = load(config)
    rows = [chosen(settings, administration)] if administration else settings.administrations
    until_signalled(_list(settings, [each.administration for each in rows], lambda letter: _wanted(letter, stage, span), as_json))


async def _list(config: Config, administrations: Sequence[str], wanted: Callable[[DeadLetter], bool], as_json: bool) -> None:
    found: list[DeadLetter] = []
    for name in administrations:
        found += await _all(_letters(config, name), wanted)
    found.sort(key=lambda letter: (letter.timestamp, letter.place, letter.offset))
    if as_json:
        for letter in found:
            typer.echo(orjson.dumps(row(letter)).decode())
        return
    Console(width=None if sys.stdout.isatty() else WIDE_COLUMNS).print(_table(found) if found else "no dead letters")


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
    for name, value in letter.pairs:
        typer.echo(f"{words(name.encode())}: {words(value)}")
    for line in intended(letter.headers.get(INTENT)):
        typer.echo(line)
    typer.echo()
    typer.echo(body(letter.value))


def redrive(
    coordinates: Coordinates = None,
    stage: Stage = None,
    everything: Annotated[bool, typer.Option("--all", help="All letters of order commands, or all of --stage.")] = False,
    since: Since = None,
    until: Until = None,
    apply: Annotated[bool, typer.Option("--apply", help="Do it: without this it is only shown.")] = False,
    config: ConfigFile = None,
    administration: AdministrationName = None,
) -> None:
    """Send dead letters of order commands again.

    A letter runs once while the ledger remembers it; one that is older is only looked up.
    """
    if bool(coordinates) == everything or ((stage or since or until) and not everything):
        raise Misconfigured("say which: PARTITION:OFFSET …, or --all, with --stage …, --since … or --until … for a part of them")
    span = _span(since, until)
    _known(stage)
    wanted = parsed(coordinates or [])
    settings = load(config)
    letters = _letters(settings, chosen(settings, administration).administration)
    stages = (stage,) if stage else SINK_STAGES
    found = _at(letters, wanted) if wanted else _all(letters, lambda letter: letter.stage in stages and _within(letter, span))
    until_signalled(_redrive(letters, found, settings.connector.ledger_retention, apply=apply))


async def _redrive(letters: DeadLetters, finding: Awaitable[list[DeadLetter]], ledger_days: int, *, apply: bool) -> None:
    found = await finding
    if problems := [problem for letter in found if (problem := letters.problem(letter))]:
        raise Reject("; ".join(problems))
    with progress("reading what was sent since", quiet=QUIET_S):
        since = await letters.later(found)
    for letter in in_order(found):
        typer.echo(redrive_plan.line(letter, since[letter.coordinate]))
    plan = redrive_plan.summary(found, since, datetime.now(UTC), ledger_days)
    if not apply:
        typer.echo(f"{plan}: nothing is done without --apply")
        return
    typer.echo(plan)
    done = 0
    with progress(f"sending {len(found)} again", quiet=QUIET_S) as tell:
        async for _, _ in letters.redrive(in_order(found)):
            done += 1
            tell(f"sent {done} of {len(found)} again")
    typer.echo(redrive_plan.sent(done, ledger_days))


async def _at(letters: DeadLetters, wanted: Sequence[tuple[int, int]]) -> list[DeadLetter]:
    found = await letters.at(wanted)
    if missing := [f"{partition}:{offset}" for partition, offset in wanted if (partition, offset) not in found]:
        raise Reject("; ".join(f"there is no letter {name} in {letters.topic}" for name in missing))
    return list(found.values())


async def _all(letters: DeadLetters, wanted: Callable[[DeadLetter], bool]) -> list[DeadLetter]:
    found, seen = [], 0
    with progress(f"reading {letters.topic}", quiet=QUIET_S) as tell:
        async for letter in letters.all():
            seen += 1
            if wanted(letter):
                found.append(letter)
            tell(f"reading {letters.topic}: {seen} letters")
    return found


def _table(letters: Sequence[DeadLetter]) -> Table:
    table = Table("letter", "time", "stage", "key", "origin", "message", header_style="bold")
    for letter in letters:
        origin = letter.origin
        where = f"{origin.topic}:{origin.partition}:{origin.offset}"
        cells = (f"{letter.place.topic}:{letter.coordinate}", letter.at.isoformat(timespec="seconds"), letter.stage)
        texts = (*cells, words(letter.key), where, letter.message)
        table.add_row(*(Text(words(text.encode()), overflow="fold") for text in texts))
    return table


def _letters(config: Config, administration: str) -> DeadLetters:
    return DeadLetters(cluster_of(config.kafka), administration)


def _wanted(letter: DeadLetter, stage: str | None, span: Span) -> bool:
    return stage in (None, letter.stage) and _within(letter, span)


def _within(letter: DeadLetter, span: Span) -> bool:
    after, before = span
    return (after is None or letter.at >= after) and (before is None or letter.at < before)


def _span(since: str | None, until: str | None) -> Span:
    now = datetime.now(UTC)
    after, before = moment(since, now), moment(until, now, "--until")
    if after and before and after >= before:
        raise Misconfigured(f"--since {since} is not before --until {until}: no letter is meant")
    return after, before


def _known(stage: str | None) -> None:
    if stage is not None and stage not in STAGES:
        raise Misconfigured(f"--stage {stage}: use {', '.join(STAGES)}")


def parsed(coordinates: Sequence[str]) -> list[tuple[int, int]]:
    """Each as partition and offset, once; `list`'s whole name of a letter will do. Raises Misconfigured with every other."""
    found = {text: re.fullmatch(r"(?:.*:)?([0-9]{1,9}):([0-9]{1,18})", text) for text in coordinates}
    if wrong := [text for text, match in found.items() if match is None]:
        raise Misconfigured(*(f"{text} is not PARTITION:OFFSET" for text in wrong))
    return list(dict.fromkeys((int(match[1]), int(match[2])) for match in found.values() if match))


def moment(text: str | None, now: datetime, option: str = "--since") -> datetime | None:
    """A time in ISO 8601 (UTC where it does not say), or an age before now. Raises Misconfigured."""
    if text is None:
        return None
    if age := re.fullmatch(r"([0-9]{1,6})([smhd])", text):
        return now - timedelta(**{UNITS[age[2]]: int(age[1])})
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise Misconfigured(f"{option} {text}: use a time such as 2026-07-31T10:00:00+02:00, or an age such as 2h") from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)
