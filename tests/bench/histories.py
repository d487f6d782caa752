"""A server of long histories of all entities, in a process of its own: `python -m tests.bench.histories HEAD`.

Nothing of a history is held: a few hundred items per entity, of the simulated shop, serve as templates, and each asked marker up to
HEAD gets one of them with that marker and an identity of its own. Orders are those of the other benchmarks, about 10 kB each.
"""

import asyncio
import re
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import web

from connector.sandbox import Shop
from connector.sandbox.operations import OPERATIONS
from connector.sandbox.soap import HEAD, TAIL
from connector.sandbox.writing import item_xml
from connector.source.entities import ENTITIES, Entity
from tests.bench.server import PageServer, orders, serve_until_stdin_ends, serving

TEMPLATES = 300
WRITTEN_AT_ONCE = 100
"""Items per piece of an answer."""
ASKED = re.compile(rb"(?:syncMarker|sinceStockId)>(\d+)<")
LIMIT = re.compile(rb"(?:syncMarker|sinceStockId)Limit>(\d+)<")
OPERATION = re.compile(rb"Body><(?:\w+:)?(\w+)")
CUT = b"\0"
POLLED = tuple(entity for entity in ENTITIES if not entity.listed)

Template = list[bytes]
"""The XML of an item, cut open wherever its number goes."""


@dataclass(frozen=True)
class History:
    """An entity's items: the one with marker n is a template with n in it."""

    entity: Entity
    templates: list[Template]

    def items(self, first: int, last: int) -> bytes:
        """XML of the items with these markers and all between."""
        count = len(self.templates)
        return b"".join((b"%d" % marker).join(self.templates[marker % count]) for marker in range(first, last + 1))

    def around(self) -> tuple[bytes, bytes]:
        """What stands before the items of an answer, and after them."""
        response = OPERATIONS[self.entity.readings[0].operation].response
        names = [response, *self.entity.page.path[:-1]]
        opening, closing = "".join(f"<ns:{name}>" for name in names), "".join(f"</ns:{name}>" for name in reversed(names))
        return HEAD + opening.encode(), closing.encode() + TAIL


def histories() -> dict[bytes, History]:
    """By operation."""
    shop = Shop(items=TEMPLATES)
    made = {entity.name: [item_xml(shop, item, "whole") for item in shop.sequences[entity.name]] for entity in POLLED}
    made["order"] = orders(TEMPLATES, seed=1)
    return {
        entity.readings[0].operation.encode(): History(entity, [template(entity, xml) for xml in made[entity.name]])
        for entity in POLLED
    }


def template(entity: Entity, xml: bytes) -> Template:
    """Cut the item at its markers and at its identity (the first element of that name; of stock, a ledger, only at the marker)."""
    if entity.compacted:
        xml = _opened(xml, entity.page.identity[-1][0].rpartition(".")[2], times=1)
    return _opened(xml, entity.page.marker or "").split(CUT)


def _opened(xml: bytes, name: str, *, times: int = 0) -> bytes:
    """With a CUT in place of the text of the elements of this name, 0: of all of them."""
    start = f"<ns:{name}>".encode()
    return re.sub(start + b"[^<]*", start + CUT, xml, count=times)


def application(head: int) -> web.Application:
    """Answers getCurrentSyncMarkersV2 and the operation of every entity."""
    found = histories()
    heads = "".join(f"<ns:{entity.head}>{head}</ns:{entity.head}>" for entity in POLLED)
    heads_answer = HEAD + f"<ns:GetCurrentSyncMarkersV2Response>{heads}</ns:GetCurrentSyncMarkersV2Response>".encode() + TAIL

    async def answer(request: web.Request) -> web.StreamResponse:
        body = await request.read()
        history = found.get(_first(OPERATION, body))
        if history is None:
            return web.Response(body=heads_answer, content_type="text/xml")
        first = int(_first(ASKED, body)) + history.entity.asks_after
        return await _written(request, history, max(1, first), min(head, max(1, first) + int(_first(LIMIT, body)) - 1))

    app = web.Application()
    app.router.add_post("/", answer)
    return app


async def _written(request: web.Request, history: History, first: int, last: int) -> web.StreamResponse:
    """The answer, written piece by piece."""
    response = web.StreamResponse(headers={"Content-Type": "text/xml; charset=utf-8"})
    await response.prepare(request)
    for piece in _pieces(history, first, last):
        await response.write(piece)
    await response.write_eof()
    return response


def _pieces(history: History, first: int, last: int) -> Iterable[bytes]:
    opening, closing = history.around()
    yield opening
    for start in range(first, last + 1, WRITTEN_AT_ONCE):
        yield history.items(start, min(last, start + WRITTEN_AT_ONCE - 1))
    yield closing


def _first(pattern: re.Pattern[bytes], body: bytes) -> bytes:
    found = pattern.search(body)
    assert found is not None
    return found.group(1)


@asynccontextmanager
async def serving_histories(head: int) -> AsyncIterator[PageServer]:
    """Start the server, and end it."""
    async with serving("tests.bench.histories", head) as server:
        yield server


if __name__ == "__main__":
    asyncio.run(serve_until_stdin_ends(application(int(sys.argv[1]))))
