"""`tail`: events of an entity as they come."""

from collections.abc import Mapping
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console

from connector.cli.options import ConfigFile, Json
from connector.cli.signals import until_signalled
from connector.config import Config, load
from connector.kafka.connection import client_arguments, reaching
from connector.kafka.reading import follow
from connector.source.entities import named


def tail(
    entity: Annotated[str, typer.Argument(help="For instance order, or orders.")],
    config: ConfigFile = None,
    from_marker: Annotated[
        int | None, typer.Option("--from-marker", help="Start with the first event of this sync marker or a later one.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show events of all configured administrations as they come."""
    settings = load(config)
    topic = named([entity])[0].topic
    until_signalled(_tail(settings, [f"{row.administration}.{topic}" for row in settings.administrations], from_marker, as_json))


async def _tail(config: Config, topics: list[str], from_marker: int | None, as_json: bool) -> None:
    show = _json_line if as_json else _line
    with reaching(config.kafka):
        async for record in follow(client_arguments(config.kafka), topics, from_start=from_marker is not None):
            headers = {name: value.decode() for name, value in record.headers}
            if from_marker is None or int(headers.get("ce_syncmarker", -1)) >= from_marker:
                show(record, headers)


def _json_line(record: Any, headers: Mapping[str, str]) -> None:
    data = None if record.value is None else orjson.Fragment(record.value)
    row = {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "key": record.key.decode(),
        "headers": headers,
    }
    typer.echo(orjson.dumps({**row, "data": data}).decode())


def _line(record: Any, headers: Mapping[str, str]) -> None:
    what = "tombstone" if record.value is None else headers.get("ce_type", "").rpartition(".")[2]
    where = f"{record.topic}[{record.partition}]@{record.offset}"
    text = (record.value or b"").decode()
    Console(soft_wrap=True, highlight=False).print(
        f"{where} marker {headers.get('ce_syncmarker')} {what} {record.key.decode()} {text}", markup=False
    )
