"""`pause`, `resume`, `resync`: what an operator asks of an entity's poller, and what became of it."""

import asyncio
import getpass
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from connector.admin.control import ControlUpdate, asked
from connector.admin.status import rows
from connector.cli.options import ConfigFile, Json, chosen
from connector.cli.orders.options import AdministrationName, Timeout
from connector.cli.terminal import progress, until_signalled
from connector.config.load import Config, load
from connector.errors import ConnectorError, Unanswered
from connector.kafka.configured import cluster_of
from connector.kafka.reading.topic_readers import extent
from connector.messages.control import ControlRequest
from connector.messages.position import State
from connector.messages.topics import Topics
from connector.source.entities import Entity, named

EntityName = Annotated[str, typer.Argument(metavar="ENTITY", help="For instance order, or orders.")]

UNSEEN = "no worker took it within {0:g} s: is one running (`status`)? It expires 10 minutes after it was asked"
UNENDED = "accepted by {1} and not done after {0:g} s: it goes on, `status` shows how far"
SEE = "`status` shows what became of it"


@dataclass(frozen=True, slots=True)
class Whom:
    """Which entity something is asked of, and how the answer is awaited."""

    config: Config
    administration: str
    entity: Entity
    timeout: float
    as_json: bool


def _asking(action: str, purpose: str) -> Callable[..., None]:
    """A verb that asks for an action which needs nothing but an entity."""

    def verb(
        entity: EntityName,
        config: ConfigFile = None,
        administration: AdministrationName = None,
        timeout: Timeout = 60.0,
        as_json: Json = False,
    ) -> None:
        until_signalled(_ask(_whom(entity, config, administration, timeout, as_json), action))

    verb.__name__, verb.__doc__ = action, purpose
    return verb


pause = _asking("pause", "Stop reading an entity, until it is resumed; a restart does not end that. Others go on.")
resume = _asking("resume", "Go on reading an entity that was paused, or that is stuck.")


def resync(
    entity: EntityName,
    start: Annotated[
        int | None,
        typer.Option("--from", min=0, metavar="MARKER", help="The first sync marker to read again. After head-regressed: 0."),
    ] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Do it: without this it is only shown.")] = False,
    config: ConfigFile = None,
    administration: AdministrationName = None,
    timeout: Timeout = 600.0,
    as_json: Json = False,
) -> None:
    """Read an entity from a sync marker on, back or forth, while everything runs; a list: publish all of it again."""
    whom = _whom(entity, config, administration, timeout, as_json)
    until_signalled(_ask(whom, "resync", start) if apply else _plan(whom, start))


def _whom(entity: str, config: Path | None, administration: str | None, timeout: float, as_json: bool) -> Whom:
    (found,) = named([entity])
    settings = load(config)
    return Whom(settings, chosen(settings, administration).administration, found, timeout, as_json)


async def _ask(whom: Whom, action: str, start: int | None = None) -> None:
    """Exit code 0 done, 1 anything else."""
    request = ControlRequest(action, whom.entity.name, start, somebody())
    said: dict[str, Any] = {}
    deadline = asyncio.timeout(whom.timeout)
    try:
        async with deadline, asked(cluster_of(whom.config.kafka), whom.administration, request) as update:
            await _hear(whom, request, update, said)
    except (TimeoutError, ConnectorError) as error:  # the client calls our deadline a broker that is silent
        if not deadline.expired():
            raise
        raise Unanswered((UNENDED if said else UNSEEN).format(whom.timeout, said.get("owner"))) from error
    except asyncio.CancelledError as error:  # Ctrl-C: nothing is undone by it
        raise Unanswered(f"no longer waiting: {action} {request.entity} stands, and {SEE}") from error
    if said["status"] != "done":
        raise typer.Exit(1)


async def _hear(whom: Whom, request: ControlRequest, update: AsyncIterator[ControlUpdate], said: dict[str, Any]) -> None:
    """Until the answer that ends it; each is shown, and kept in `said`, as it comes."""
    text = f"{request.action} {whom.administration} {request.entity}"
    with progress(f"{text}: asked") as tell:
        async for each in update:
            if each.answer is None:
                tell(f"{text}: {said.get('status', 'asked')}, position {max(0, each.marker)}")
                continue
            said.update(each.answer)
            _show(each.answer, as_json=whom.as_json)
            if said["status"] != "accepted":
                break
            tell(f"{text}: accepted by {said['owner']}")


def _show(answer: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        typer.echo(orjson.dumps(dict(answer)).decode())
        return
    reason = f": {answer['reason']}" if answer["reason"] else ""
    typer.echo(f"{answer['action']} {answer['entity']} {answer['status']} by {answer['owner']}{reason}")


async def _plan(whom: Whom, start: int | None) -> None:
    row = await _estimate(whom, start)
    if whom.as_json:
        typer.echo(orjson.dumps(row).decode())
        return
    typer.echo(_words(row))
    typer.echo("nothing is done without --apply")


async def _estimate(whom: Whom, start: int | None) -> dict[str, Any]:
    """From the position, the head that the owner last saw, and how many records the topic has up to there."""
    name, topic = whom.entity.name, Topics(whom.administration).entity(whom.entity.topic)
    known = (await rows(whom.config, datetime.now(UTC))).get((whom.administration, name), {})
    position, head, state = (known.get(field) for field in ("position", "head", "state"))
    spans = await extent(cluster_of(whom.config.kafka), topic)
    records = sum(end - begin for begin, end in spans.values())
    first = 0 if start is None and state == State.HEAD_REGRESSED else start
    upto = head if state == State.HEAD_REGRESSED else position
    row = {"administration": whom.administration, "entity": name, "state": state, "position": position, "head": head}
    if whom.entity.listed or first is None or upto is None:
        return {**row, "from": first, "markers": None, "events": records if whom.entity.listed else None}
    markers = max(0, upto - first + 1)
    share = min(1.0, records / max(1, position or upto))
    return {**row, "from": first, "markers": upto - first + 1, "events": round(markers * share)}


def _words(row: Mapping[str, Any]) -> str:
    """The estimate for people."""
    name, markers = f"{row['administration']} {row['entity']} ({row['state']})", row["markers"]
    if row["markers"] is None:
        return f"{name}: {'all of it' if row['events'] is not None else 'say from which sync marker with --from'}"
    where = f"{name}: position {row['position']}, head {row['head']}"
    if row["head"] is not None and row["from"] > row["head"] + 1:
        return f"{where}: {row['from']} lies beyond the head, so it would be rejected"
    if not markers:
        return f"{where}: that is where it stands"
    if markers < 1:
        return f"{where}: skips {-markers} sync markers, whose changes will never be published"
    return f"{where}: reads {markers} sync markers again, about {row['events']} events with ce_origin resync"


def somebody() -> str:
    """Who asks, for those who read the topic."""
    name = "somebody"
    with suppress(OSError, KeyError):  # a container's user need not have a name
        name = getpass.getuser()
    return f"{name}@{socket.gethostname()}"
