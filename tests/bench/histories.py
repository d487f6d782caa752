"""A server of long histories of all entities, in a process of its own: `python -m tests.bench.histories HEAD`.

Nothing of a history is held: some hundred items per entity, of the simulated shop, serve as templates, and each marker up to HEAD
gets one of them with that marker and an identity of its own. Orders are those of the other benchmarks, about 10 kB each.
POST /head with a number moves the head of every entity.
"""

import asyncio
import re
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from aiohttp import web

from connector.sandbox import Shop
from connector.sandbox.operations import OPERATIONS
from connector.sandbox.soap.soap import HEAD, TAIL
from connector.sandbox.soap.writing import item_xml
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
    """Cut the item at its markers and, but for stock, a ledger, at its identity: the first element of that name."""
    if entity.compacted:
        xml = _opened(xml, entity.page.identity[-1][0].rpartition(".")[2], times=1)
    return _opened(xml, entity.page.marker or "").split(CUT)


def _opened(xml: bytes, name: str, *, times: int = 0) -> bytes:
    """With a CUT in place of the text of the elements of this name, 0: of all of them."""
    start = f"<ns:{name}>".encode()
    return re.sub(start + b"[^<]*", start + CUT, xml, count=times)


class Histories:
    """Answers getCurrentSyncMarkersV2 and the operation of every entity."""

    def __init__(self, head: int) -> None:
        self._head = head
        self._histories = histories()

    def application(self) -> web.Application:
        """Its routes."""
        app = web.Application()
        app.router.add_post("/", self._answer)
        app.router.add_post("/head", self._move)
        return app

    async def _move(self, request: web.Request) -> web.Response:
        self._head = int(await request.text())
        return web.Response()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        history = self._histories.get(_first(OPERATION, body))
        if history is None:
            return web.Response(body=self._heads(), content_type="text/xml")
        first = max(1, int(_first(ASKED, body)) + history.entity.asks_after)
        return await _written(request, history, first, min(self._head, first + int(_first(LIMIT, body)) - 1))

    def _heads(self) -> bytes:
        heads = "".join(f"<ns:{entity.head}>{self._head}</ns:{entity.head}>" for entity in POLLED)
        return HEAD + f"<ns:GetCurrentSyncMarkersV2Response>{heads}</ns:GetCurrentSyncMarkersV2Response>".encode() + TAIL


async def _written(request: web.Request, history: History, first: int, last: int) -> web.StreamResponse:
    """The answer, written piece by piece."""
    response = web.StreamResponse(headers={"Content-Type": "text/xml; charset=utf-8"})
    with suppress(ConnectionError):  # the reader may leave at any time
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
    asyncio.run(serve_until_stdin_ends(Histories(int(sys.argv[1])).application()))
