"""A POS that answers createOrderV3 after 10 ms, in a process of its own: `python -m tests.bench.create_server`.

Its answers are one of the sandbox's, with the caller's extOrderId, an orderId and a marker of their own: the sandbox itself
would take as much of the machine as what is measured.
"""

import asyncio
import re
import sys
from itertools import count

from aiohttp import ClientSession, web

from connector.sandbox import Sandbox, SandboxOptions
from tests.bench.server import serve_until_stdin_ends

ANSWERS_AFTER = 0.010
NAMED = re.compile(rb"extOrderId>([^<]+)<")
ORDER = (
    '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><createOrderV3 xmlns="urn:mplusqapi"><request>'
    "<idempotencyKey>k</idempotencyKey><order><orderId/><extOrderId>NAME</extOrderId><relationNumber>1</relationNumber><lineList>"
    + "".join(
        f"<line><articleNumber>{article}</articleNumber><data><quantity>2</quantity></data></line>" for article in (10, 20, 30)
    )
    + "</lineList></order></request></createOrderV3></e:Body></e:Envelope>"
)


async def answer_of_the_sandbox() -> bytes:
    """What it says to an order of three lines."""
    async with (
        Sandbox(SandboxOptions(items=5)) as pos,
        ClientSession() as http,
        http.post(pos.url, params={"ident": pos.ident, "secret": pos.secret}, data=ORDER) as answer,
    ):
        return await answer.read()


def application(answer: bytes) -> web.Application:
    """The same answer for everybody, under their own names."""
    (order_id,) = set(re.findall(rb"orderId>([^<]+)<", answer))
    (marker,) = re.findall(rb"order>.*?<[^>]*syncMarker>(\d+)<", answer, re.DOTALL)
    markers = count(int(marker))

    async def create(request: web.Request) -> web.Response:
        found = NAMED.search(await request.read())
        assert found is not None
        await asyncio.sleep(ANSWERS_AFTER)
        number = b"%d" % next(markers)
        told = answer.replace(b"NAME", found.group(1)).replace(order_id, b"o-" + number)
        return web.Response(body=told.replace(b"syncMarker>%s<" % marker, b"syncMarker>%s<" % number), content_type="text/xml")

    app = web.Application()
    app.router.add_post("/", create)
    return app


async def main() -> None:
    """Serve until stdin ends."""
    await serve_until_stdin_ends(application(await answer_of_the_sandbox()))


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
