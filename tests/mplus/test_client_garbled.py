"""The client and answers that are not whole: an error, and never a short page."""

from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web

from connector.errors import Retry, Unreadable
from connector.mplus.client import Retries
from connector.mplus.responses.pages import Item
from connector.sandbox import Sandbox, SandboxOptions
from connector.source.entities import ENTITIES, Choices, Entity, named
from tests.support.pos.scripted import SOAP, client, scripted, xml, zipped

ORDER = named(["order"])[0]
ONE = "<n:order><n:orderId>o-1</n:orderId><n:syncMarker>5</n:syncMarker></n:order>"
PAGE = f'<n:GetOrdersResponse xmlns:n="urn:mplusqapi"><n:orderList>{ONE}{ONE}</n:orderList></n:GetOrdersResponse>'
NOT_PAGES = {
    "nothing": b"",
    "blank": b"   \n",
    "html": b"<html><body>It works!</body></html>",
    "json": b'{"orderList": []}',
    "empty body": (SOAP % "").encode(),
    "another answer": (SOAP % '<n:x xmlns:n="urn:mplusqapi"><n:relationList/></n:x>').encode(),
    "an empty answer of another operation": (SOAP % '<n:GetRelationsResponse xmlns:n="urn:mplusqapi"/>').encode(),
    "another answer with the right list": (SOAP % '<n:x xmlns:n="urn:mplusqapi"><n:orderList/></n:x>').encode(),
    "no envelope": PAGE.encode(),
    "doctype": b"<!DOCTYPE x [<!ENTITY e 'e'>]>" + (SOAP % PAGE).encode(),
    "not utf-8": (SOAP % PAGE).encode().replace(b"o-1", b"o-\xff"),
    "rubbish behind": (SOAP % PAGE).encode() + b"<more/>",
    "unclosed": (SOAP % PAGE).encode().removesuffix(b"</e:Envelope>"),
}


def body(raw: bytes) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """These very bytes with HTTP 200."""

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(body=raw, content_type="text/xml")

    return answer


@pytest.mark.parametrize("entity", ENTITIES, ids=lambda entity: entity.name)
async def test_a_page_whose_connection_is_cut_is_read_again(entity: Entity) -> None:
    """Of every entity: nobody knows what would have followed, so it is asked once more."""
    reading = entity.readings[0]
    async with Sandbox(SandboxOptions(items=6)) as pos, client(pos.url, ident=pos.ident, secret=pos.secret) as (speaking, _):
        whole = await speaking.page(reading.operation, reading.fields(0, 100, Choices()), entity.page)
        pos.faults.switch("truncate", count=1)

        assert whole == await speaking.page(reading.operation, reading.fields(0, 100, Choices()), entity.page)
        assert 3 == pos.requests.counts[reading.operation]
        assert whole
        assert all(isinstance(item, Item) for item in whole)


@pytest.mark.parametrize("entity", ENTITIES, ids=lambda entity: entity.name)
async def test_a_whole_answer_with_half_a_page_is_told_at_once(entity: Entity) -> None:
    """Of every entity: whoever asked may ask in another way, and a POS that made it is not troubled once more."""
    reading = entity.readings[0]
    async with Sandbox(SandboxOptions(items=6)) as pos, client(pos.url, ident=pos.ident, secret=pos.secret) as (speaking, _):
        pos.faults.switch("truncate_framed", count=1)
        with pytest.raises(Unreadable, match=f"^{reading.operation}: .*cannot be read"):
            await speaking.page(reading.operation, reading.fields(0, 100, Choices()), entity.page)

        assert 1 == pos.requests.counts[reading.operation]


@pytest.mark.parametrize("kind", ["truncate", "truncate_framed", "garbage"])
async def test_a_page_that_is_always_cut_is_an_error(kind: str) -> None:
    """The half that arrived is not given to anybody."""
    reading = ORDER.readings[0]
    async with Sandbox(SandboxOptions(items=30)) as pos, client(pos.url, ident=pos.ident, secret=pos.secret) as (speaking, _):
        pos.faults.switch(kind, probability=1.0)
        with pytest.raises(Retry, match=r"^getOrders: "):
            await speaking.page("getOrders", reading.fields(0, 100, Choices()), ORDER.page)


@pytest.mark.parametrize("what", NOT_PAGES)
async def test_what_is_not_a_page_is_an_error(what: str) -> None:
    """None of these is an empty page: an empty page would move the position."""
    async with scripted(body(NOT_PAGES[what])) as pos, client(pos.url) as (speaking, _):
        with pytest.raises(Unreadable, match="cannot be read"):
            await speaking.page("getOrders", ORDER.readings[0].fields(1, 10, Choices()), ORDER.page)

    assert 1 == len(pos.asked)


@pytest.mark.parametrize("status", [201, 204, 301, 302, 400, 404, 500, 502])
async def test_only_http_200_is_a_page(status: int) -> None:
    """A well-formed page under another status is not believed, and a redirect is not followed: it would carry the secret away."""
    once = Retries(attempts=1)
    async with scripted(xml(PAGE, status, Location="http://127.0.0.1:9/")) as pos, client(pos.url, retries=once) as (speaking, _):
        with pytest.raises(Retry, match=f"HTTP {status}"):
            await speaking.page("getOrders", ORDER.readings[0].fields(1, 10, Choices()), ORDER.page)

    assert 1 == len(pos.asked)


async def test_a_broken_compression_is_an_error() -> None:
    """Compressed, and cut within."""

    async def cut(request: web.Request) -> web.StreamResponse:
        whole = await zipped(PAGE)(request)
        assert isinstance(whole, web.Response)
        assert isinstance(whole.body, bytes)
        return web.Response(body=whole.body[: len(whole.body) // 2], headers={"Content-Encoding": "gzip"})

    async def fake(_: web.Request) -> web.StreamResponse:
        return web.Response(body=b"no gzip at all", headers={"Content-Encoding": "gzip"})

    for answer in (cut, fake):
        async with scripted(answer) as pos, client(pos.url, retries=Retries(attempts=1)) as (speaking, _):
            with pytest.raises(Retry):
                await speaking.page("getOrders", ORDER.readings[0].fields(1, 10, Choices()), ORDER.page)


async def test_a_small_answer_that_never_ends_is_given_up() -> None:
    """A head or a version has a few bytes; megabytes of it are refused before they fill the memory."""
    endless = xml('<n:getApiVersionResponse xmlns:n="urn:mplusqapi">' + "<n:x>1</n:x>" * 200_000 + "</n:getApiVersionResponse>")
    async with scripted(endless) as pos, client(pos.url, retries=Retries(attempts=1)) as (speaking, _):
        with pytest.raises(Retry, match="more than 1048576 bytes"):
            await speaking.numbers("getApiVersion")
