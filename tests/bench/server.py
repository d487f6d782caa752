"""A server of ready-made pages, in a process of its own: `python -m tests.bench.server ORDERS SEED`.

Each order's XML is made once; a page is the orders with markers from the asked one on. Stands in for a POS that answers at once.
"""

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import web

from tests.bench.pages import HEAD, TAIL, order_page

MARKER, LIMIT = re.compile(rb"syncMarker>(\d+)<"), re.compile(rb"syncMarkerLimit>(\d+)<")
HEADS = "<ns:orderSyncMarker>%d</ns:orderSyncMarker>"
ENVELOPE = (
    '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/" xmlns:ns="urn:mplusqapi"><e:Body>'
    "<ns:GetCurrentSyncMarkersV2Response>%s</ns:GetCurrentSyncMarkersV2Response></e:Body></e:Envelope>"
)


def orders(count: int, seed: int) -> list[bytes]:
    """XML of `count` orders, no two alike, with markers 1, 2, …"""
    return [item for first in range(0, count, 1000) for item in _page(min(1000, count - first), seed + first, first + 1)]


def _page(count: int, seed: int, first: int) -> list[bytes]:
    page = order_page(count, seed=seed, first_marker=first)
    parts = page.removeprefix(HEAD.encode()).removesuffix(TAIL.encode()).split(b"</ns:order><ns:order>")
    whole = [b"<ns:order>" + part.removeprefix(b"<ns:order>").removesuffix(b"</ns:order>") + b"</ns:order>" for part in parts]
    assert len(whole) == count
    return whole


def application(items: list[bytes]) -> web.Application:
    """Answers getCurrentSyncMarkersV2 and getOrders."""

    async def answer(request: web.Request) -> web.Response:
        body = await request.read()
        if b"getOrders" not in body:
            return _xml((ENVELOPE % (HEADS % len(items))).encode())
        first, limit = _number(MARKER, body), _number(LIMIT, body)
        chosen = items[max(0, first - 1) : max(0, first - 1) + limit]
        return _xml(b"".join([HEAD.encode(), *chosen, TAIL.encode()]))

    app = web.Application()
    app.router.add_post("/", answer)
    return app


def _number(pattern: re.Pattern[bytes], body: bytes) -> int:
    found = pattern.search(body)
    assert found is not None
    return int(found.group(1))


def _xml(body: bytes) -> web.Response:
    return web.Response(body=body, content_type="text/xml")


async def serve_until_stdin_ends(app: web.Application) -> None:
    """Serve until stdin closes; the first line printed is the port."""
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()


@dataclass(frozen=True)
class PageServer:
    """A running server."""

    url: str
    pid: int


@asynccontextmanager
async def serving(module: str, *arguments: int) -> AsyncIterator[PageServer]:
    """Start a module that calls serve_until_stdin_ends in a process of its own, and end it."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, *map(str, arguments)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    port = int(await process.stdout.readline())
    try:
        yield PageServer(f"http://127.0.0.1:{port}/", process.pid)
    finally:
        process.stdin.close()
        await process.wait()


@asynccontextmanager
async def serving_orders(count: int, seed: int = 1) -> AsyncIterator[PageServer]:
    """Start a server of so many orders, and end it."""
    async with serving("tests.bench.server", count, seed) as server:
        yield server


if __name__ == "__main__":
    asyncio.run(serve_until_stdin_ends(application(orders(int(sys.argv[1]), int(sys.argv[2])))))
