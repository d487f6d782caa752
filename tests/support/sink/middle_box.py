"""What stands between the connector and the POS (a proxy, a gateway, a firewall) and answers in the POS's place.

No answer in ANSWERS is one of the POS: whoever takes one for it, repeats what the POS is still at, or believes what nobody said.
"""

import asyncio
import random
from collections.abc import Collection
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal, Self, cast

import aiohttp
from aiohttp import web

from connector.sandbox import Sandbox
from tests.support.sink.middle_answers import ANSWERS, Answer, Asked

Forward = Literal["before", "later", "never"]
"""Whether the POS does what was asked before the answer goes out, after it, or not at all."""

LARGEST = 16 * 1024 * 1024
"""Bytes of a request or an answer."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One call that came: `answer` is the name in ANSWERS, or "" where the POS's own went out; then `forward` is "before"."""

    operation: str
    answer: str
    forward: Forward


@dataclass(slots=True)
class Rule:
    """Which calls are answered in the POS's place, and how: one of `answers` and one of `forward`, by the seed.

    `operations`: these only, or all where empty. `left`: for so many calls yet (None: no end). `seconds`: after the answer,
    until the POS has what was forwarded "later"; None holds it until `release`.
    """

    answers: tuple[str, ...]
    operations: Collection[str]
    forward: tuple[Forward, ...]
    left: int | None
    probability: float
    seconds: float | None

    def takes(self, operation: str, chance: random.Random) -> bool:
        """Whether this call is one of them; counts it."""
        if self.left == 0 or (self.operations and operation not in self.operations):
            return False
        if self.probability < 1 and chance.random() >= self.probability:
            return False
        self.left = None if self.left is None else self.left - 1
        return True


@dataclass(slots=True)
class Reply:
    """What the POS said, as far as it goes on."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


class MiddleBox:
    """`async with MiddleBox(pos) as box:` listens on `box.url` and hands every call on, until `answer` says otherwise.

    Before looking at effects, await `release` and `settled`: a block that ends while something is still to come is an error.
    """

    def __init__(self, pos: Sandbox, *, seed: int = 1) -> None:
        self.url = ""
        self.ident, self.secret = pos.ident, pos.secret
        self.seen: list[Seen] = []
        self.pos = pos
        self._chance = random.Random(seed)
        self._rules: list[Rule] = []
        self._later: set[asyncio.Task[None]] = set()
        self._held: list[Asked] = []

    @property
    def as_pos(self) -> Sandbox:
        """Itself for whoever takes a Sandbox: all but the address is the POS's own."""
        return cast(Sandbox, self)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.pos, name)

    def answer(
        self,
        *answers: str,
        operations: Collection[str] = (),
        forward: Forward | tuple[Forward, ...] = "before",
        count: int | None = 1,
        probability: float = 1.0,
        seconds: float | None = 0.2,
    ) -> None:
        """Answer the next `count` such calls in the POS's place; of several rules the first that takes a call holds."""
        assert answers, "name at least one"
        assert ANSWERS.keys() >= set(answers), f"there are {', '.join(ANSWERS)}"
        ways: tuple[Forward, ...] = (forward,) if isinstance(forward, str) else forward
        self._rules.append(Rule(answers, operations, ways, count, probability, seconds))

    def clear(self) -> None:
        """Hand everything on from now; what is under way goes on."""
        self._rules.clear()

    async def release(self) -> None:
        """Let the POS have, in the order they came, the calls that are held."""
        while self._held:
            await self._forwarded(self._held.pop(0))

    async def settled(self) -> None:
        """Wait until the POS has had all that was to come later; what is held stays held. Raises what went wrong with it."""
        while self._later:
            for task in list(self._later):
                await task
                self._later.discard(task)

    async def __aenter__(self) -> Self:
        application = web.Application(client_max_size=LARGEST)
        application.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/"
        self._http = aiohttp.ClientSession(auto_decompress=False)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        left = len(self._held) + sum(not task.done() for task in self._later)
        for task in self._later:
            task.cancel()
        await asyncio.gather(*self._later, return_exceptions=True)
        await self._runner.cleanup()
        await self._http.close()
        assert error is not None or not left, f"{left} calls are still to come: await release() and settled()"

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        asked = Asked(_operation(request), await request.read(), request.path_qs, dict(request.headers), self.pos.url)
        rule = next((rule for rule in self._rules if rule.takes(asked.operation, self._chance)), None)
        if rule is None:
            self.seen.append(Seen(asked.operation, "", "before"))
            return await _handed_on(request, await self._forwarded(asked))
        return await self._in_its_place(request, asked, rule)

    async def _in_its_place(self, request: web.Request, asked: Asked, rule: Rule) -> web.StreamResponse:
        name, forward = self._chance.choice(rule.answers), self._chance.choice(rule.forward)
        self.seen.append(Seen(asked.operation, name, forward))
        told = await self._forwarded(asked) if forward == "before" else None
        if forward == "later":
            self._put_off(asked, rule.seconds)
        return await _sent(request, ANSWERS[name](asked, told.body if told else None))

    def _put_off(self, asked: Asked, seconds: float | None) -> None:
        if seconds is None:
            self._held.append(asked)
        else:
            self._later.add(asyncio.create_task(self._after(seconds, asked)))

    async def _after(self, seconds: float, asked: Asked) -> None:
        await asyncio.sleep(seconds)
        await self._forwarded(asked)

    async def _forwarded(self, asked: Asked) -> Reply | None:
        """The POS's reply, or None where it cut the connection."""
        passed = {name: asked.headers[name] for name in ("Content-Type", "SOAPAction") if name in asked.headers}
        address = self.pos.url.rstrip("/") + asked.path
        try:
            async with self._http.post(address, data=asked.body, headers=passed, allow_redirects=False) as reply:
                kept = {name: reply.headers[name] for name in ("Content-Type", "Retry-After") if name in reply.headers}
                return Reply(reply.status, await reply.read(), kept)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientPayloadError, aiohttp.ClientOSError):
            return None


def _operation(request: web.Request) -> str:
    return request.headers.get("SOAPAction", "").strip('"').rpartition("#")[2]


async def _handed_on(request: web.Request, reply: Reply | None) -> web.StreamResponse:
    if reply is None:
        _hang_up(request)
        return web.Response()
    return web.Response(status=reply.status, body=reply.body, headers=reply.headers)


async def _sent(request: web.Request, answer: Answer) -> web.StreamResponse:
    """The answer, as whole as it is meant to be."""
    response = web.StreamResponse(status=answer.status, headers={"Content-Type": answer.content_type, **answer.headers})
    if answer.promised is None:
        _hang_up(request)
        return response
    response.content_length = answer.promised
    await response.prepare(request)
    await response.write(answer.body)
    if answer.promised > len(answer.body):
        _hang_up(request)
    return response


def _hang_up(request: web.Request) -> None:
    if request.transport:
        request.transport.close()
