"""`audit`: proof that nothing is missing, the source against the topic; and what repairs it."""

import asyncio
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from connector.audit.repairing import repair_all, requests
from connector.audit.report import CLEAN, HOLES, Report, words
from connector.audit.run import Assignment, EntityAudit, Mend, ready
from connector.audit.verdict import Finding
from connector.cli.control import somebody
from connector.cli.options import ConfigFile, Json, chosen
from connector.cli.orders.options import AdministrationName
from connector.cli.terminal import progress, until_signalled
from connector.clock import Clock
from connector.config.load import load
from connector.errors import Reject, Unanswered
from connector.mplus.client import PosClient
from connector.mplus.responses.process import InlineDecoder
from connector.source.entities import Entity, named
from connector.wiring import access

Show = Callable[[str], None]


def audit(
    entities: Annotated[list[str] | None, typer.Argument(metavar="ENTITY…", help="Default: all that are read.")] = None,
    repair: Annotated[bool, typer.Option("--repair", help="Have the entity's worker publish what is missing or stale.")] = False,
    restart: Annotated[bool, typer.Option("--restart", help="Begin anew, instead of where an ended audit was.")] = False,
    wait: Annotated[float, typer.Option("--wait", min=0, help="Seconds that workers get to read the latest changes.")] = 60.0,
    config: ConfigFile = None,
    administration: AdministrationName = None,
    as_json: Json = False,
) -> None:
    """Compare everything at the source with the topics: what is missing, stale, or gone at the source."""
    settings = load(config)
    order = Assignment(settings, chosen(settings, administration).administration, _state(), wait, restart)
    until_signalled(_audit(order, named(entities or settings.connector.entities), repair=repair, as_json=as_json))


def _state() -> Path | None:
    """Where what was read is kept; None where this user has no home."""
    try:
        base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    except RuntimeError:
        return None
    return Path(base) / "mplus-connector" / "audit"


async def _audit(order: Assignment, entities: Sequence[Entity], *, repair: bool, as_json: bool) -> None:
    """Exit code 0 when all are clean."""
    row = chosen(order.config, order.administration)
    client = PosClient(access(row, order.config.connector.audit_requests_per_second), InlineDecoder(), lambda _: None)
    results, warned = [], set[str]()
    try:
        await ready(order, entities)
        for number, entity in enumerate(entities, 1):
            text = f"audit {order.administration} {entity.name} ({number} of {len(entities)})"
            with progress(text, quiet=2.0) as show:
                audited = EntityAudit(order, entity, client, Clock(), _Telling(text, show).tell)
                report = await audited.report(_mending(order, entity, text, show) if repair else None)
            _show(report, as_json=as_json)
            for warning in [each for each in report.warnings if each not in warned]:
                typer.echo(f"warning: {warning}", err=True)
            warned |= {*report.warnings}
            results.append(report.result)
    except asyncio.CancelledError as error:  # Ctrl-C: no proof
        raise Unanswered("stopped: the same command goes on where it was") from error
    finally:
        await client.close()
    if HOLES in results:
        raise Reject(
            "there are holes: `audit --repair` closes them" if not repair else "holes are left: docs/operations.md, Audit"
        )
    if set(results) != {CLEAN}:
        raise typer.Exit(1)


def _show(report: Report, *, as_json: bool) -> None:
    for line in [report.encode().decode()] if as_json else words(report):
        typer.echo(line)


class _Telling:
    """How far it is, and how long it will take at this pace."""

    def __init__(self, text: str, show: Show) -> None:
        self._text = text
        self._show = show
        self._doing = ""
        self._began = (0.0, 0)

    def tell(self, doing: str, at: int, end: int) -> None:
        now = time.monotonic()
        if doing != self._doing:
            self._doing, self._began = doing, (now, at)
        since, begin = self._began
        left = f", about {_lasting((end - at) * (now - since) / (at - begin))} left" if at > begin else ""
        self._show(f"{self._text}: {doing}, {max(0, at)} of {end}{left}")


def _lasting(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def _mending(order: Assignment, entity: Entity, text: str, show: Show) -> Mend:
    def tell(number: int, count: int, said: Mapping[str, Any]) -> None:
        reason = f": {said['reason']}" if said["reason"] else ""
        show(f"{text}: repair {number} of {count}: {said['status']} by {said['owner']}{reason}")

    async def mend(findings: Sequence[Finding]) -> None:
        show(f"{text}: repairing {len(findings)} items")
        await repair_all(order.brokers, order.administration, list(requests(entity.name, findings, somebody())), tell)

    return mend
