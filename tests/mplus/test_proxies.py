"""Proxies of the environment: used where they are named, and no reason to lose what connections have without one."""

import asyncio
import gc
import socket
from contextlib import suppress

import pytest
from aiohttp import web

from connector.errors import Misconfigured, NotSent, Unanswered
from connector.mplus.client import Access, PosClient, Retries
from connector.mplus.responses.process import InlineDecoder
from connector.mplus.transport import READING
from tests.mplus.conftest import Certificate
from tests.mplus.hostile import Reply, hostile, http, right
from tests.support.pos.scripted import client, scripted, version
from tests.support.pos.silent import silent
from tests.support.pos.speaking import calls, speaking

ONCE = Retries(attempts=1)
VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize("variable", ["http_proxy", "ALL_PROXY"])
@pytest.mark.parametrize("scheme", ["http://", ""])
async def test_a_proxy_is_used(monkeypatch: pytest.MonkeyPatch, variable: str, scheme: str) -> None:
    """For a POS that only the proxy can find."""
    async with scripted(version()) as proxy:
        monkeypatch.setenv(variable, proxy.url.replace("http://", scheme))
        async with client("http://pos.invalid/", retries=ONCE) as (speaking, _):
            assert 67 == (await speaking.numbers("getApiVersion"))["majorNumber"]
        monkeypatch.setenv("no_proxy", "elsewhere.invalid, .invalid")
        async with client("http://pos.invalid/", retries=ONCE) as (speaking, _):
            with pytest.raises(NotSent):
                await speaking.numbers("getApiVersion")

    assert 1 == len(proxy.asked)


async def test_https_goes_through_a_tunnel(monkeypatch: pytest.MonkeyPatch, certificate: Certificate) -> None:
    """All kinds of calls; and a proxy that refuses the tunnel has let nothing through."""
    tunnels: list[bytes] = []
    refuse = asyncio.Event()

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await reader.readuntil(b"\r\n\r\n")
        tunnels.append(asked.split()[1])
        if refuse.is_set():
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            writer.close()
            return
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", int(asked.split()[1].rpartition(b":")[2]))
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer))

    server = await asyncio.start_server(connect, "127.0.0.1", 0)
    monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    async with (
        server,
        hostile(lambda request: Reply(http(right(request))), certificate.server()) as url,
        speaking(url, certificate.client()) as through,
    ):
        for call in calls(through):
            await call()
        refuse.set()
        for call in calls(through):
            with pytest.raises(NotSent, match="the proxy refuses"):
                await call()

    assert 8 == len(tunnels)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
    writer.close()


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1080", "ftp://user:hush@127.0.0.1:1", "http://[::1", "http://a b:x"])
def test_a_proxy_that_cannot_be_used_is_said_in_a_line(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    """Before anything is called; the line shows no password."""
    monkeypatch.setenv("ALL_PROXY", proxy)
    with pytest.raises(Misconfigured, match=r"ALL_PROXY names cannot be used .* NO_PROXY$") as raised:
        PosClient(Access("demo", "http://pos.invalid/", "i", "s"), InlineDecoder(), lambda _: None)
    assert "hush" not in str(raised.value)

    monkeypatch.setenv("NO_PROXY", "pos.invalid")
    PosClient(Access("demo", "http://pos.invalid/", "i", "s"), InlineDecoder(), lambda _: None)


@pytest.mark.parametrize("variable", ["http_proxy", "no_proxy", ""])
async def test_connections_are_bounded_and_notice_dead_peers(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    """With a proxy, with only an exception from one, and without."""
    arrived = 0
    full, go_on = asyncio.Event(), asyncio.Event()

    async def held(request: web.Request) -> web.StreamResponse:
        nonlocal arrived
        arrived += 1
        if arrived == READING.connections_max:
            full.set()
        await go_on.wait()
        return await version()(request)

    async with scripted(held) as pos:
        if variable:
            monkeypatch.setenv(variable, pos.url if variable == "http_proxy" else "elsewhere.invalid")
        async with client(pos.url, retries=ONCE) as (speaking, _), asyncio.timeout(20):
            asking = [asyncio.create_task(speaking.numbers("getApiVersion")) for _ in range(30)]
            await full.wait()
            port = int(pos.url.rstrip("/").rpartition(":")[2])
            kept = [one.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) for one in connected_to(port)]
            go_on.set()
            await asyncio.gather(*asking)

    assert [1] * READING.connections_max == kept
    assert 30 == len(pos.asked)


def connected_to(port: int) -> list[socket.socket]:
    """This process's sockets whose far end is this port."""
    found = []
    for one in gc.get_objects():
        if isinstance(one, socket.socket) and one.fileno() >= 0 and one.family == socket.AF_INET:
            with suppress(OSError):
                if one.getpeername()[1] == port:
                    found.append(one)
    return found


async def test_a_cut_tunnel_is_unanswered(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy for plain HTTP has the call when it goes away: the POS may have it too."""
    async with hostile(lambda _: Reply()) as proxy:
        monkeypatch.setenv("http_proxy", proxy)
        async with speaking("http://pos.invalid/") as through:
            for call in calls(through):
                with pytest.raises(Unanswered):
                    await call()


async def test_a_proxy_that_hangs_is_known_before_anything_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes the connection, and never opens the tunnel: long before the limit of a page."""
    async with silent() as proxy:
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy}")
        access = Access("demo", "https://pos.invalid/", "i", "s", connect_timeout=0.1, timeout=600)
        through = PosClient(access, InlineDecoder(), lambda _: None, retries=ONCE)
        for call in calls(through):
            with pytest.raises(NotSent, match="in time"):
                await call()
        await through.close()
