"""`check`: configuration, POS, Kafka, topics, access rights: all problems at once."""

import typer
from rich.console import Console
from rich.markup import escape

from connector.admin.check import Finding, everything
from connector.cli.options import ConfigFile, Json
from connector.cli.terminal import until_signalled
from connector.config.load import Config, load
from connector.ops import log
from connector.source.entities import named

MARKS = {"ok": "[green]✓[/]", "note": "[yellow]•[/]", "problem": "[red]✗[/]"}


def check(config: ConfigFile = None, as_json: Json = False) -> None:
    """Look at everything that `run` needs, change nothing, and say all that is wrong. Exit code 0, 1 or 2 (configuration)."""
    settings = load(config)
    named(settings.connector.entities)
    log.configure(settings.connector.log_format, "error")
    findings: list[Finding] = []
    until_signalled(_check(settings, findings, as_json))
    raise typer.Exit(1 if any(finding.kind == "problem" for finding in findings) else 0)


async def _check(config: Config, findings: list[Finding], as_json: bool) -> None:
    console = Console(soft_wrap=True, highlight=False)
    async for finding in everything(config):
        findings.append(finding)
        if as_json:
            typer.echo(finding.json())
        else:
            console.print(f"{MARKS[finding.kind]} {escape(finding.text)}")
