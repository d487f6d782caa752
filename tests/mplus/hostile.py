"""A POS that answers with any bytes, within TLS and beside it: what real servers, and what stands before them, have sent."""

import asyncio
import gzip
import os
import ssl
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from random import Random

from tests.support.pos.scripted import SOAP

ITEM = (
    "<n:relation><n:relationNumber>1</n:relationNumber><n:name>a&amp;b\u20ac</n:name><n:syncMarker>1</n:syncMarker></n:relation>"
)
BODIES = {
    b"getRelations": f"<n:GetRelationsResponse><n:relationList>{ITEM * 3}</n:relationList></n:GetRelationsResponse>",
    b"getCurrentSyncMarkersV2": "<n:GetCurrentSyncMarkersV2Response><n:relationSyncMarker>5</n:relationSyncMarker>"
    "</n:GetCurrentSyncMarkersV2Response>",
    b"getOrder": "<n:GetOrderResponse><n:result>GET-ORDER-RESULT-OK</n:result></n:GetOrderResponse>",
    b"cancelOrder": "<n:CancelOrderResponse><n:result>CANCEL-ORDER-RESULT-OK</n:result></n:CancelOrderResponse>",
}


@dataclass(frozen=True)
class Reply:
    """`said` goes through the connection as it is, `beside` past its TLS; then it ends, by `cut` without a farewell."""

    said: bytes = b""
    beside: bytes = b""
    cut: bool = False


Answers = Callable[[bytes], Reply]


def right(request: bytes) -> bytes:
    """The body of a right answer to this request."""
    name = next(name for name in BODIES if b"<" + name + b" " in request)
    return (SOAP % BODIES[name].replace("<n:", "<n:").replace("Response>", 'Response xmlns:n="urn:mplusqapi">', 1)).encode()


def http(body: bytes, *headers: bytes, status: bytes = b"200 OK") -> bytes:
    """A whole HTTP answer."""
    return b"\r\n".join([b"HTTP/1.1 " + status, b"Connection: close", b"Content-Length: %d" % len(body), *headers, b"", body])


@asynccontextmanager
async def hostile(answers: Answers, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """Its address. Each connection serves one request, and ends."""
    serving: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(_serve(answers, reader, writer))
        serving.add(task)
        task.add_done_callback(serving.discard)

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    finally:
        server.close()
        for task in list(serving):
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)


async def _serve(answers: Answers, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        with suppress(OSError, asyncio.IncompleteReadError):
            reply = answers(await reader.readuntil(b":Envelope>"))
            writer.write(reply.said)
            await writer.drain()
            if reply.beside:
                os.write(writer.get_extra_info("socket").fileno(), reply.beside)
            if not reply.cut:
                writer.close()
                await writer.wait_closed()
    finally:
        writer.transport.abort()


def anything(chance: Random) -> Answers:
    """Right answers, mutated: headers of all kinds, then bytes changed, lost, added, cut off."""

    def answer(request: bytes) -> Reply:
        said = bytearray(http_of(right(request), chance))
        for _ in range(chance.choice([0, 1, 1, 2, 5, 20])):
            _mutate(said, chance)
        return Reply(bytes(said), cut=chance.random() < 0.2)

    return answer


CHARSETS = [b"utf-8", b"x-foo", b"utf-16", b"punycode", b"hex", b"\xff", b"latin1", b'"', b"utf-8'x'y"]


def http_of(body: bytes, chance: Random) -> bytes:
    """An HTTP answer with this body and headers that a server may send."""
    coding = chance.choice(["", "", "gzip", "x-gzip", "deflate", "br", "gzip, deflate", "identity"])
    if "gzip" in coding:
        body = gzip.compress(body)
    if "deflate" in coding:
        body = zlib.compress(body)
    headers = [
        b"Content-Type: text/xml; charset=" + chance.choice([b"utf-8", b"x-foo", b"utf-16", b"punycode", b"\xff", b"latin1"])
    ]
    headers += [b"Content-Encoding: " + coding.encode()] if coding else []
    headers += [b"Retry-After: " + _printable(chance, 5)] if chance.random() < 0.2 else []
    headers += [b"Set-Cookie: naam=" + _printable(chance, 20)] if chance.random() < 0.3 else []
    headers += [b"Location: " + _printable(chance, 20)] if chance.random() < 0.1 else []
    status = chance.choice([b"200 OK", b"200 OK", b"200 OK", b"500 X", b"503 X", b"302 X", b"401 X", b"101 X", b"100 Continue"])
    if chance.random() < 0.3:
        chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in _parts(body))
        return b"\r\n".join([b"HTTP/1.1 " + status, b"Transfer-Encoding: chunked", *headers, b"", chunks + b"0\r\n\r\n"])
    return http(body, *headers, status=status)


def _parts(body: bytes) -> Iterator[bytes]:
    return (body[start : start + 100] for start in range(0, len(body), 100))


def _printable(chance: Random, count: int) -> bytes:
    return bytes(chance.randrange(32, 256) for _ in range(count))


def _mutate(said: bytearray, chance: Random) -> None:
    at, kind = chance.randrange(len(said) + 1), chance.random()
    if kind < 0.5 and at < len(said):
        said[at] = chance.randrange(256)
    elif kind < 0.7:
        del said[at : at + chance.randrange(1, 30)]
    elif kind < 0.9:
        said[at:at] = bytes(chance.randrange(256) for _ in range(chance.randrange(1, 10)))
    else:
        del said[at:]


NO_RECORD = b"\n\nHTTP/1.1 502 Bad Gateway\r\n\r\n" * 5
FATAL_ALERT = b"\x15\x03\x03\x00\x02\x02\x28"
BAD_RECORD = b"\x17\x03\x03\x00\x40" + bytes(64)


def broken_tls(chance: Random) -> Answers:
    """Whole or half an answer within TLS, and behind it what is none: no record, an alert, a record that cannot be opened."""

    def answer(request: bytes) -> Reply:
        whole = http(right(request))
        said = whole[: chance.choice([0, 0, 30, len(whole) // 2, len(whole)])]
        return Reply(said, chance.choice([NO_RECORD, FATAL_ALERT, BAD_RECORD, b"\x16", b""]), cut=chance.random() < 0.5)

    return answer
