"""`seek`: a consumer group to where a topic holds everything from a sync marker on."""

from collections.abc import Mapping
from typing import Annotated

import orjson
import typer

from connector.admin import seek as seeking
from connector.cli.control import EntityName
from connector.cli.options import ConfigFile, Json, chosen
from connector.cli.orders.options import AdministrationName
from connector.cli.terminal import progress, until_signalled
from connector.config.load import Config, load
from connector.kafka.configured import cluster_of
from connector.source.entities import named


def seek(
    entity: EntityName,
    marker: Annotated[int, typer.Option("--marker", min=0, help="The first sync marker that must not be missed.")],
    group: Annotated[str, typer.Option("--group", help="The consumer group to move: its consumers must be stopped.")],
    apply: Annotated[bool, typer.Option("--apply", help="Do it: without this it is only shown.")] = False,
    config: ConfigFile = None,
    administration: AdministrationName = None,
    as_json: Json = False,
) -> None:
    """Move a consumer group to the lowest offsets that miss nothing from a sync marker on."""
    (found,) = named([entity])
    settings = load(config)
    topic = f"{chosen(settings, administration).administration}.{found.topic}"
    until_signalled(_seek(settings, topic, marker, group if apply else "", as_json))


async def _seek(config: Config, topic: str, marker: int, group: str, as_json: bool) -> None:
    cluster = cluster_of(config.kafka)
    with progress(f"looking through {topic} for sync marker {marker}", quiet=2.0) as tell:
        offsets = await seeking.seek(
            cluster, topic, marker, lambda *at: tell("looking through {}: partition {}, offset {} of {}".format(topic, *at))
        )
    if group:
        await seeking.move(cluster, group, topic, offsets)
    _show(topic, offsets, group, as_json=as_json)


def _show(topic: str, offsets: Mapping[int, int], group: str, *, as_json: bool) -> None:
    if as_json:
        row = {"topic": topic, "offsets": {str(partition): offset for partition, offset in offsets.items()}}
        typer.echo(orjson.dumps({**row, "moved": group or None}).decode())
        return
    for partition, offset in offsets.items():
        typer.echo(f"{topic}[{partition}] → {offset}")
    typer.echo(f"{group} begins there" if group else "nothing is done without --apply")
