"""The client's deadlines and its rate."""

import asyncio
import socket
import time

import pytest
from aiohttp import web

from connector.errors import Retry
from connector.mplus.client import Retries
from tests.support.pos.scripted import client, scripted, version


async def silent(_: web.Request) -> web.StreamResponse:
    """A server that takes its time."""
    await asyncio.sleep(5)
    return web.Response()


async def test_a_server_that_does_not_answer_hits_the_total_deadline() -> None:
    """The deadline is for the whole call, and is a Retry."""
    once = Retries(attempts=1)
    async with scripted(silent) as pos, client(pos.url, retries=once, timeout=0.3) as (speaking, _):
        started = time.monotonic()
        with pytest.raises(Retry, match="did not answer in time"):
            await speaking.numbers("getApiVersion")

    assert 0.3 <= time.monotonic() - started < 2


async def test_an_answer_that_trickles_hits_the_total_deadline() -> None:
    """Bytes that keep coming do not keep a call alive for ever."""

    async def trickle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(100):
            await response.write(b" ")
            await asyncio.sleep(0.05)
        return response

    async with scripted(trickle) as pos, client(pos.url, retries=Retries(attempts=1), timeout=0.5) as (speaking, _):
        started = time.monotonic()
        with pytest.raises(Retry, match="in time"):
            await speaking.numbers("getApiVersion")

    assert time.monotonic() - started < 2


async def test_an_address_where_nobody_listens_is_a_retry_that_says_what_to_check() -> None:
    """Refused connections and hosts that do not exist."""
    for url in ("http://127.0.0.1:9/", "http://nowhere.invalid/"):
        async with client(url, retries=Retries(attempts=1)) as (speaking, _):
            with pytest.raises(Retry, match="cannot be reached: check MPLUS_URL"):
                await speaking.numbers("getApiVersion")


async def test_connecting_has_its_own_deadline() -> None:
    """A host that swallows packets is noticed long before the call's own deadline: a full backlog plays that host."""
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        where = deaf.getsockname()
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.settimeout(0)
            filler.connect_ex(where)
        try:
            async with client(f"http://127.0.0.1:{where[1]}/", retries=Retries(attempts=1), timeout=60) as (speaking, _):
                started = time.monotonic()
                with pytest.raises(Retry):
                    await speaking.numbers("getApiVersion")
                assert 1.5 < time.monotonic() - started < 5
        finally:
            for filler in fillers:
                filler.close()


async def test_requests_keep_to_the_rate() -> None:
    """A burst of one second's worth, then no more than the rate, over all callers together."""
    async with scripted(version()) as pos, client(pos.url, rate=20) as (speaking, _):
        started = time.monotonic()
        await asyncio.gather(*(speaking.numbers("getApiVersion") for _ in range(50)))

    assert 1.45 < time.monotonic() - started < 4


async def test_a_rate_below_one_is_kept_too() -> None:
    """Half a request per second is one every two."""
    async with scripted(version()) as pos, client(pos.url, rate=0.5) as (speaking, _):
        await asyncio.gather(*(speaking.numbers("getApiVersion") for _ in range(2)))

    assert 1.8 < pos.asked[1] - pos.asked[0] < 4
