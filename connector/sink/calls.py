"""Calls that change something: each is made once, outlives the tenure that made it, and ends in a Reply."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

from connector.clock import Clock
from connector.errors import AccessDenied, NotSent, Refused, Retry, Unanswered, UnknownOperation
from connector.mplus.answers import OrderAnswer
from connector.mplus.pages import Item, PageSpec, Undecodable
from connector.mplus.soap import Fields


class Kind(Enum):
    """What became of a call."""

    ANSWERED = "answered"
    FAILED = "failed"  # the call has ended, with a fault of the POS: it may have been carried out
    REFUSED = "refused"  # a fault that says the request is wrong or not for this administration
    MISSING = "missing"  # the POS does not know this operation
    SILENT = "silent"  # no answer: it may have been carried out, or still be at work
    NOT_SENT = "not sent"


@dataclass(frozen=True, slots=True)
class Reply:
    """`text` is for people; `answer` only of ANSWERED."""

    kind: Kind
    text: str = ""
    answer: OrderAnswer | None = None

    @property
    def code(self) -> str:
        """The answer's result code, or empty."""
        return self.answer.code if self.answer else ""


MOST_LEFT = 1000
"""Replies kept for a partition that may come back."""

SILENCE = Reply(Kind.SILENT, "the worker that sent it is gone")


class Pos(Protocol):
    """What the sink needs of a POS; see mplus.client.PosClient."""

    async def order(self, operation: str, fields: Fields) -> OrderAnswer:
        """Look."""

    async def page(self, operation: str, fields: Fields, spec: PageSpec) -> list[Item | Undecodable]:
        """Read a list."""

    async def turn(self) -> None:
        """Wait for the request rate."""

    async def change(self, operation: str, fields: Fields) -> OrderAnswer:
        """Send once."""


class Calls:
    """The calls of one administration in this worker that are under way, by their INTENT's id.

    A revoked partition does not cancel them: if it comes back, the answer is still worth something.
    """

    def __init__(self, pos: Pos, clock: Clock) -> None:
        self.pos = pos
        self._clock = clock
        self._under_way: dict[str, asyncio.Task[Reply]] = {}
        self._answered: dict[str, float] = {}

    async def make(self, intent_id: str, command_id: str, operation: str, fields: Fields) -> Reply:
        """Make a call and wait for its reply; who is cancelled meanwhile leaves it behind."""
        if len(self._under_way) > MOST_LEFT:
            self._under_way = {name: call for name, call in self._under_way.items() if not call.done()}
        self._under_way[intent_id] = asyncio.create_task(self._made(command_id, self.pos.change(operation, fields)))
        return await self.reply(intent_id)

    async def reply(self, intent_id: str) -> Reply:
        """The reply to a call of this worker, when it comes; silence for any other."""
        call = self._under_way.get(intent_id)
        if call is None:
            return SILENCE
        reply = await asyncio.shield(call)
        self._under_way.pop(intent_id, None)
        return reply

    def others_answered(self, command_id: str, since: float) -> bool:
        """Whether the POS has carried out calls of other commands since then (monotonic)."""
        return any(at > since and other != command_id for other, at in self._answered.items())

    async def end(self, within: float) -> None:
        """Let calls under way end, for so many seconds at most."""
        if self._under_way:
            await asyncio.wait(self._under_way.values(), timeout=within)
        for call in self._under_way.values():
            call.cancel()

    async def _made(self, command_id: str, call: Coroutine[Any, Any, OrderAnswer]) -> Reply:
        try:
            answer = await call
        except (NotSent, AccessDenied) as error:
            return Reply(Kind.NOT_SENT, str(error))
        except Unanswered as error:
            return Reply(Kind.SILENT, str(error))
        except Retry as error:
            return Reply(Kind.FAILED, str(error))
        except UnknownOperation as error:
            return Reply(Kind.MISSING, str(error))
        except Refused as error:
            return Reply(Kind.REFUSED, str(error))
        self._answered.pop(command_id, None)
        self._answered[command_id] = self._clock.monotonic()
        if len(self._answered) > 2:  # of two commands, one is another's
            del self._answered[next(iter(self._answered))]
        return Reply(Kind.ANSWERED, answer.message, answer)
