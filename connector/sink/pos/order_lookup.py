"""Looking at the POS for a command, for as long as that takes, and gathering the evidence of what its call did."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeVar

import orjson

from connector.backoff import backoff
from connector.cancellation import cancel_wins
from connector.errors import AccessDenied, Refused, Retry
from connector.events.commands import CommandWaits
from connector.mplus.responses.pages import Item, PageSpec
from connector.sink.commands.spec import Evidence, new_documents, unclear
from connector.sink.commands.table import reconcile
from connector.sink.context import SinkContext
from connector.sink.decisions import LOOK_AGAIN_S, LOOKS_MAX
from connector.sink.execution import Execution
from connector.sink.ledger.ledger import Intent
from connector.sink.pos.orders import Order
from connector.sink.preconditions import NOT_FOUND

FOUND = "GET-ORDER-RESULT-OK"
SLIPS = PageSpec(
    ("packingSlipList", "packingSlip"), "packingSlip", (("packingSlipId", None),), None, response="GetPackingSlipsByOrderResponse"
)
NOT_ENOUGH = "the POS does not show all of the order that the call needs"
QUEUED = "the POS has accepted the order and not booked it yet"
OTHERS_MAX = 100
"""References and slips that the ledger is asked about, at most, for one look."""

Answer = TypeVar("Answer")


class Expired(Exception):
    """An unsent command's time is over."""


class Hopeless(Exception):
    """This command alone fails again and again, while the POS carries others out."""


class OrderLookup:
    """Looks for one command after the other. Raises Expired where one that was never sent has waited too long, or Hopeless."""

    def __init__(self, context: SinkContext) -> None:
        self._context = context

    async def find(self, execution: Execution) -> None:
        """The order as it is now; one that the POS has accepted and not booked is waited for. Raises Refused."""
        clock, spec = self._context.clock, execution.spec
        await self._see_enough(execution)
        until = clock.monotonic() + self._context.deadlines.unknown
        while execution.absent and spec.looks_first and self._is_queued(execution) and clock.monotonic() < until:
            execution.reason = QUEUED
            self.refuse_expired(execution)
            await self.pause(execution)
            await self._see_enough(execution)

    async def _see_enough(self, execution: Execution) -> None:
        """The order, once more and once more where it does not show what the call needs."""
        await self._see(execution)
        for _ in range(LOOKS_MAX - 1):
            if execution.order is None or execution.spec.is_enough(execution.command, execution.order):
                return
            execution.reason = NOT_ENOUGH
            await self.pause(execution, LOOK_AGAIN_S)
            await self._see(execution)

    async def see_again(self, execution: Execution) -> None:
        """The order as it is now, if the POS lets us look."""
        with suppress(Refused, Hopeless):
            await self._see(execution)

    async def reconcile(self, execution: Execution) -> None:
        """Look, and note what the order shows about the INTENT's call."""
        at, deadline = self._context.clock.monotonic(), self._context.deadlines.answer
        try:
            await self._see(execution)
            execution.trouble.looked()
            found = reconcile(execution.command, execution.intended, await self._evidence(execution))
        except Refused as error:
            found = unclear(f"looking is refused: {error}")
            execution.looks = LOOKS_MAX  # and would be again
        except Hopeless:
            if execution.unanswered_s(at, deadline):
                found = unclear(f"looking fails: {execution.reason}")
            else:
                raise
        execution.saw(found, at, deadline)

    async def pause(self, execution: Execution, within_s: float | None = None) -> None:
        """Wait, the longer the more often it failed; `within_s`: at most so long. Longer where the POS asks for more."""
        context, clock = self._context, self._context.clock
        execution.pauses += 1
        context.tell(CommandWaits(context.administration, execution.command.name, execution.command.id, execution.reason))
        most = context.deadlines.pause if within_s is None else min(within_s, context.deadlines.look)
        wait = min(most, backoff(execution.pauses, clock.chance()))
        await clock.sleep(max(wait, execution.not_before - clock.monotonic()))

    async def rest(self, execution: Execution) -> None:
        """Wait as long as the POS asked to."""
        if execution.not_before > self._context.clock.monotonic():
            await self.pause(execution, 0.0)

    def refuse_expired(self, execution: Execution) -> None:
        """A command that was never sent may have waited too long. Raises Expired."""
        expires = execution.command.expires_at
        if execution.unsent and expires is not None and self._context.clock.wall() >= expires:
            raise Expired

    def is_alone(self, execution: Execution) -> bool:
        """Whether this command alone fails, for so long that somebody should know."""
        others = self._context.calls.others(execution.command.id)
        return execution.trouble.is_hopeless(others, self._context.deadlines.unknown)

    def failed(self, execution: Execution, error: str) -> None:
        """Note that something did not work, and what the POS did for others by then."""
        execution.reason = error
        others = self._context.calls.others(execution.command.id)
        execution.trouble.failed(self._context.clock.monotonic(), others)

    async def _see(self, execution: Execution) -> None:
        execution.order = await self._patiently(execution, lambda: self._order(execution))
        execution.absent = execution.order is None

    def _is_queued(self, execution: Execution) -> bool:
        return self._context.ledger.queued(execution.command.key)

    async def _patiently(self, execution: Execution, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        """Ask until there is an answer. Raises Refused, Expired or Hopeless."""
        await self.rest(execution)
        while True:
            try:
                with cancel_wins():
                    return await self._in_turn(ask)
            except AccessDenied as error:
                self.failed(execution, str(error))
            except Retry as error:
                self.failed(execution, str(error))
                if error.after is not None:
                    asked = min(error.after, self._context.deadlines.retry_after)
                    execution.not_before = self._context.clock.monotonic() + asked
            self.refuse_expired(execution)
            if self.is_alone(execution):
                raise Hopeless
            await self.pause(execution)

    async def _in_turn(self, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        async with self._context.slots:
            return await ask()

    async def _order(self, execution: Execution) -> Order | None:
        command, intent = execution.command, execution.intent
        order_id = (intent.order_id if intent else "") or (command.order_id if execution.spec.looks_first else "")
        operation, name = ("getOrder", order_id) if order_id else ("findOrder", command.ext_order_id)
        answer = await self._context.calls.pos.order(operation, [("orderId" if order_id else "extOrderId", name)])
        if answer.code == NOT_FOUND:
            return None
        if answer.code != FOUND or answer.order is None:
            raise Retry(f"{operation}: the POS answers {answer.code}" + (" and shows no order" if answer.code == FOUND else ""))
        return answer.order

    async def _evidence(self, execution: Execution) -> Evidence:
        """What the order, its packing slips and the ledger show."""
        intent, order = execution.intended, execution.order
        if order is None:
            return Evidence(None, code=execution.reply.code if execution.reply else "")
        foreign = await self.is_anothers(execution, order)
        new = set(new_documents(intent, order, "packingSlipIds") or ()) if intent.operation == "deliverOrderV2" else set()
        slips = await self._patiently(execution, lambda: self._slips(intent, new)) if new else []
        code = execution.reply.code if execution.reply else ""
        return Evidence(order, slips, code, foreign, await self._others(execution, order, new))

    async def is_anothers(self, execution: Execution, order: Order) -> bool:
        """Whether the ledger knows another command that made this order."""
        creation = await self._context.ledger.creation(execution.command.ext_order_id)
        ours = creation is None or creation.command_id == execution.command.id
        return creation is not None and not ours and creation.order_id in ("", order.get("orderId"))

    async def _others(self, execution: Execution, order: Order, slips: set[str]) -> frozenset[str]:
        """New packing slips and payment references that the ledger knows as other commands'."""
        ledger, own = self._context.ledger, execution.command.id
        others = {slip for slip in list(slips)[:OTHERS_MAX] if await ledger.slip_maker(slip) not in (None, own)}
        references = [name for name in execution.spec.references(order) if name != own]
        others |= {name for name in references[:OTHERS_MAX] if await ledger.entry(name) is not None}
        return frozenset(others)

    async def _slips(self, intent: Intent, new: set[str]) -> list[Order]:
        try:
            page = await self._context.calls.pos.page("getPackingSlipsByOrder", [("orderId", intent.order_id)], SLIPS)
        except Refused:
            return []  # the lines' own counts have to do
        found: list[dict[str, Any]] = [orjson.loads(item.value) for item in page if isinstance(item, Item)]
        return [slip for slip in found if slip.get("packingSlipId") in new]
