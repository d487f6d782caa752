"""Carrying a command out: prepare → intent → call → understand → look, until it has ended.

Nothing is repeated that is not proven undone or safe to repeat; the table in commands.py says why it is. A POS that is
down delays a command and does not fail it.
"""

from dataclasses import replace
from datetime import datetime
from uuid import uuid4

from connector.errors import Refused
from connector.sink.calls import SILENCE, Kind, Reply
from connector.sink.commands import Meaning, Way
from connector.sink.course import Course
from connector.sink.looking import EXISTS, Verdict
from connector.sink.lookout import NOT_FOUND, Expired, Hopeless, Lookout, Tools
from connector.sink.results import CLIENT_FAULT, EXPIRED, INVALID, OUTCOME_UNKNOWN, Ending, Outcome

SENDING = 10.0
"""Seconds within which a call leaves after its INTENT, or never does."""

FRESH = 2.0
"""Of them, before it is handed to the HTTP client."""

LOCKED = "ORDER-HAS-CHANGED"

MOST_RACES = 10
"""Calls of an update that takes the current changeCounter, while others are quicker each time."""


class Executor:
    """Carries commands out, each until its ending."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._lookout = Lookout(tools)

    async def carry_out(self, course: Course) -> Ending:
        """Work on a command until it has ended. Raises Fenced and TransactionLost."""
        if course.intent is not None:
            await self._take_up(course)
        try:
            while (ending := await self._round(course)) is None:
                pass
        except Expired:
            return course.ends(Outcome.REJECTED, EXPIRED, f"it was not sent before {course.command.body['expiresAt']}")
        except Hopeless:
            return course.ends(Outcome.UNKNOWN, OUTCOME_UNKNOWN, f"it alone fails again and again: {course.reason}")
        return await self._with_marker(course, ending)

    async def _round(self, course: Course) -> Ending | None:
        for step in (self._prepare, self._send, self._understand, self._look):
            if (ending := await step(course)) is not None:
                return ending
        return None

    async def _take_up(self, course: Course) -> None:
        """An INTENT without a result: the call may have been made, by this worker or by one that is gone."""
        intent, clock = course.intended, self._tools.clock
        course.attempts, course.generation = intent.attempt, intent.generation
        reply = await self._tools.calls.reply(intent.id)
        course.replied(reply, clock.monotonic())
        if reply is SILENCE:
            # another worker's clock is not trusted, unless an operator asks again, long after
            ago = (clock.wall() - datetime.fromisoformat(intent.at)).total_seconds() if course.redriven else 0.0
            course.silent_since = clock.monotonic() + SENDING - ago

    async def _prepare(self, course: Course) -> Ending | None:
        """Find the order, and decide what to send."""
        if course.intent is not None:
            return None
        self._lookout.refuse_expired(course)
        way = self._way(course)
        if way is None:
            return course.ends(Outcome.REJECTED, CLIENT_FAULT, "this administration lacks the operation that could do this")
        if course.row.found or way is not course.row.ways[0]:
            try:
                await self._lookout.find(course)
            except Refused as error:
                return course.ends(Outcome.REJECTED, CLIENT_FAULT, str(error))
            if (ending := self._unfit(course)) is not None:
                return ending
        course.prepared(way)
        return None

    def _way(self, course: Course) -> Way | None:
        ways = (way for way in course.row.ways if way.operation not in self._tools.missing)
        way = next(ways, course.row.ways[-1])
        return way if way.carries(course.command) else None

    def _unfit(self, course: Course) -> Ending | None:
        """What rules the command out, now that its order was looked for."""
        order, command = course.order, course.command
        if order is None:
            return course.ends(Outcome.REJECTED, NOT_FOUND, "there is no such order") if course.row.found else None
        if not course.row.found:
            return course.ends(Outcome.REJECTED, EXISTS, "there is such an order already")
        order_id, key = order.get("orderId") or "", order.get("extOrderId") or order.get("orderId")
        if command.order_id not in ("", order_id) or command.key != key:
            return course.ends(Outcome.REJECTED, INVALID, f"this is the order {order_id!r}, whose commands have the key {key!r}")
        return None

    async def _send(self, course: Course) -> Ending | None:
        """INTENT, then the call: at most SENDING apart, by a worker that just proved to be the owner."""
        if course.reply is not None or course.way is None:
            return None
        tools, operation = self._tools, course.way.operation
        async with tools.slots:
            await tools.calls.pos.turn()
            self._lookout.refuse_expired(course)
            intent = replace(course.intended, attempt=course.attempts + 1, id=uuid4().hex, at=tools.clock.stamp())
            try:
                fields = course.way.request(course.command, intent)
            except ValueError as error:
                return course.ends(Outcome.REJECTED, INVALID, str(error))
            await tools.intend(intent, course.coordinates)
            intended, course.intent = tools.clock.monotonic(), intent
            await tools.prove()
            if tools.clock.monotonic() - intended > FRESH:
                return None  # once more, with an INTENT of now
            course.attempts += 1
            reply = await tools.calls.make(intent.id, intent.command_id, operation, fields)
        course.replied(reply, tools.clock.monotonic())
        return None

    async def _understand(self, course: Course) -> Ending | None:
        """What the reply says by itself."""
        reply = course.reply
        if reply is None:
            return None
        if reply.kind is Kind.MISSING:
            return self._without_operation(course, reply)
        if reply.kind is Kind.NOT_SENT:
            course.reply = None
            await self._lookout.pause(course)
            return None
        return await self._answered(course, reply) if reply.answer else None

    async def _answered(self, course: Course, reply: Reply) -> Ending | None:
        meaning, order = course.row.meaning(reply.code), reply.answer.order if reply.answer else None
        named = (order or {}).get("extOrderId")
        if meaning is Meaning.LOOK or (named and course.command.ext_order_id not in ("", named)):
            return None  # a replay that names another order is another command's answer
        course.order = order or course.order
        if meaning is Meaning.REJECTED and not course.row.found and course.order is None:
            await self._lookout.see_again(course)  # it may exist nevertheless, unpaid
        outcome = Outcome.SUCCEEDED if meaning is Meaning.SUCCEEDED else Outcome.REJECTED
        return course.ends(outcome, reply.code, reply.text)

    def _without_operation(self, course: Course, reply: Reply) -> Ending | None:
        """An older administration: the next way, with an INTENT of its own; or there is none."""
        operation = course.intended.operation
        if operation == course.row.ways[-1].operation:
            return course.ends(Outcome.REJECTED, CLIENT_FAULT, _advised(course, reply.text))
        self._tools.missing.add(operation)
        course.start_over()
        return None

    async def _look(self, course: Course) -> Ending | None:
        """Where the reply does not say it, the order does."""
        reply = course.reply
        if reply is None:
            return None
        over = self._must_be_over(course)  # before looking: what the POS does after that is not seen
        try:
            finding = await self._lookout.finding(course)
        except Refused as error:
            return course.ends(Outcome.UNKNOWN, OUTCOME_UNKNOWN, f"looking is refused: {error}")
        if finding.verdict is Verdict.UNCLEAR:
            why = "what was done to the order cannot be told from what others did"
            return course.ends(Outcome.UNKNOWN, OUTCOME_UNKNOWN, why, reconciled=True)
        if finding.verdict is Verdict.NOT_DONE:
            return await self._not_done(course, reply, over=over)
        documents = {"invoice_id": finding.invoice_id, "packing_slip_id": finding.packing_slip_id}
        reason = reply.code or course.row.good(course.intended.operation)
        return course.ends(Outcome.SUCCEEDED, reason, reply.text if reply.code else "", reconciled=True, **documents)

    async def _not_done(self, course: Course, reply: Reply, *, over: bool) -> Ending | None:
        """Rejected, if that is what the reply said; else once more, as soon as that is safe. `over`: no call is at work."""
        if course.row.meaning(reply.code) is not Meaning.LOOK:
            return course.ends(Outcome.UNKNOWN, OUTCOME_UNKNOWN, "the POS answered for another order", reconciled=True)
        if reply.kind is Kind.ANSWERED and not _may_lock_again(course, reply):
            return course.ends(Outcome.REJECTED, reply.code, reply.text, reconciled=True)
        if reply.kind is Kind.REFUSED:
            return course.ends(Outcome.REJECTED, CLIENT_FAULT, _advised(course, reply.text), reconciled=True)
        self._lookout.refuse_hopeless(course)
        safe = course.may_repeat and not course.redriven  # what was redriven gets another idempotency key
        waits = reply.kind is Kind.SILENT and not safe
        if not (waits and over):  # it has waited enough
            await self._lookout.pause(course, self._until_over(course) if waits else None)
        if waits and not over:
            course.failures += 1
        elif safe and reply.kind is not Kind.ANSWERED:
            course.repeat()
        else:
            course.start_over()
        return None

    def _must_be_over(self, course: Course) -> bool:
        """Whether no call that nobody answered can be at work any more."""
        return self._until_over(course) <= 0

    def _until_over(self, course: Course) -> float:
        """Seconds until no call that nobody answered can be at work any more."""
        since = course.silent_since
        return 0.0 if since is None else since + self._tools.patience.answer - self._tools.clock.monotonic()

    async def _with_marker(self, course: Course, ending: Ending) -> Ending:
        """The order's marker after the command: it may cost one more look."""
        answer = course.reply.answer if course.reply else None
        if answer is not None and answer.queued:
            return replace(ending, sync_marker=None)
        if ending.outcome is not Outcome.SUCCEEDED or ending.reconciled:
            return ending
        if answer is None or answer.order is None:
            await self._lookout.see_again(course)
        order = course.order or {}
        return replace(ending, sync_marker=order.get("syncMarker"), ext_order_id=order.get("extOrderId") or ending.ext_order_id)


def _may_lock_again(course: Course, reply: Reply) -> bool:
    """Somebody was quicker, and the producer named no changeCounter: the last writer wins."""
    order = course.command.body.get("order", {})
    open_to_all = course.command.name == "updateOrder" and "changeCounter" not in order
    return reply.code.endswith(LOCKED) and open_to_all and course.attempts < MOST_RACES


def _advised(course: Course, text: str) -> str:
    """payOrder may be used only under an agreement."""
    return f"{text} (payOrder needs an agreement with the vendor)" if course.command.name == "payOrder" else text
