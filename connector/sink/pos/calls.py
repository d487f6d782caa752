"""Calls that change something: each is made once, outlives the session that made it, and ends in a Reply.

The last reply of a command is kept until its result is committed: a session may end between.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, Protocol

from connector.mplus.request import Fields
from connector.mplus.responses.answers import OrderAnswer
from connector.mplus.responses.pages import Item, PageSpec, Undecodable
from connector.sink.blame import Tally
from connector.sink.pos.replies import ANSWERS, SILENCE, Reply, replied

LEFT_MAX = 1000
"""Replies kept for a partition that may come back."""


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

    def __init__(self, pos: Pos) -> None:
        self.pos = pos
        self._under_way: dict[str, asyncio.Task[Reply]] = {}
        self._last: dict[str, str] = {}
        self._all = Tally()
        self._each: dict[str, Tally] = {}

    async def make(self, intent_id: str, command_id: str, operation: str, fields: Fields) -> Reply:
        """Make a call and wait for its reply; who is cancelled meanwhile leaves it behind."""
        self.told(command_id)
        if len(self._under_way) > LEFT_MAX:
            self._under_way = {name: call for name, call in self._under_way.items() if not call.done()}
            self._last = {command: name for command, name in self._last.items() if name in self._under_way}
        self._last[command_id] = intent_id
        self._under_way[intent_id] = asyncio.create_task(self._made(command_id, self.pos.change(operation, fields)))
        return await self.reply(intent_id)

    async def reply(self, intent_id: str) -> Reply:
        """The reply to a call of this worker, when it comes; silence for any other."""
        call = self._under_way.get(intent_id)
        if call is None:
            return SILENCE
        return await asyncio.shield(call)

    def told(self, command_id: str) -> None:
        """The result of a command is committed, or its last reply is of no more use: it need not be kept."""
        call = self._under_way.get(self._last.get(command_id, ""))
        if call is not None and call.done():
            del self._under_way[self._last.pop(command_id)]

    def others(self, command_id: str) -> Tally:
        """How the POS has treated the calls of all other commands so far."""
        return self._all - self._each.get(command_id, Tally())

    def ended(self, command_id: str) -> None:
        """A command has ended: its calls are others' from now on."""
        self._each.pop(command_id, None)

    async def end(self, within: float) -> None:
        """Let calls under way end, for so many seconds at most."""
        if self._under_way:
            await asyncio.wait(self._under_way.values(), timeout=within)
        for call in self._under_way.values():
            call.cancel()

    async def _made(self, command_id: str, call: Coroutine[Any, Any, OrderAnswer]) -> Reply:
        reply = await replied(call)
        new = Tally(reply.kind in ANSWERS, reply.kind not in ANSWERS)
        self._all += new
        self._each[command_id] = self._each.get(command_id, Tally()) + new
        return reply
