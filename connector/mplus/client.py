"""One client per administration: pooled HTTP connections, time limits, a request rate, retries.

The POS secret travels in the query string. So no URL appears in a message, errors of the HTTP libraries are never chained
(they hold the request), a fault's text is shown without the secret that it may echo, and the loggers of httpx and httpcore,
which would print URLs, are silenced by `ops/log.py`.
"""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import count
from typing import TypeVar

import stamina
from aiolimiter import AsyncLimiter

from connector import tracing
from connector.errors import ConnectorError, Refused, Retry, Unreadable
from connector.events.base import Event, Listener
from connector.events.pos import CallBegan, CallMade, CallRetried, PageDecoded
from connector.mplus.arrivals import Arrivals, Arrived
from connector.mplus.faults import translated, unreadable
from connector.mplus.operations import OPERATIONS
from connector.mplus.request import Fields, request
from connector.mplus.resolver import Resolver
from connector.mplus.response import Answer
from connector.mplus.responses.answers import OrderAnswer, read_answer
from connector.mplus.responses.pages import Item, PageSpec, Undecodable, read_numbers
from connector.mplus.responses.process import Decoder
from connector.mplus.statuses import ORDER_BYTES_MAX, answer_of_the_pos, refuse_failures, refuse_fault, take_any
from connector.mplus.transport import ORDERS, READING, Access, Transport

SMALL_BYTES_MAX = 1 << 20
"""Bytes of an answer that is neither a page nor an order: heads, a version."""

SMALL_CALL_S = 30.0
"""For a small answer, whole: a POS that needs longer for its heads is to be told as one that does not answer."""

PAGE_ATTEMPTS_MAX = 2
"""Attempts at one page: whoever asked may ask for a smaller one instead."""

Page = list[Item | Undecodable]
Read = TypeVar("Read")
Judge = Callable[[Answer], Awaitable[None]]

__all__ = ["Access", "Arrived", "Page", "PosClient", "Retries"]


@dataclass(frozen=True, slots=True)
class Retries:
    """How often a repeatable call is tried, and how long to wait in between (seconds, doubling, jittered)."""

    attempts: int = 4
    first: float = 0.3
    most: float = 10.0
    longest_asked: float = 60.0

    def again(self, error: Exception) -> bool | float:
        """Whether to try again after this error; a number: in so many seconds, which the POS asked for."""
        if not isinstance(error, Retry) or isinstance(error, Unreadable):
            return False
        return True if error.after is None else min(error.after, self.longest_asked)


class PosClient:
    """Calls operations. Raises Retry (server fault, timeout, unreachable, garbled), AccessDenied, Refused, and nothing else."""

    def __init__(self, access: Access, decoder: Decoder, tell: Listener, *, retries: Retries = Retries()) -> None:
        """Raises Misconfigured for a proxy in the environment that cannot be used."""
        self._access = access
        self._decoder = decoder
        self._listener = tell
        self._retries = retries
        self._limiter = AsyncLimiter(max(1.0, access.rate), max(1.0, access.rate) / access.rate)
        resolver = Resolver(access.connect_timeout)
        self._reading = Transport(access, READING, resolver)
        self._orders = Transport(access, ORDERS, resolver)
        self._numbers = count(1)

    async def close(self) -> None:
        """Close the connections."""
        await self._reading.close()
        await self._orders.close()

    async def page(self, operation: str, fields: Fields, spec: PageSpec, arrived: Arrived | None = None) -> Page:
        """Read one page to its end: the decoded items, in the POS's order.

        `arrived` is awaited with the bytes of items as they are decoded, and nothing more is read meanwhile; what a second
        attempt brings once more is not told again. Raises Unreadable, at once, for a page that came and cannot be read.
        """
        arrivals = Arrivals(arrived)

        async def read(answer: Answer) -> Page:
            told = replace(spec, response=OPERATIONS[operation].response, charset=answer.charset)
            with unreadable(operation):
                return await self._decoded(operation, answer, told, arrivals)

        return await self._call(operation, fields, read, attempts=PAGE_ATTEMPTS_MAX)

    async def body(self, operation: str, fields: Fields, most: int) -> bytes:
        """The answer of a reading operation as it came, decompressed. Raises Unreadable beyond `most` bytes."""

        async def read(answer: Answer) -> bytes:
            with unreadable(operation):
                body = await answer.whole(most)
            refuse_fault(body)
            return body

        return await self._call(operation, fields, read, attempts=PAGE_ATTEMPTS_MAX)

    async def numbers(self, operation: str, fields: Fields = ()) -> dict[str, int]:
        """A small answer's direct integer children, by name (heads, versions): asked once, within SMALL_CALL_S."""

        async def read(answer: Answer) -> dict[str, int]:
            return read_numbers(await answer.whole(SMALL_BYTES_MAX), OPERATIONS[operation].response)

        return await self._call(operation, fields, read, attempts=1, limit_s=SMALL_CALL_S)

    async def order(self, operation: str, fields: Fields) -> OrderAnswer:
        """Look at an order; repeated by itself."""

        async def read(answer: Answer) -> OrderAnswer:
            return read_answer(await answer.whole(ORDER_BYTES_MAX), OPERATIONS[operation].response)

        return await self._call(operation, fields, read, transport=self._orders)

    async def turn(self) -> None:
        """Wait until the request rate allows one more call."""
        await self._limiter.acquire()

    async def change(self, operation: str, fields: Fields) -> OrderAnswer:
        """Change something: sent at once and once, after `turn`.

        Only a SOAP envelope is an answer of the POS: the operation's response, or a fault (Retry, AccessDenied, Refused). All
        else, whatever its HTTP status, may come from something between, and the POS may still be at work: Unanswered. Raises
        NotSent where nothing left.
        """
        async with self._sent(operation, _envelope(operation, fields), self._orders, judge=take_any) as answer:
            return await answer_of_the_pos(operation, answer)

    async def _decoded(self, operation: str, answer: Answer, spec: PageSpec, arrivals: Arrivals) -> Page:
        decoding, came = self._decoder.open(spec), arrivals.of(answer)
        items: Page = []
        try:
            async for chunk in answer.chunks():
                if found := await decoding.feed(chunk):
                    items += found
                    await came(found)
            items += (found := await decoding.close())
            await came(found)
        finally:
            decoding.abandon()
        self._tell(PageDecoded(self._access.administration, operation, decoding.seconds))
        tracing.past("decode", decoding.seconds, items=len(items))
        return items

    async def _call(
        self,
        operation: str,
        fields: Fields,
        read: Callable[[Answer], Awaitable[Read]],
        *,
        attempts: int | None = None,
        limit_s: float | None = None,
        transport: Transport | None = None,
    ) -> Read:
        """`attempts`: at most, None as often as the client is patient."""
        body = _envelope(operation, fields)
        faults: list[str] = []
        async for attempt in self._attempts(operation, attempts, faults):
            if attempt.num > 1:
                self._tell(CallRetried(self._access.administration, operation, attempt.num, faults[-1]))
            with attempt:
                await self._limiter.acquire()
                async with self._sent(operation, body, transport or self._reading, limit_s=limit_s) as answer:
                    return await read(answer)
        raise AssertionError("stamina raises the last error")

    def _attempts(self, operation: str, most: int | None, faults: list[str]) -> AsyncIterator[stamina.Attempt]:
        """`faults` gets the kind of each failure."""
        patience = self._retries
        allowed = patience.attempts if OPERATIONS[operation].repeatable else 1

        def again(error: Exception) -> bool | float:
            faults.append(type(error).__name__)
            return patience.again(error)

        return aiter(
            stamina.retry_context(
                on=again,
                attempts=allowed if most is None else min(most, allowed),
                timeout=None,
                wait_initial=patience.first,
                wait_max=patience.most,
                wait_jitter=patience.first,
            )
        )

    @asynccontextmanager
    async def _sent(
        self, operation: str, body: bytes, transport: Transport, *, limit_s: float | None = None, judge: Judge | None = None
    ) -> AsyncIterator[Answer]:
        """Send one request. The answer's body is read within, under the same limit, unless `judge` raises for it."""
        access = self._access
        limit = access.timeout if limit_s is None else min(limit_s, access.timeout)
        with tracing.call(operation, access.administration), self._told(operation), translated(operation, access.secret):
            async with transport.post(operation, body, limit) as answer:
                await (judge or refuse_failures)(answer)
                yield answer

    @contextmanager
    def _told(self, operation: str) -> Iterator[None]:
        name, number, started = self._access.administration, next(self._numbers), time.monotonic()
        fault, cancelled = "", True
        self._tell(CallBegan(name, operation, number))
        try:
            yield
            cancelled = False
        except ConnectorError as error:
            fault, cancelled = type(error).__name__, False
            error.__context__ = None  # `from None` only hides the library's error: whoever walks the chain finds the request
            raise
        finally:
            self._tell(CallMade(name, operation, time.monotonic() - started, fault, number, cancelled=cancelled))

    def _tell(self, event: Event) -> None:
        with suppress(Exception):  # whoever listens has no say in whether a call succeeds
            self._listener(event)


def _envelope(operation: str, fields: Fields) -> bytes:
    """Raises Refused for a character that no XML can carry: the request is wrong, and was not sent."""
    try:
        return request(operation, [("request", fields)] if OPERATIONS[operation].wrapped else fields)
    except ValueError as error:
        raise Refused(f"{operation}: {error}") from None
