"""Names of one POS, looked up in threads of its own.

The event loop's own threads are few, serve everybody, and one that waits for a name server cannot be called back: names that
hang would hold up every other POS, and Kafka. Here a hanging lookup costs only those who asked for that very name.
"""

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from threading import Thread
from typing import Any, NamedTuple

from aiohttp.abc import AbstractResolver, ResolveResult

LOOKUPS_MAX = 4
"""Threads that may hang at once in lookups of one POS: each of them was given up before the next began."""
KNOWN = getattr(socket, "AI_ADDRCONFIG", 0)
NUMERIC = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV

Addresses = list[ResolveResult]


class _Asked(NamedTuple):
    host: str
    port: int
    family: socket.AddressFamily


class Resolver(AbstractResolver):
    """Looks a name up as the system does, within `limit_s` seconds. Raises OSError, whatever goes wrong."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._lookups: dict[_Asked, asyncio.Future[Addresses]] = {}
        self._threads = 0

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AddressFamily.AF_UNSPEC) -> Addresses:
        """All addresses, in the system's order. Who asks for a name that is being looked up waits for the same answer."""
        asked = _Asked(host, port, family)
        lookup = self._lookups.get(asked) or self._begun(asked)
        answered, _ = await asyncio.wait([lookup], timeout=self._limit_s)
        if not answered:
            self._forget(asked, lookup)
            raise OSError(f"no answer about a name within {self._limit_s:g} s")
        return lookup.result()

    async def close(self) -> None:
        """Nothing is kept: a lookup under way ends by itself, and does not keep the process alive."""

    def _begun(self, asked: _Asked) -> asyncio.Future[Addresses]:
        if self._threads >= LOOKUPS_MAX:
            raise OSError(f"{LOOKUPS_MAX} lookups hang already")
        loop = asyncio.get_running_loop()
        lookup = loop.create_future()
        lookup.add_done_callback(_retrieve)

        def ended(found: Addresses | OSError) -> None:
            self._threads -= 1
            self._forget(asked, lookup)
            _settle(lookup, found)

        try:
            Thread(target=_look_up, args=(asked, loop, ended), name="name lookup", daemon=True).start()
        except RuntimeError as error:  # no more threads
            raise OSError(str(error)) from None
        self._threads += 1
        self._lookups[asked] = lookup
        return lookup

    def _forget(self, asked: _Asked, lookup: asyncio.Future[Addresses]) -> None:
        if self._lookups.get(asked) is lookup:
            del self._lookups[asked]


def _look_up(asked: _Asked, loop: asyncio.AbstractEventLoop, ended: Callable[[Addresses | OSError], None]) -> None:
    """Look the name up, in a thread."""
    try:
        found: Addresses | OSError = _addresses(asked)
    except OSError as error:
        found = error
    except Exception as error:  # a name that no server can be asked for is a UnicodeError
        found = OSError(type(error).__name__)
    with suppress(RuntimeError):  # the loop has ended meanwhile
        loop.call_soon_threadsafe(ended, found)


def _addresses(asked: _Asked) -> Addresses:
    rows = socket.getaddrinfo(asked.host, asked.port, family=asked.family, type=socket.SOCK_STREAM, flags=KNOWN)
    return [_address(asked.host, family, protocol, address) for family, _, protocol, _, address in rows]


def _address(name: str, family: int, protocol: int, address: tuple[Any, ...]) -> ResolveResult:
    host, port = address[:2]
    if family == socket.AF_INET6 and address[3]:  # link-local: the interface belongs to the address
        host, port = socket.getnameinfo(address, socket.NI_NUMERICHOST | socket.NI_NUMERICSERV)
    return ResolveResult(hostname=name, host=host, port=int(port), family=family, proto=protocol, flags=NUMERIC)


def _settle(lookup: asyncio.Future[Addresses], found: Addresses | OSError) -> None:
    if lookup.done():
        return
    if isinstance(found, OSError):
        lookup.set_exception(found)
    else:
        lookup.set_result(found)


def _retrieve(lookup: asyncio.Future[Addresses]) -> None:
    """All who waited may have gone: the error is theirs, not the event loop's."""
    if not lookup.cancelled():
        lookup.exception()
