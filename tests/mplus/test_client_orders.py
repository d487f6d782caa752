"""Calls about one order: sent once, whatever comes back."""

import asyncio
from xml.etree import ElementTree

import pytest
from aiohttp import web

from connector.errors import Retry, Unanswered
from connector.events.pos import CallMade
from connector.mplus.request import request
from tests.support.pos.scripted import client, scripted

ORDER = [("orderId", "o-1")]


def test_a_carriage_return_arrives_as_one() -> None:
    """An XML reader makes a line feed of one that is sent as it is."""
    body = request("findOrder", [("extOrderId", "a\r\nb")])

    assert "a\r\nb" == ElementTree.fromstring(body).findtext(".//{urn:mplusqapi}extOrderId")


async def test_a_redirect_is_not_followed() -> None:
    """It would send the call once more."""
    asked: list[str] = []

    async def redirect(request: web.Request) -> web.StreamResponse:
        asked.append(request.path)
        return web.Response(status=307, headers={"Location": "/"})

    async with scripted(redirect) as pos, client(pos.url) as (speaking, _):
        with pytest.raises(Retry, match="HTTP 307"):
            await speaking.change("payOrderV2", ORDER)

    assert ["/"] == asked


async def test_what_is_too_large_is_no_answer_of_the_pos() -> None:
    """Whoever says so with a status alone may stand between: the POS may have taken the call all the same."""

    async def too_large(_: web.Request) -> web.StreamResponse:
        return web.Response(status=413)

    async with scripted(too_large) as pos, client(pos.url) as (speaking, _):
        with pytest.raises(Unanswered, match="HTTP 413 is no answer of the POS"):
            await speaking.change("createOrderV3", [("note", "x" * 2_000_000)])


async def test_a_cut_connection_is_no_answer() -> None:
    """And the call is not repeated: it may have been carried out."""
    asked: list[str] = []

    async def cut(request: web.Request) -> web.StreamResponse:
        asked.append(request.path)
        assert request.transport is not None
        request.transport.close()
        return web.Response()

    async with scripted(cut) as pos, client(pos.url) as (speaking, told):
        with pytest.raises(Unanswered):
            await speaking.change("payOrderV2", ORDER)
        await asyncio.sleep(0)

    assert ["/"] == asked
    assert ["Unanswered"] == [event.fault for event in told if isinstance(event, CallMade)]
