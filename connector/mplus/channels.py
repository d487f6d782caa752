"""How a POS is reached, and what an HTTP answer is to the client, whichever library fetched it."""

import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

from connector import tracing
from connector.mplus.pages import PageError

SENDING = 4.0
"""Seconds for connecting and for sending, each, when a call changes something: it must not leave later than its worker knows."""

KEEPALIVE = {"TCP_KEEPIDLE": 20, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 4}
"""Seconds of silence, seconds between probes, probes: as far as the system knows them."""

NOTICE_DEAD_PEERS = [
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    *((socket.IPPROTO_TCP, getattr(socket, name), value) for name, value in KEEPALIVE.items() if hasattr(socket, name)),
]
"""A slow POS may be silent for long; a dead one shall be noticed after a minute."""

GIVE_UP_UNSENT = (
    [(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(SENDING * 1000))] if hasattr(socket, "TCP_USER_TIMEOUT") else []
)
"""What the POS has not acknowledged by then is given up by the system too."""


@dataclass(frozen=True, slots=True)
class Access:
    """How an administration's POS is reached. Seconds; `rate` in requests per second."""

    administration: str
    url: str
    ident: str
    secret: str = field(repr=False)
    tls: ssl.SSLContext | bool = True
    connect_timeout: float = 10.0
    timeout: float = 600.0
    rate: float = 10.0

    @property
    def query(self) -> dict[str, str]:
        """The parameters that let us in. The secret among them is why no URL may be shown."""
        return {"ident": self.ident, "secret": self.secret}


class Answer(Protocol):
    """An HTTP answer whose body has not been read yet."""

    status: int
    retry_after: str

    def chunks(self) -> AsyncIterator[bytes]:
        """The body as it comes."""


class Channel(Protocol):
    """Sends requests."""

    def post(self, operation: str, body: bytes) -> AbstractAsyncContextManager[Answer]:
        """Send one, once. Raises the library's own errors."""

    async def close(self) -> None:
        """Close the connections."""


def headers(operation: str) -> dict[str, str]:
    """Of a request; one that serves a trace says which."""
    told = tracing.request_id()
    return {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": operation} | ({"X-Request-Id": told} if told else {})


async def whole(answer: Answer, most: int) -> bytes:
    """The body of a small answer. Raises PageError beyond `most` bytes."""
    body = bytearray()
    async for chunk in answer.chunks():
        body += chunk
        if len(body) > most:
            raise PageError(f"more than {most} bytes where a few were expected")
    return bytes(body)
