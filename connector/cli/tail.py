"""`tail`: events of an entity as they come."""

from typing import Annotated, Any

import orjson
import typer
from rich.console import Console

from connector.cli.letters.text import words
from connector.cli.options import ConfigFile, Json
from connector.cli.terminal import until_signalled
from connector.config.load import Config, load
from connector.kafka.configured import cluster_of
from connector.kafka.reading.readers import follow
from connector.kafka.records import header, header_text, number
from connector.messages.cloudevents import CE_SYNC_MARKER, CE_TYPE
from connector.messages.topics import Topics
from connector.source.entities import named

NO_MARKER = -1


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
    until_signalled(
        _tail(settings, [Topics(row.administration).entity(topic) for row in settings.administrations], from_marker, as_json)
    )


async def _tail(config: Config, topics: list[str], from_marker: int | None, as_json: bool) -> None:
    show = _json_line if as_json else _line
    cluster = cluster_of(config.kafka)
    with cluster.reaching():
        async for record in follow(cluster, topics, from_start=from_marker is not None):
            if from_marker is None or _marker(record) >= from_marker:
                show(record)


def _marker(record: Any) -> int:
    return number(header(record.headers, CE_SYNC_MARKER), NO_MARKER)


def _json_line(record: Any) -> None:
    """A record that is none of ours has its value as text, under `text`."""
    row = {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "key": _text(record.key),
        "headers": {name: _text(value) for name, value in record.headers},
    }
    data = {"data": None} if record.value is None else _data(record.value)
    typer.echo(orjson.dumps({**row, **data}).decode())


def _data(value: bytes) -> dict[str, Any]:
    try:
        orjson.loads(value)
    except orjson.JSONDecodeError:
        return {"data": None, "text": _text(value)}
    return {"data": orjson.Fragment(value.replace(b"\n", b" ").replace(b"\r", b" "))}  # in JSON they are only layout


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode(errors="backslashreplace")


def _line(record: Any) -> None:
    kind = header_text(record.headers, CE_TYPE).rpartition(".")[2]
    what = "tombstone" if record.value is None else kind or "no event"
    where = f"{record.topic}[{record.partition}]@{record.offset}"
    marker = words(header(record.headers, CE_SYNC_MARKER))
    text = f"{where} marker {marker} {words(what.encode())} {words(record.key)} {words(record.value or b'')}"
    Console(soft_wrap=True, highlight=False).print(text, markup=False)
