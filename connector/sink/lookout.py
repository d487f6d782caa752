"""Looking at the POS for a command: with patience, and saying what it shows."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import orjson

from connector.backoff import backoff
from connector.clock import Clock
from connector.errors import AccessDenied, NotSent, Refused, Retry
from connector.events import CommandWaits, Listener
from connector.mplus.pages import Item, PageSpec
from connector.sink.calls import Calls
from connector.sink.course import Course
from connector.sink.ledger import Intent, Ledger
from connector.sink.looking import Finding, Seen
from connector.sink.orders import Order, ids

FOUND, NOT_FOUND = "GET-ORDER-RESULT-OK", "GET-ORDER-RESULT-NOT-FOUND"
SLIPS = PageSpec(("packingSlipList", "packingSlip"), "packingSlip", (("packingSlipId", None),), None)
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds. `answer`: how long the POS may be at work on a call that nobody answers; `unknown`: until a command that
    alone always fails is given up; `most`: between two tries.
    """

    answer: float = 600.0
    unknown: float = 900.0
    most: float = 15.0


@dataclass(frozen=True, slots=True)
class Tools:
    """What commands of a partition are worked on with.

    `intend` commits an INTENT; `prove` raises Fenced where this worker is no longer the owner; `slots` bound what is asked of
    the POS at once; `missing`: operations that this administration does not have.
    """

    administration: str
    calls: Calls
    ledger: Ledger
    intend: Callable[[Intent, str], Awaitable[None]]
    prove: Callable[[], Awaitable[None]]
    slots: asyncio.Semaphore
    missing: set[str]
    patience: Patience
    tell: Listener
    clock: Clock


class Expired(Exception):
    """An unsent command's time is over."""


class Hopeless(Exception):
    """This command alone fails again and again, while the POS carries others out."""


class Lookout:
    """Looks for one command after the other. Raises Expired where one that was never sent has waited too long, or Hopeless."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    async def find(self, course: Course) -> None:
        """The order as it is now; one that the POS has accepted and not booked is waited for. Raises Refused."""
        await self._see(course)
        while course.absent and course.row.found and self._tools.ledger.queued(course.command.key) and not self.tired(course):
            course.failed("the POS has accepted the order and not booked it yet", self._tools.clock.monotonic())
            self.refuse_expired(course)
            await self.pause(course)
            await self._see(course)

    async def see_again(self, course: Course) -> None:
        """The order as it is now, if the POS lets us look."""
        with suppress(Refused, Hopeless):
            await self._see(course)

    async def finding(self, course: Course) -> Finding:
        """What the order shows about the call. Raises Refused."""
        intent, ledger = course.intended, self._tools.ledger
        await self._see(course)
        creation = await ledger.creation(course.command.ext_order_id)
        new = set(ids(course.order, "packingSlipIds")) - set(intent.before.get("packingSlipIds", ()))
        slips = (
            await self._patiently(course, lambda: self._slips(intent, new))
            if new and intent.operation == "deliverOrderV2"
            else ()
        )
        code = course.reply.code if course.reply else ""
        foreign = creation is not None and creation.command_id != intent.command_id
        return course.row.judge(course.command, intent, Seen(course.order, slips, code, foreign))

    async def pause(self, course: Course, most: float | None = None) -> None:
        """Wait a while, the longer the more often it failed; at most so many seconds."""
        tools = self._tools
        tools.tell(CommandWaits(tools.administration, course.command.name, course.command.id, course.reason))
        longest = tools.patience.most if most is None else min(tools.patience.most, max(0.0, most))
        await tools.clock.sleep(min(longest, backoff(course.failures, tools.clock.chance())))

    def tired(self, course: Course) -> bool:
        """Whether it has failed for so long that somebody should know."""
        since = course.failing_since
        return since is not None and self._tools.clock.monotonic() - since >= self._tools.patience.unknown

    def refuse_expired(self, course: Course) -> None:
        """A command that was never sent may have waited too long. Raises Expired."""
        expires = course.command.expires_at
        if course.attempts == 0 and expires is not None and self._tools.clock.wall() >= expires:
            raise Expired

    def refuse_hopeless(self, course: Course) -> None:
        """Where the POS answers nobody, everything waits. Raises Hopeless."""
        if self.tired(course) and self._tools.calls.others_answered(course.command.id, course.failing_since or 0.0):
            raise Hopeless

    async def _see(self, course: Course) -> None:
        course.order = await self._patiently(course, lambda: self._order(course))
        course.absent = course.order is None

    async def _patiently(self, course: Course, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        while True:
            try:
                async with self._tools.slots:
                    return await ask()
            except (NotSent, AccessDenied) as error:
                course.unreachable(str(error))
            except Retry as error:
                course.failed(str(error), self._tools.clock.monotonic())
            self.refuse_expired(course)
            self.refuse_hopeless(course)
            await self.pause(course)

    async def _order(self, course: Course) -> Order | None:
        order_id = (course.intent.order_id if course.intent else "") or course.command.order_id
        operation, name = ("getOrder", order_id) if order_id else ("findOrder", course.command.ext_order_id)
        answer = await self._tools.calls.pos.order(operation, [("orderId" if order_id else "extOrderId", name)])
        if answer.code not in (FOUND, NOT_FOUND):
            raise Retry(f"{operation}: the POS answers {answer.code}")
        return answer.order if answer.code == FOUND else None

    async def _slips(self, intent: Intent, new: set[str]) -> list[Order]:
        try:
            page = await self._tools.calls.pos.page("getPackingSlipsByOrder", [("orderId", intent.order_id)], SLIPS)
        except Refused:
            return []  # the lines' own counts have to do
        found: list[dict[str, Any]] = [orjson.loads(item.value) for item in page if isinstance(item, Item)]
        return [slip for slip in found if slip.get("packingSlipId") in new]
