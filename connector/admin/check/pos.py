"""What `check` sees of a POS."""

from collections.abc import Sequence
from typing import Literal

from connector.admin.check.finding import Finding, problem
from connector.config.load import Administration, Config
from connector.errors import AccessDenied, Refused
from connector.mplus.client import PosClient, Retries
from connector.mplus.responses.process import InlineDecoder
from connector.source.entities import Choices, Entity
from connector.source.reading.reader import Reader
from connector.source.reading.silence import Pages
from connector.wiring import access, chosen_entities

PROBE_LIMIT = 20
"""Items asked for to see what syncMarkerLimit counts."""

VERSION = ("majorNumber", "minorNumber", "revisionNumber")


async def pos(config: Config, administration: Administration) -> list[Finding]:
    """Look at one POS, as far as it answers."""
    name, found = administration.administration, list[Finding]()
    client = PosClient(
        access(administration, config.connector.requests_per_second), InlineDecoder(), lambda _: None, retries=Retries(attempts=2)
    )
    try:
        version = await client.numbers("getApiVersion")
        found.append(Finding("ok", f"{name}: the POS answers, API {'.'.join(str(version.get(part, '?')) for part in VERSION)}"))
        heads = await _heads(client)
        for entity in chosen_entities(config):
            found.append(await _entity(client, name, entity, heads, Choices(config.connector.order_types)))
        meaning = await _probe(client, chosen_entities(config), heads, Choices(config.connector.order_types))
        return [*found, _limit_finding(name, meaning)]
    except Exception as error:  # whatever it answers
        return [*found, problem(name, error)]
    finally:
        await client.close()


async def _heads(client: PosClient) -> dict[str, int]:
    try:
        return await client.numbers("getCurrentSyncMarkersV2")
    except AccessDenied:
        raise
    except Refused:
        return await client.numbers("getCurrentSyncMarkers")


async def _entity(client: PosClient, name: str, entity: Entity, heads: dict[str, int], choices: Choices) -> Finding:
    if entity.head and entity.head not in heads:
        return Finding("note", f"{name}: the POS tells no sync marker of {entity.name}: it will not be read")
    try:
        await Reader(client, entity, choices).page(max(0, heads.get(entity.head, 0)), 1)
    except Refused as error:
        return Finding("note", f"{name}: {entity.name} cannot be read: {error}")
    return Finding("ok", f"{name}: {entity.name} can be read" + (f", head {heads[entity.head]}" if entity.head else ""))


async def _probe(client: PosClient, entities: Sequence[Entity], heads: dict[str, int], choices: Choices) -> str:
    for entity in entities:
        head = heads.get(entity.head, 0)
        if head <= PROBE_LIMIT:
            continue
        if meaning := await probed(Reader(client, entity, choices), head):
            return meaning
    return ""


async def probed(reader: Pages, head: int) -> Literal["records", "window", "fewer", ""]:
    """What the limit of a page means; `fewer`: the POS shows less than it is asked for. Raises Retry, Reject."""
    markers = [item.marker for item in await reader.page(0, PROBE_LIMIT) if item.marker is not None]
    following = max(markers, default=-1) + 1
    if following < PROBE_LIMIT and len(markers) < PROBE_LIMIT:
        rest = await reader.page(following, PROBE_LIMIT)
        if any(item.marker is not None and following <= item.marker < PROBE_LIMIT for item in rest):
            return "fewer"
    return limit_meaning(PROBE_LIMIT, markers, head)


def limit_meaning(limit: int, markers: Sequence[int], head: int) -> Literal["records", "window", ""]:
    """What a page asked from marker 0 tells about syncMarkerLimit; empty when it cannot tell. Pure.

    A marker at or beyond the limit can only come from counting records; a thin page below it, although the head
    lies far beyond, only from a window of markers (or from a filter, which works like one).
    """
    if any(marker >= limit for marker in markers):
        return "records"
    return "window" if len(markers) < limit and head > limit else ""


def _limit_finding(name: str, meaning: str) -> Finding:
    if not meaning:
        return Finding(
            "note", f"{name}: what syncMarkerLimit counts cannot be told yet (too few changes); both readings are handled"
        )
    if meaning == "fewer":
        return Finding("ok", f"{name}: the POS gives fewer items than syncMarkerLimit asks for; that is handled")
    what = "records" if meaning == "records" else "a window of sync markers"
    return Finding("ok", f"{name}: syncMarkerLimit counts {what}; both readings are handled")
