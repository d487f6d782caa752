"""The client and its secret: it travels in the query, and must appear nowhere else."""

import io
import logging
import traceback
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, redirect_stderr
from urllib.parse import quote, quote_plus

import aiohttp
import httpx
import pytest
from aiohttp import web

from connector.errors import ConnectorError
from connector.mplus.client import Access, Retries
from connector.ops import log
from tests.support.pos.scripted import SECRET, client, echo, fault, found, scripted, version, xml

SPELLINGS = {SECRET, quote(SECRET), quote(SECRET, safe=""), quote_plus(SECRET)}
LIBRARIES = (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, aiohttp.ClientError)
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def cut(request: web.Request) -> web.StreamResponse:
    """The connection goes away."""
    if request.transport:
        request.transport.abort()
    return web.Response()


async def half(request: web.Request) -> web.StreamResponse:
    """Less than was announced."""
    response = web.StreamResponse()
    response.content_length = 1000
    await response.prepare(request)
    await response.write(b"<x")
    if request.transport:
        request.transport.close()
    return response


async def bounce(request: web.Request) -> web.StreamResponse:
    """A redirect to the same address: it names the query."""
    raise web.HTTPFound(str(request.rel_url))


FAILURES: dict[str, Answer] = {
    "cut": cut,
    "half": half,
    "bounce": bounce,
    "server fault": fault("Server", "no"),
    "server fault that echoes": echo("Server"),
    "client fault that echoes": echo("Client"),
    "code that echoes": fault(f"Client.{SECRET.replace('&', '&amp;')}", "no"),
    "authentication": echo("Client.Authentication"),
    "busy": xml("<x/>", 503),
    "garbage": xml("<a><b></a>"),
}


@contextmanager
def everything_logged() -> Iterator[io.StringIO]:
    """What is logged or printed to stderr meanwhile: the connector's logging at its most talkative, and every logger there is."""
    names = ["", "httpx", "httpcore", "asyncio", *logging.root.manager.loggerDict]
    loggers = {logging.getLogger(name) for name in names}
    before = [(logger, logger.level, logger.disabled, logger.propagate) for logger in loggers]
    handlers = logging.getLogger().handlers[:]
    with redirect_stderr(io.StringIO()) as seen:
        log.configure("console", "debug")
        for logger in loggers:
            logger.setLevel(logging.DEBUG)
        yield seen
    logging.getLogger().handlers[:] = handlers
    for logger, level, disabled, propagate in before:
        logger.level, logger.disabled, logger.propagate = level, disabled, propagate


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error and all that hangs on it, also what `from None` only hides."""
    seen: list[BaseException] = []
    todo = [error]
    while todo:
        one = todo.pop()
        if one is not None and one not in seen:
            seen.append(one)
            todo += [one.__cause__, one.__context__, *getattr(one, "exceptions", ())]
    return iter(seen)


def texts(error: BaseException) -> Iterator[str]:
    """Every way in which the error may be shown."""
    for one in chain(error):
        yield from (str(one), repr(one), str(one.args), repr(getattr(one, "__dict__", "")), repr(getattr(one, "__notes__", "")))
        yield from (str(getattr(one, "code", "")), str(getattr(one, "text", "")))
    yield from traceback.format_exception(error)


def leaks(text: str) -> list[str]:
    """The spellings of the secret that are in the text."""
    return [spelling for spelling in SPELLINGS if spelling in text]


@pytest.mark.parametrize("what", FAILURES)
async def test_no_error_shows_the_secret(what: str) -> None:
    """Not its text, nor what it carries along, nor a log line; no error of a library hangs on it: that holds the address."""
    patience = Retries(attempts=2, first=0.01)
    async with scripted(FAILURES[what]) as pos, client(pos.url, retries=patience) as (speaking, told):
        with everything_logged() as lines:
            with pytest.raises(ConnectorError) as raised:
                await speaking.numbers("getApiVersion")
            for event in told:
                log.log_event(event)
            logging.getLogger("test").error("it failed", exc_info=raised.value)

    assert [] == [leak for text in texts(raised.value) for leak in leaks(text)]
    assert [] == [one for one in chain(raised.value) if isinstance(one, LIBRARIES)]
    assert [] == [leak for event in told for leak in leaks(repr(event))]
    assert "it failed" in lines.getvalue()
    assert [] == leaks(lines.getvalue())


async def test_the_pos_is_still_quoted_where_it_echoed_the_secret() -> None:
    """Only the secret is taken out of its words."""
    async with (
        scripted(fault("Client", f"unknown {SECRET.replace('&', '&amp;')} for relation 7")) as pos,
        client(pos.url) as (speaking, _),
    ):
        with pytest.raises(ConnectorError, match=r"getApiVersion is refused: unknown .{1,12} for relation 7$"):
            await speaking.numbers("getApiVersion")


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/", "https://127.0.0.1:9/", "http://nowhere.invalid/", "http://[::1/"])
async def test_no_unreachable_address_shows_the_secret(url: str) -> None:
    """And whatever is wrong with the address is an error of ours."""
    async with client(url, retries=Retries(attempts=1)) as (speaking, _):
        with everything_logged() as lines, pytest.raises(ConnectorError) as raised:
            await speaking.numbers("getApiVersion")

    assert [] == [leak for text in texts(raised.value) for leak in leaks(text)]
    assert [] == [one for one in chain(raised.value) if isinstance(one, LIBRARIES)]
    assert [] == leaks(lines.getvalue())


async def test_a_successful_call_logs_nothing_of_the_address() -> None:
    """With every logger at DEBUG, those of httpx and httpcore too."""
    with everything_logged() as lines:
        async with scripted(version()) as pos, client(pos.url) as (speaking, _):
            await speaking.numbers("getApiVersion")
            logging.getLogger("test").debug("still captured")

    assert "still captured" in lines.getvalue()
    assert [] == leaks(lines.getvalue())
    assert "ident=" not in lines.getvalue()
    assert "httpx" not in lines.getvalue()


@pytest.mark.parametrize(
    "secret", ["%2B", "a%20b+c d", "#", "%", "%zz", "\\'\"", ";=&", "\u00e9\u20ac", "/../?", "\x7f", "a:b@c"]
)
async def test_the_secret_arrives_as_it_is(secret: str) -> None:
    """However many libraries write and read the address on its way."""
    seen: list[str] = []

    async def look(request: web.Request) -> web.StreamResponse:
        seen.append(request.query["secret"])
        return await found()(request)

    async with scripted(look) as pos, client(pos.url, secret=secret) as (speaking, _):
        await speaking.order("getOrder", [("orderId", "o-1")])

    assert [secret] == seen


async def test_the_secret_is_not_in_any_representation() -> None:
    """Of how a POS is reached, and of the client."""
    access = Access("demo", "http://127.0.0.1:9/", "ident", SECRET)
    async with client("http://127.0.0.1:9/") as (speaking, _):
        for text in (repr(access), str(access), repr(speaking), f"{access}"):
            assert [] == leaks(text)
