"""Names that hang, and addresses of all kinds: a POS that cannot be found costs nobody but itself."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from connector.errors import NotSent
from connector.mplus.client import Retries
from connector.mplus.resolver import LOOKUPS_MAX, Resolver
from tests.mplus.hostile import Reply, hostile, http, right
from tests.support.pos.scripted import client, scripted, version
from tests.support.source.polling import eventually

ONCE = Retries(attempts=1)
SYSTEM = socket.getaddrinfo


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, Any], None]]:
    """Makes the system's resolver answer for a name: with rows, or an error; None: its name servers are silent."""
    silence, told = threading.Event(), dict[str, Any]()

    def resolved(host: Any, *arguments: Any, **options: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name not in told:
            return SYSTEM(host, *arguments, **options)
        if told[name] is None:
            silence.wait()
            raise socket.gaierror(-3, "Temporary failure in name resolution")
        return told[name]

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    yield told.__setitem__
    silence.set()
    for thread in lookups():
        thread.join(5)


def row(host: str, port: int, family: socket.AddressFamily = socket.AF_INET) -> Any:
    """As getaddrinfo tells one address."""
    rest = (0, 0) if family == socket.AF_INET6 else ()
    return (family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port, *rest))


def lookups() -> list[threading.Thread]:
    """Threads that look names up now."""
    return [thread for thread in threading.enumerate() if thread.name == "name lookup"]


async def test_names_that_hang_hold_up_no_neighbour(names: Callable[[str, Any], None]) -> None:
    """Ten POSs whose names hang, ten calls each, while a neighbour looks its own name up for each of fifty calls."""
    async with AsyncExitStack() as stack:
        well = await stack.enter_async_context(hostile(lambda request: Reply(http(right(request)))))
        neighbour, _ = await stack.enter_async_context(client(well.replace("127.0.0.1", "localhost"), retries=ONCE))
        hanging = []
        for number in range(10):
            names(f"dead{number}.example", None)
            dead, _ = await stack.enter_async_context(client(f"http://dead{number}.example/", retries=ONCE))
            hanging += [asyncio.create_task(dead.numbers("getCurrentSyncMarkersV2")) for _ in range(10)]
        await eventually(lambda: len(lookups()) == 10)
        answered = [await neighbour.numbers("getCurrentSyncMarkersV2") for _ in range(50)]

        assert 50 == len(answered)
        assert 10 == len(lookups())
        for error in await asyncio.gather(*hanging, return_exceptions=True):
            assert isinstance(error, NotSent)
            assert "cannot be reached" in str(error)


async def test_a_name_that_hangs_is_given_up_and_asked_for_anew(names: Callable[[str, Any], None]) -> None:
    """Each lookup has its time; the next call does not wait for one that hangs for ever, and their number is bounded."""
    resolver = Resolver(0.05)
    names("dead.example", None)
    for number in range(LOOKUPS_MAX + 3):
        with pytest.raises(OSError, match="within 0.05 s" if number < LOOKUPS_MAX else "hang already"):
            await resolver.resolve("dead.example", 80)
    assert LOOKUPS_MAX == len(lookups())

    another = Resolver(5)
    names("dead.example", [row("127.0.0.1", 80)])
    assert ["127.0.0.1"] == [address["host"] for address in await another.resolve("dead.example", 80)]


@pytest.mark.parametrize("name", ["x" * 70 + ".example", "a..example", "\u00fc" * 70, "", "nowhere.invalid"])
async def test_a_name_that_is_none_is_an_oserror(name: str) -> None:
    """Whatever the system's resolver thinks of it."""
    with pytest.raises(OSError):  # noqa: PT011 -- its texts are the system's
        await Resolver(5).resolve(name, 80)


async def test_the_next_address_is_tried(names: Callable[[str, Any], None]) -> None:
    """Of a name with several, of which some do not answer; also over both generations of IP."""
    async with scripted(version()) as pos:
        port = int(pos.url.rstrip("/").rpartition(":")[2])
        names("pos.example", [row("::1", port, socket.AF_INET6), row("127.0.0.2", port), row("127.0.0.1", port)])
        async with client(f"http://pos.example:{port}/", retries=ONCE) as (speaking, _):
            assert 67 == (await speaking.numbers("getApiVersion"))["majorNumber"]


async def test_an_ipv6_address_is_no_name() -> None:
    """And reached."""
    try:
        server = await asyncio.start_server(_answering, "::1", 0)
    except OSError:
        pytest.skip("no IPv6 here")
    async with server, client(f"http://[::1]:{server.sockets[0].getsockname()[1]}/", retries=ONCE) as (speaking, _):
        assert {"relationSyncMarker": 5} == await speaking.numbers("getCurrentSyncMarkersV2")


async def _answering(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(http(right(await reader.readuntil(b":Envelope>"))))
    await writer.drain()
    writer.close()
