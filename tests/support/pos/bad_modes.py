"""The ways in which a POS, or what stands before it, misbehaves: name → what it does. Each is a function, told in a line."""

import asyncio
import gzip
import re
import ssl
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial

from aiohttp import web

from connector.sandbox.operations import OPERATIONS
from tests.support.pos.bad_pos import HEADS, PAGES, Act, BadPos, Byte, Call, Mode

MEGABYTE = b"A" * (1 << 20)
XML = {"Content-Type": "text/xml; charset=utf-8"}
ENVELOPE = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<SOAP-ENV:Envelope xmlns:SOAP-ENV="http://schemas.xmlsoap.org/soap/envelope/"'
    b' xmlns:ns="urn:mplusqapi">%s</SOAP-ENV:Envelope>\n'
)
BODY = ENVELOPE % b"<SOAP-ENV:Body>%s</SOAP-ENV:Body>"
NOTE = b"<ns:note>%s</ns:note>"
"""An element that no schema knows, so that it belongs in any item."""

ODD_WAITS = (
    "-1",
    "0",
    "0.5",
    "1e-3",
    "+1",
    "soon",
    "",
    "1, 2",
    "١",
    "Thu, 01 Jan 1970 00:00:00 GMT",
    "Thu, 99 Foo 2026",
    "=?utf-8?",
)
ENDLESS_WAITS = ("inf", "nan", "1e999", "9" * 400, "Fri, 31 Dec 9999 23:59:59 GMT")


# Whole answers


async def _answered(call: Call, status: int, body: bytes, headers: Mapping[str, str] = XML) -> web.StreamResponse:
    """This, whatever was asked."""
    return web.Response(status=status, body=body, headers=headers)


def said(body: bytes, status: int = 200, **headers: str) -> Callable[[Call], Awaitable[web.StreamResponse]]:
    """Answer with this body."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return partial(_answered, status=status, body=body, headers={**XML, **named})


async def hang(call: Call) -> web.StreamResponse:
    """Take the call and never answer."""
    await call.box.over()
    return await _cut_off(call)


async def without_list(call: Call) -> web.StreamResponse:
    """The operation's own response element, and nothing in it."""
    return await said(BODY % b"<ns:%s/>" % OPERATIONS[call.operation].response.encode())(call)


async def other_operation(call: Call, *, full: bool) -> web.StreamResponse:
    """The answer to another operation, good in itself: without items, or with all there are."""
    other = "getArticleGroupChanges" if call.operation == "getRelations" else "getRelations"
    inside = b"<request><syncMarker>%d</syncMarker></request>" % (0 if full else 99_999_999)
    told = await call.told(BODY % (b'<%s xmlns="urn:mplusqapi">%s</%s>' % (other.encode(), inside, other.encode())))
    assert told.status == 200, told.body
    return web.Response(body=told.body, headers=XML)


async def cookie(call: Call, *, value: str) -> web.StreamResponse:
    """Its own answer, with a cookie."""
    told = await call.told()
    return web.Response(status=told.status, body=told.body, headers={**XML, "Set-Cookie": value})


async def client_fault_once(call: Call) -> web.StreamResponse | None:
    """One Client fault, as gSOAP makes one of a broken connection."""
    fault = b"<faultcode>SOAP-ENV:Client</faultcode><faultstring>End of file or no input</faultstring>"
    return await said(BODY % (b"<SOAP-ENV:Fault>%s</SOAP-ENV:Fault>" % fault), 500)(call) if call.first else None


async def redirect(call: Call, *, status: int) -> web.StreamResponse:
    """To somewhere else on the same host."""
    return await said(b"", status, Location="/elsewhere")(call)


async def odd_wait(call: Call, *, waits: tuple[str, ...]) -> web.StreamResponse:
    """503 and 429 in turn, with a Retry-After in another spelling each time."""
    turn = call.box.struck[call.box.mode] - 1
    return await said(b"busy", (503, 429)[turn % 2], Retry_After=waits[turn % len(waits)])(call)


async def slow_gateway(call: Call, *, items: int) -> web.StreamResponse | None:
    """504 for every page of more than so many items: they take it too long."""
    return await said(b"<html>504</html>", 504)(call) if call.limit > items else None


async def rubbish_gzip(call: Call) -> web.StreamResponse:
    """Said to be gzip, and broken in the middle."""
    zipped = gzip.compress((await call.told()).body)
    return await said(zipped[: len(zipped) // 2] + b"\0rubbish", Content_Encoding="gzip")(call)


async def gzip_bomb(call: Call) -> web.StreamResponse:
    """A hundred kilobytes that become 100 MB."""
    squeeze = zlib.compressobj(wbits=31)
    zipped = squeeze.compress(b"<a>") + b"".join(squeeze.compress(MEGABYTE) for _ in range(100)) + squeeze.flush()
    return await said(zipped, Content_Encoding="gzip")(call)


async def doctype(call: Call) -> web.StreamResponse:
    """A DOCTYPE whose entities grow to gigabytes."""
    entities = b'<!ENTITY a "AAAAAAAAAA">' + b"".join(
        b'<!ENTITY %c "%s">' % (name, b"&%c;" % (name - 1) * 10) for name in range(ord("b"), ord("k"))
    )
    return await said(b'<?xml version="1.0"?><!DOCTYPE x [%s]><x>&j;</x>' % entities)(call)


async def deep(call: Call) -> web.StreamResponse:
    """Elements a hundred thousand deep."""
    depth = 100_000
    return await said(BODY % (b"<ns:x>" * depth + b"</ns:x>" * depth))(call)


# Heads


async def heads(call: Call, *, told_as: Callable[[int], object], once: bool = True) -> web.StreamResponse | None:
    """Its heads, each as this makes it; once, or every time."""
    if once and not call.first:
        return None
    told = await call.told()
    body = re.sub(rb">(\d+)</ns:", lambda found: b">%s</ns:" % str(told_as(int(found[1]))).encode(), told.body)
    return web.Response(status=told.status, body=body, headers=XML)


# Pages whose items go wrong


def rows(call: Call, body: bytes) -> list[tuple[int, int]]:
    """Where the items of a page begin and end."""
    element = PAGES[call.operation].encode()
    return [found.span() for found in re.finditer(rb"<ns:%s>.*?</ns:%s>" % (element, element), body, re.DOTALL)]


def poisoned(row: bytes) -> bool:
    """Every third item, always the same ones until they change."""
    return zlib.crc32(row) % 3 == 0


async def poison(call: Call, *, inside: bytes) -> web.StreamResponse | None:
    """Some items hold this as their last element."""
    told = await call.told()
    places = [end for begin, end in rows(call, told.body) if poisoned(told.body[begin:end])]
    return await _with(call, told.body, places, [inside]) if places else None


async def padded(call: Call, *, megabytes: int, rows_too: bool) -> web.StreamResponse | None:
    """So many megabytes more: in the first poisoned item, or spread over all."""
    told = await call.told()
    places = [end for begin, end in rows(call, told.body) if rows_too or poisoned(told.body[begin:end])]
    places = places if rows_too else places[:1]
    if not places:
        return None
    each = max(1, (megabytes << 20) // len(places))
    whole, rest = divmod(each, len(MEGABYTE))
    return await _with(call, told.body, places, [b"<ns:note>", *[MEGABYTE] * whole, MEGABYTE[:rest], b"</ns:note>"])


async def _with(call: Call, body: bytes, places: Iterable[int], inside: Iterable[bytes]) -> web.StreamResponse:
    """The body with this inside, at the end of each of these items."""
    closing = len(b"</ns:>" + PAGES[call.operation].encode())

    async def pieces() -> AsyncIterator[bytes]:
        begin = 0
        for end in places:
            yield body[begin : end - closing]
            for piece in inside:
                yield piece
            begin = end - closing
        yield body[begin:]

    return await _streamed(call, pieces())


async def _streamed(call: Call, pieces: AsyncIterator[bytes]) -> web.StreamResponse:
    response = web.StreamResponse(headers=XML)
    with suppress(ConnectionError):  # the caller had enough of it
        await response.prepare(call.request)
        async for piece in pieces:
            await response.write(piece)
            await asyncio.sleep(0)
        await response.write_eof()
    return response


async def twice(call: Call) -> web.StreamResponse | None:
    """The first item stands there twice, at the beginning and at the end."""
    body = (await call.told()).body
    if not (found := rows(call, body)):
        return None
    (begin, end), last = found[0], found[-1][1]
    return web.Response(body=body[:last] + body[begin:end] + body[last:], headers=XML)


async def behind(call: Call) -> web.StreamResponse:
    """An element that nobody knows, behind the rows or their list."""
    closing = b"</ns:%s>" % OPERATIONS[call.operation].response.encode()
    body = (await call.told()).body.replace(closing, b"<ns:moreToCome>false</ns:moreToCome>" + closing)
    return web.Response(body=body, headers=XML)


async def other_namespace(call: Call) -> web.StreamResponse:
    """Its own answer, in another namespace."""
    return web.Response(body=(await call.told()).body.replace(b"urn:mplusqapi", b"urn:mplusqapi:v2"), headers=XML)


async def capped(call: Call, *, items: int) -> web.StreamResponse | None:
    """Every second page holds at most so many items, however many were asked for: the lowest ones."""
    if call.box.struck["turns"] % 2 or not call.limit:
        call.box.struck["turns"] += 1
        return None
    call.box.struck["turns"] += 1
    told = await call.told(call.asking_for(min(call.limit, items)))
    return web.Response(status=told.status, body=told.body, headers=XML)


# Answers that end early, or never


async def truncated(call: Call, *, promised: bool) -> web.StreamResponse:
    """Half of the answer, then the connection ends; with the whole length promised, or in chunks."""
    told = await call.told()
    response = web.StreamResponse(headers=XML)
    if promised:
        response.content_length = len(told.body)
    with suppress(ConnectionError):
        await response.prepare(call.request)
        await response.write(told.body[: len(told.body) // 2])
    return await _cut_off(call, response)


async def half(call: Call) -> web.StreamResponse:
    """Half of the answer, as a whole one."""
    body = (await call.told()).body
    return web.Response(body=body[: len(body) // 2], headers=XML)


async def drip(call: Call) -> web.StreamResponse:
    """A byte a second."""
    told, response = await call.told(), web.StreamResponse(headers=XML)
    with suppress(ConnectionError):
        await response.prepare(call.request)
        for place in range(len(told.body)):
            await response.write(told.body[place : place + 1])
            with suppress(TimeoutError):
                await asyncio.wait_for(call.box.over(), 1)
                break
    return await _cut_off(call, response)


async def endless(call: Call) -> web.StreamResponse:
    """Megabyte after megabyte of one text, without end."""

    async def pieces() -> AsyncIterator[bytes]:
        yield BODY[:120] + b"<a>"
        for _ in range(1000):
            yield MEGABYTE

    return await _streamed(call, pieces())


async def closing(call: Call) -> web.StreamResponse:
    """Its own answer, and then it closes the connection."""
    told = await call.told()
    answer = web.Response(status=told.status, body=told.body, headers=XML)
    answer.force_close()
    return answer


async def _cut_off(call: Call, answer: web.StreamResponse | None = None) -> web.StreamResponse:
    if call.request.transport:
        call.request.transport.close()
    return answer or web.Response()


# Below HTTP


async def silent(box: BadPos, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Take the connection and say nothing."""
    await box.over()


async def gone(box: BadPos, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Close the connection at once."""


async def speaks(box: BadPos, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, words: bytes) -> None:
    """Answer the first bytes with these."""
    await reader.read(1 << 16)
    writer.write(words)
    await writer.drain()


async def breaks(box: BadPos, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, words: bytes) -> None:
    """A good handshake, the beginning of a good answer, and then these bytes, which are no TLS record or a bad one."""
    seen, told = ssl.MemoryBIO(), ssl.MemoryBIO()
    speaking, got = box.server_side().wrap_bio(seen, told, server_side=True), b""

    async def until(act: Callable[[], bytes | None]) -> bytes:
        while True:
            try:
                return act() or b""
            except ssl.SSLWantReadError:
                writer.write(told.read())
                seen.write(await reader.readexactly(1) + await _whatever(reader))
            finally:
                writer.write(told.read())

    with suppress(ssl.SSLError):
        await until(speaking.do_handshake)
        while b"Envelope>" not in got:
            got += await until(lambda: speaking.read(1 << 16))
        speaking.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: 5000\r\n\r\n<?xml version='1.0'?>")
        writer.write(told.read() + words)
        await writer.drain()


async def _whatever(reader: asyncio.StreamReader) -> bytes:
    """What has come, without waiting for more."""
    with suppress(TimeoutError):
        return await asyncio.wait_for(reader.read(1 << 16), 0.01)
    return b""


ALERT = b"\x15\x03\x03\x00\x02\x02\x28"
BAD_RECORD = b"\x17\x03\x03\x00\x40" + bytes(64)
PLAIN = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"
HTML = b"<html><body><h1>Inloggen</h1><p>WiFi & more<br></body></html>"


def _pages(act: Act, *, slow: bool = False) -> Mode:
    return Mode(act, tuple(PAGES), slow=slow)


def _heads(act: Act) -> Mode:
    return Mode(act, HEADS)


def _tls(byte: Byte) -> Mode:
    return Mode(byte=byte, tls=True)


MODES: Mapping[str, Mode] = {
    "hangs on pages": _pages(hang),
    "hangs on heads": _heads(hang),
    "hangs": Mode(hang),
    "silent connections": Mode(byte=silent),
    "closes connections at once": Mode(byte=gone),
    "no HTTP": Mode(byte=partial(speaks, words=b"SSH-2.0-OpenSSH_9.2\r\n")),
    "TLS answered in plain": _tls(partial(speaks, words=PLAIN)),
    "TLS alert at once": _tls(partial(speaks, words=ALERT)),
    "TLS that wants a certificate": Mode(wants_certificate=True, tls=True),
    "TLS, then plain bytes": _tls(partial(breaks, words=b"\n\n" + PLAIN * 5)),
    "TLS, then an alert": _tls(partial(breaks, words=ALERT)),
    "TLS, then a bad record": _tls(partial(breaks, words=BAD_RECORD)),
    "a cookie": Mode(partial(cookie, value="lb=node1; Path=/")),
    "a cookie beyond ASCII": Mode(partial(cookie, value="naam=Café; Path=/")),
    "HTML for pages": _pages(said(HTML, Content_Type="text/html")),
    "HTML for heads": _heads(said(HTML, Content_Type="text/html")),
    "nothing": _pages(said(b"")),
    "204": _pages(said(b"", 204)),
    "an envelope without a body": _pages(said(ENVELOPE % b"")),
    "an envelope with an empty body": _pages(said(BODY % b"")),
    "empty heads": _heads(without_list),
    "a response without its list": _pages(without_list),
    "another operation's empty answer": _pages(partial(other_operation, full=False)),
    "another operation's full answer": _pages(partial(other_operation, full=True)),
    "version for a page": _pages(
        said(BODY % b"<ns:getApiVersionResponse><ns:majorNumber>67</ns:majorNumber></ns:getApiVersionResponse>")
    ),
    "head of 0 once": _heads(partial(heads, told_as=lambda head: 0)),
    "heads lower by one once": _heads(partial(heads, told_as=lambda head: max(0, head - 1))),
    "heads of 0": _heads(partial(heads, told_as=lambda head: 0, once=False)),
    "heads lower by one": _heads(partial(heads, told_as=lambda head: max(0, head - 1), once=False)),
    "heads too high once": _heads(partial(heads, told_as=lambda head: head + 50)),
    "heads that are no numbers": _heads(partial(heads, told_as=lambda head: "NaN", once=False)),
    "a Client fault for heads once": _heads(client_fault_once),
    "a Client fault for pages once": _pages(client_fault_once, slow=True),
    "a control character": _pages(partial(poison, inside=NOTE % b"01\x0b21")),
    "a control character as reference": _pages(partial(poison, inside=NOTE % b"01&#x1D;21")),
    "a NUL": _pages(partial(poison, inside=NOTE % b"01\x0021")),
    "half of a surrogate": _pages(partial(poison, inside=NOTE % b"&#xD83D; \xed\xa0\xbd")),
    "a stray ampersand": _pages(partial(poison, inside=NOTE % b"fish & chips")),
    "an unknown entity": _pages(partial(poison, inside=NOTE % b"fish&nbsp;chips")),
    "another encoding": _pages(partial(poison, inside=NOTE % b"Caf\xe9")),
    "an unclosed tag": _pages(partial(poison, inside=b"<ns:note>unclosed")),
    "an unopened tag": _pages(partial(poison, inside=b"</ns:note>")),
    "an item of 70 MB": _pages(partial(padded, megabytes=70, rows_too=False)),
    "pages of 45 MB": _pages(partial(padded, megabytes=45, rows_too=True)),
    "a gateway's time limit": _pages(partial(slow_gateway, items=100)),
    "pages cut": _pages(partial(truncated, promised=True)),
    "chunked pages cut": _pages(partial(truncated, promised=False)),
    "halves as whole pages": _pages(half),
    "a byte a second": _pages(drip),
    "pages without end": _pages(endless),
    "a cap on every second page": _pages(partial(capped, items=2)),
    "an item twice": _pages(twice),
    "elements behind the rows": _pages(behind),
    "another namespace": _pages(other_namespace),
    "rubbish as gzip": _pages(rubbish_gzip),
    "a gzip bomb": _pages(gzip_bomb),
    "a DOCTYPE": _pages(doctype),
    "deep nesting": _pages(deep),
    **{f"redirect {status}": Mode(partial(redirect, status=status)) for status in (301, 302, 303, 307, 308)},
    **{f"HTTP {status}": Mode(said(b"<html>no</html>", status)) for status in (400, 403, 404, 408, 500, 502)},
    "HTTP 413": Mode(said(b"<html>no</html>", 413), slow=True),
    "Retry-After in odd spellings": Mode(partial(odd_wait, waits=ODD_WAITS)),
    "Retry-After without end": Mode(partial(odd_wait, waits=ENDLESS_WAITS), slow=True),
}
"""All of them; names that hang in DNS are no matter of a POS: see tests/e2e/names.py."""

CLOSING = Mode(closing)
"""No misbehaviour: a POS that keeps no connection."""

DAMAGE = frozenset(
    {name for name, mode in MODES.items() if mode.act and getattr(mode.act, "func", None) in (poison, padded)}
    | {"another namespace"}
)
"""Ways after which an item may be a dead letter, as the one state of it that was shown could not be read."""
