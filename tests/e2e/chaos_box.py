"""A middle box that answers in the POS's place at random, while the POS works on; it writes down all that went through."""

import asyncio
import random
import re
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web

from connector.sandbox import Sandbox
from connector.sandbox.faults.result_codes import CODES
from tests.support.sink.middle_answers import ANSWERS, Asked
from tests.support.sink.middle_box import MiddleBox, Reply, _handed_on, _sent

CHANGES = frozenset(CODES)
LOOKS = frozenset({"findOrder", "getOrder", "getPackingSlipsByOrder"})
NAME = re.compile(rb"<(?:\w+:)?(extOrderId|orderId)>([^<]*)<")
IN_A_ROW_MAX = 2
"""Changes of an order that are answered one after the other, at most: who waits longest decides how long a test takes."""
LATE, CUT = "late", "cut by the POS"
"""In place of an answer's name: it came when the worker may have given up, or not at all."""


@dataclass(slots=True)
class Passage:
    """A call: `at` in seconds since the epoch, as the next; `sent`: "" where the POS's own answer went out, else what did.

    `order`: its extOrderId. `told`: what the POS said; None where it was not asked.
    """

    at: float
    operation: str
    order: str
    sent: str = ""
    told: bytes | None = None


@dataclass(frozen=True, slots=True)
class Odds:
    """`change`, `look`: how often the box answers; `late`: how often a call is held up. `work_s`: how long the POS works on,
    at most; `hold_s`: how long a call is held up, at most; `patience_s`: how long the worker waits, at least.
    """

    change: float
    look: float
    late: float
    work_s: float
    hold_s: float
    patience_s: float


class ChaosBox(MiddleBox):
    """See MiddleBox; here the odds say what is answered. A look never overtakes what the POS should have done by then."""

    def __init__(self, pos: Sandbox, odds: Odds, *, seed: int) -> None:
        super().__init__(pos, seed=seed)
        self.passages: list[Passage] = []
        self._odds = odds
        self._luck = random.Random(seed)
        self._in_a_row = Counter[str]()
        self._due: dict[asyncio.Task[None], float] = {}

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        operation = request.headers.get("SOAPAction", "").strip('"').rpartition("#")[2]
        asked = Asked(operation, await request.read(), request.path_qs, dict(request.headers), self.pos.url)
        passage = Passage(time.time(), operation, self._order_of(asked.body))
        self.passages.append(passage)
        try:
            return await self._passed(request, asked, passage)
        except ConnectionResetError:  # who asked is gone
            passage.sent = passage.sent or LATE
            return web.Response()

    async def _passed(self, request: web.Request, asked: Asked, passage: Passage) -> web.StreamResponse:
        operation = asked.operation
        await self._overdue()
        luck, odds = self._luck.random(), self._odds
        chance = odds.look if operation not in CHANGES else odds.change if self._in_a_row[passage.order] < IN_A_ROW_MAX else 0.0
        if luck < chance:
            return await self._instead(request, asked, passage)
        if operation in CHANGES and luck < chance + odds.late:
            passage.sent = LATE
            await asyncio.sleep(self._luck.uniform(0, odds.hold_s))
        self._in_a_row[passage.order] *= operation not in CHANGES
        return await _handed_on(request, await self._asked(asked, passage))

    async def _asked(self, asked: Asked, passage: Passage) -> Reply | None:
        reply = await self._forwarded(asked)
        passage.told = reply.body if reply else None
        passage.sent = passage.sent or ("" if reply else CUT)
        if time.time() - passage.at > self._odds.patience_s:
            passage.sent = passage.sent or LATE
        return reply

    async def _instead(self, request: web.Request, asked: Asked, passage: Passage) -> web.StreamResponse:
        passage.sent = self._luck.choice(list(ANSWERS))
        self._in_a_row[passage.order] += asked.operation in CHANGES
        way = self._luck.choice(("before", "later", "later", "never")) if asked.operation in CHANGES else "before"
        if way == "before":
            await self._asked(asked, passage)
        if way == "later":
            seconds = self._luck.uniform(0, self._odds.work_s)
            task = asyncio.create_task(self._afterwards(seconds, asked, passage))
            self._due[task] = time.monotonic() + seconds
            self._later.add(task)
        return await _sent(request, ANSWERS[passage.sent](asked, passage.told))

    async def _afterwards(self, seconds: float, asked: Asked, passage: Passage) -> None:
        await asyncio.sleep(seconds)
        await self._asked(asked, passage)

    async def _overdue(self) -> None:
        """A busy machine may be slow, the POS must not be: what was to be done by now is done before the next call is."""
        while late := [task for task, due in self._due.items() if due <= time.monotonic()]:
            await asyncio.wait(late)
            for task in late:
                self._due.pop(task, None)

    def _order_of(self, body: bytes) -> str:
        names: Mapping[bytes, bytes] = {name: value for name, value in reversed(NAME.findall(body)) if value}
        if b"orderId" in names:
            item = self.pos.shop.sequences["order"].by_identity.get(names[b"orderId"].decode())
            return str(self.pos.shop.document(item)["extOrderId"]) if item else ""
        return names.get(b"extOrderId", b"").decode()
