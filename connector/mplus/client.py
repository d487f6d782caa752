"""One client per administration: pooled HTTP connections, deadlines, a request rate, retries.

The POS secret travels in the query string. So no URL appears in a message, errors of the HTTP libraries are never chained
(they hold the request), a fault's text is shown without the secret that it may echo, and httpx's and httpcore's
loggers, which print URLs, are silenced by `ops/log.py`.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TypeVar

import stamina
from aiolimiter import AsyncLimiter

from connector import tracing
from connector.errors import AccessDenied, ConnectorError, Refused, Retry, Unanswered
from connector.events import CallMade, CallRetried, Listener, PageDecoded
from connector.mplus.answers import OrderAnswer, read_answer
from connector.mplus.channels import Access, Answer, Channel, whole
from connector.mplus.exchange import Exchange
from connector.mplus.faults import DENIED, retry_after, translated
from connector.mplus.offload import Decoder
from connector.mplus.operations import OPERATIONS, Operation
from connector.mplus.pages import FaultError, Item, PageError, PageSpec, Undecodable, read_fault, read_numbers
from connector.mplus.soap import Fields, request
from connector.mplus.streaming import Streaming

SMALL_ANSWER = 1 << 20
"""Bytes of an answer that is not a page, at most: a head, a version, a fault."""

ORDER_ANSWER = 16 << 20
"""Bytes of an answer that holds one order, at most."""

Page = list[Item | Undecodable]
Arrived = Callable[[int], Awaitable[None]]
"""Hears the bytes of a page's items as they are decoded."""

Refuse = Callable[[Answer], Awaitable[None]]
Read = TypeVar("Read")

__all__ = ["Access", "Page", "PosClient", "Retries"]


@dataclass(frozen=True, slots=True)
class Retries:
    """How often a repeatable call is tried, and how long to wait in between (seconds, doubling, jittered)."""

    attempts: int = 4
    first: float = 0.3
    most: float = 10.0
    longest_asked: float = 60.0


class PosClient:
    """Calls operations. Raises Retry (server fault, timeout, unreachable, garbled), AccessDenied, Refused."""

    def __init__(self, access: Access, decoder: Decoder, tell: Listener, *, retries: Retries = Retries()) -> None:
        self._access = access
        self._decoder = decoder
        self._tell = tell
        self._retries = retries
        self._limiter = AsyncLimiter(max(1.0, access.rate), max(1.0, access.rate) / access.rate)
        self._streaming = Streaming(access)
        self._exchange = Exchange(access)

    async def close(self) -> None:
        """Close the connections."""
        await self._streaming.close()
        await self._exchange.close()

    async def page(self, operation: str, fields: Fields, spec: PageSpec, arrived: Arrived | None = None) -> Page:
        """Read one page to its end: the decoded items, in the POS's order; `arrived` may make it wait in the middle."""
        return await self._call(operation, fields, lambda answer: self._decoded(operation, answer, spec, arrived))

    async def numbers(self, operation: str, fields: Fields = ()) -> dict[str, int]:
        """A small answer's direct integer children, by name (heads, versions)."""

        async def read(answer: Answer) -> dict[str, int]:
            return read_numbers(await whole(answer, SMALL_ANSWER))

        return await self._call(operation, fields, read)

    async def order(self, operation: str, fields: Fields) -> OrderAnswer:
        """Look at an order; repeated by itself."""

        async def read(answer: Answer) -> OrderAnswer:
            return read_answer(await whole(answer, ORDER_ANSWER), OPERATIONS[operation].response)

        return await self._call(operation, fields, read, self._exchange)

    async def turn(self) -> None:
        """Wait until the request rate allows one more call."""
        await self._limiter.acquire()

    async def change(self, operation: str, fields: Fields) -> OrderAnswer:
        """Change something: sent at once and once, after `turn`.

        Only a SOAP envelope is an answer of the POS: the operation's response, or a fault (Retry, AccessDenied, Refused). All
        else, whatever its HTTP status, may come from something between, and the POS may still be at work: Unanswered. Raises
        NotSent where nothing left.
        """
        async with self._sent(self._exchange, operation, self._body(operation, fields), refuse=_refuse_nothing) as answer:
            return await _answer_of_the_pos(operation, answer)

    async def _decoded(self, operation: str, answer: Answer, spec: PageSpec, arrived: Arrived | None) -> Page:
        decoding = self._decoder.open(spec)
        items: Page = []
        try:
            async for chunk in answer.chunks():
                found = await decoding.feed(chunk)
                items += found
                if arrived is not None and found:
                    await arrived(sum(len(item[-1]) for item in found))
            items += await decoding.close()
        finally:
            decoding.abandon()
        self._tell(PageDecoded(self._access.administration, operation, decoding.seconds))
        tracing.past("decode", decoding.seconds, items=len(items))
        return items

    async def _call(
        self, operation: str, fields: Fields, read: Callable[[Answer], Awaitable[Read]], channel: Channel | None = None
    ) -> Read:
        body = self._body(operation, fields)
        faults: list[str] = []
        async for attempt in self._attempts(OPERATIONS[operation], faults):
            if attempt.num > 1:
                self._tell(CallRetried(self._access.administration, operation, attempt.num, faults[-1]))
            with attempt:
                async with self._answer(channel or self._streaming, operation, body) as answer:
                    return await read(answer)
        raise AssertionError("stamina raises the last error")

    def _body(self, operation: str, fields: Fields) -> bytes:
        return request(operation, [("request", fields)] if OPERATIONS[operation].wrapped else fields)

    def _attempts(self, operation: Operation, faults: list[str]) -> AsyncIterator[stamina.Attempt]:
        """`faults` gets the kind of each failure."""
        patience = self._retries

        def again(error: Exception) -> bool | float:
            faults.append(type(error).__name__)
            return _again(error, patience.longest_asked)

        return aiter(
            stamina.retry_context(
                on=again,
                attempts=patience.attempts if operation.repeatable else 1,
                timeout=None,
                wait_initial=patience.first,
                wait_max=patience.most,
                wait_jitter=patience.first,
            )
        )

    @asynccontextmanager
    async def _answer(self, channel: Channel, operation: str, body: bytes) -> AsyncIterator[Answer]:
        """Send one request when its turn has come."""
        await self._limiter.acquire()
        async with self._sent(channel, operation, body) as answer:
            yield answer

    @asynccontextmanager
    async def _sent(self, channel: Channel, operation: str, body: bytes, refuse: Refuse | None = None) -> AsyncIterator[Answer]:
        """The answer's body is read within, under the same deadline, unless `refuse` raises for it."""
        access = self._access
        with tracing.call(operation, access.administration), self._told(operation), translated(operation, access.secret):
            async with asyncio.timeout(access.timeout), channel.post(operation, body) as answer:
                await (refuse or _refuse_faults)(answer)
                yield answer

    @contextmanager
    def _told(self, operation: str) -> Iterator[None]:
        started, fault = time.monotonic(), ""
        try:
            yield
        except ConnectorError as error:
            fault = type(error).__name__
            error.__context__ = None  # `from None` only hides the library's error: whoever walks the chain finds the request
            raise
        finally:
            self._tell(CallMade(self._access.administration, operation, time.monotonic() - started, fault))


async def _answer_of_the_pos(operation: str, answer: Answer) -> OrderAnswer:
    try:
        return read_answer(await whole(answer, ORDER_ANSWER), OPERATIONS[operation].response)
    except FaultError as error:
        error.after = retry_after(answer.retry_after)
        raise
    except PageError as error:
        what = f"{operation}: HTTP {answer.status} is no answer of the POS ({error})"
        raise Unanswered(what, after=retry_after(answer.retry_after)) from None


def _again(error: Exception, longest: float) -> bool | float:
    if not isinstance(error, Retry):
        return False
    return True if error.after is None else min(error.after, longest)


async def _refuse_nothing(answer: Answer) -> None:
    """The body decides, whatever the status."""


async def _refuse_faults(answer: Answer) -> None:
    if answer.status == 200:
        return
    if answer.status in (401, 403):
        raise AccessDenied(f"{DENIED} (HTTP {answer.status}, if not from something between)", str(answer.status))
    if answer.status == 413:
        raise Refused("the request is larger than the POS takes (HTTP 413)", "413")
    after = retry_after(answer.retry_after)
    if answer.status in (429, 503):
        raise Retry(f"the POS asks to wait (HTTP {answer.status})", after=after)
    told = read_fault(await whole(answer, SMALL_ANSWER))
    if told is None:
        raise Retry(f"the POS answered HTTP {answer.status} without a SOAP fault", after=after)
    fault = FaultError(*told)
    fault.after = after
    raise fault
