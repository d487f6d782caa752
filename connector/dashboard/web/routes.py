"""The dashboard over HTTP: the page, its data, and journeys. It only reads: nothing that changes anything is served."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
from aiohttp import web

from connector.dashboard.folds.journeys import RecordLocation
from connector.dashboard.lookup import JourneyLookup
from connector.dashboard.web.security import HEADERS, guarded
from connector.dashboard.web.sse import Stream
from connector.errors import Fatal, Retry

PAGE = Path(__file__).parents[1] / "page"
KINDS = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
ID_CHARS_MAX = 256
"""Characters of an order's id."""


def routes(stream: Stream, lookup: JourneyLookup, host: str) -> Iterator[web.RouteDef]:
    """Everything below `/`. Reads the page's files once: they are a few kilobytes."""

    async def state(_: web.Request) -> web.Response:
        return _json(stream.message(0))

    async def journeys(request: web.Request) -> web.Response:
        return await _journeys(request, lookup)

    yield web.get("/api/events", guarded(stream.events, host))
    yield web.get("/api/state", guarded(state, host))
    yield web.get("/api/journeys", guarded(journeys, host))
    for file in sorted(PAGE.iterdir()):
        yield _file(file, host)


def _file(file: Path, host: str) -> web.RouteDef:
    body = file.read_bytes()
    tag = hashlib.blake2b(body, digest_size=8).hexdigest()

    async def serve(request: web.Request) -> web.Response:
        if _has(request, tag):
            return _unchanged(tag)
        headers = {**HEADERS, "Cache-Control": "no-cache", "ETag": f'"{tag}"'}
        return web.Response(body=body, content_type=KINDS[file.suffix], charset="utf-8", headers=headers)

    return web.get("/" if file.name == "index.html" else f"/page/{file.name}", guarded(serve, host))


async def _journeys(request: web.Request, lookup: JourneyLookup) -> web.Response:
    """`?order=`: the journeys of that extOrderId or orderId, in any administration; the tag changes when they do."""
    name = request.query.get("order", "").strip()
    if not name or len(name) > ID_CHARS_MAX:
        return _json({"error": f"order: an extOrderId or orderId of at most {ID_CHARS_MAX} characters"}, status=400)
    locations = lookup.locations(name)
    # What was not found may be found later, and for how long to look changes: it is told anew each time.
    tag = "-".join(f"{administration}.{place.partition}.{place.offset}" for administration, (_, place) in locations.items())
    if tag and _has(request, tag):
        return _unchanged(tag)
    try:
        found = [await _found(lookup, administration, *location) for administration, location in locations.items()]
    except (Fatal, Retry) as error:
        return _json({"error": str(error)}, status=503)
    return _json({"order": name, "found": [row for row in found if row["journey"] is not None]}, tag=tag)


async def _found(lookup: JourneyLookup, administration: str, key: bytes, location: RecordLocation) -> dict[str, Any]:
    return {"administration": administration, "journey": await lookup.read(administration, key, location)}


def _has(request: web.Request, tag: str) -> bool:
    return any(each.value == tag for each in request.if_none_match or ())


def _unchanged(tag: str) -> web.Response:
    return web.Response(status=304, headers={**HEADERS, "ETag": f'"{tag}"'})


def _json(value: Any, *, status: int = 200, tag: str = "") -> web.Response:
    headers = {**HEADERS, "Cache-Control": "no-cache" if tag else "no-store"} | ({"ETag": f'"{tag}"'} if tag else {})
    return web.Response(body=orjson.dumps(value), status=status, content_type="application/json", headers=headers)
