"""Carrying a command out: prepare → intent → call → decide → look → decide, until it has ended.

The executor does what `decisions.decide` says. Nothing is repeated that is not proven undone or safe to repeat; the specs in
commands/ say why it is. A POS that is down delays a command and does not fail it.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import uuid4

from connector.errors import Refused
from connector.messages.result import CLIENT_FAULT, EXPIRED, INVALID, OUTCOME_UNKNOWN, Outcome
from connector.sink.command_end import CommandEnd
from connector.sink.commands.spec import Meaning, Variant, Verdict
from connector.sink.context import SinkContext
from connector.sink.decisions import NO_SUCH_OPERATION, Case, End, Look, Prepare, Resend, Step, decide
from connector.sink.execution import Execution
from connector.sink.pos.order_lookup import Expired, Hopeless, OrderLookup
from connector.sink.pos.replies import SILENCE, Kind
from connector.sink.preconditions import ruled_out

SENDING_S = 10.0
"""Within which a call leaves after its INTENT, or never does."""

FRESH_S = 2.0
"""Seconds before it is handed to the HTTP client."""

LOCKED = "ORDER-HAS-CHANGED"
RACES_MAX = 10
"""Calls of an update that takes the current changeCounter, while others are quicker each time."""

FORGOTTEN = "the ledger has forgotten this command, and the order does not show it done: look at it, and send a new command"
ALONE = "it alone fails again and again: {}"


class Executor:
    """Carries commands out, each until its end."""

    def __init__(self, context: SinkContext) -> None:
        self._context = context
        self._lookup = OrderLookup(context)

    async def carry_out(self, execution: Execution) -> CommandEnd:
        """Work on a command until it has ended. Raises Fenced and TransactionLost."""
        try:
            step: Step = await self._first(execution)
            while not isinstance(step, End):
                step = await self._do(execution, step) or decide(self._case(execution))
        except Expired:
            done = "done" if execution.attempts else "sent"
            step = End(Outcome.REJECTED, EXPIRED, f"it was not {done} before {execution.command.body['expiresAt']}")
        except Hopeless:
            step = End(Outcome.UNKNOWN, OUTCOME_UNKNOWN, ALONE.format(execution.reason))
        finally:
            self._context.calls.ended(execution.command.id)
        return await self._end(execution, step)

    async def judge(self, execution: Execution) -> CommandEnd:
        """A redriven command that the ledger has forgotten: never sent, only looked for. Raises Fenced and TransactionLost."""
        execution.unsent, execution.attempts = False, execution.intent.attempt if execution.intent else 0
        try:
            await self._lookup.find(execution)
            done = execution.order is not None and await self._shows_done(execution)
        except (Refused, Hopeless) as error:
            return execution.ends(Outcome.UNKNOWN, OUTCOME_UNKNOWN, f"{FORGOTTEN} ({error or execution.reason})")
        outcome, reason, message = (Outcome.SUCCEEDED, "", "") if done else (Outcome.UNKNOWN, OUTCOME_UNKNOWN, FORGOTTEN)
        return await self._end(execution, End(outcome, reason, message, reconciled=True))

    async def _first(self, execution: Execution) -> Step:
        if execution.intent is None:
            return Prepare(paused=False)
        await self._take_up(execution)
        return decide(self._case(execution))

    async def _do(self, execution: Execution, step: Step) -> Step | None:
        """What the step says; another one where that follows from it at once."""
        if isinstance(step, Look):
            if step.within_s:
                await self._lookup.pause(execution, step.within_s)
            await self._lookup.reconcile(execution)
            return None
        if isinstance(step, Resend):
            await self._lookup.pause(execution)
            execution.resend()
            return await self._send(execution)
        assert isinstance(step, Prepare)  # noqa: S101 -- for the type checker: an End is never done
        if step.paused:
            await self._lookup.pause(execution)
        return await self._prepare(execution, other=step.other) or await self._send(execution)

    async def _take_up(self, execution: Execution) -> None:
        """An INTENT without a result: the call may have been made, by this worker or by one that is gone."""
        intent, context, now = execution.intended, self._context, self._context.clock.monotonic()
        wall = context.clock.wall()
        execution.attempts, execution.generation = intent.attempt, intent.generation
        reply = await context.calls.reply(intent.id)
        if intent.unanswered and reply is not SILENCE:  # of this worker, whose clock can be trusted
            execution.unanswered_at = now - max(-SENDING_S, (wall - datetime.fromisoformat(intent.unanswered)).total_seconds())
            execution.unanswered_stamp = intent.unanswered
        execution.replied(reply, now, intent.at, context.deadlines.retry_after)
        if reply is SILENCE:
            # another worker's clock is not trusted, unless an operator asks again, long after
            dated = execution.redriven and intent.at  # none is dated that failed before it was sent
            left = SENDING_S - max(0.0, (wall - datetime.fromisoformat(intent.at)).total_seconds() if dated else 0.0)
            execution.unanswered_at, execution.unanswered_stamp = now + left, (wall + timedelta(seconds=left)).isoformat()
        execution.unsent = not execution.attempts

    def _case(self, execution: Execution) -> Case:
        """What is known, as of now; what was found, as of when that look began."""
        reply, context, spec = execution.reply, self._context, execution.spec
        if reply is None:
            raise AssertionError("nothing was sent")
        at = context.clock.monotonic() if execution.found is None else execution.found_at
        return Case(
            reply.kind,
            Meaning.LOOK if reply.unpaid and spec.meaning(reply.code) is Meaning.SUCCEEDED else spec.meaning(reply.code),
            reply.code or ("" if execution.found is None else spec.good(execution.intended.operation)),
            _advised(execution, reply.text) if reply.kind in (Kind.REFUSED, Kind.MISSING) else reply.text,
            own=execution.answer is reply.answer,
            found=execution.found,
            looks=execution.looks,
            safety=execution.safety,
            unanswered_s=execution.unanswered_s(at, context.deadlines.answer),
            attempts=execution.attempts,
            last_variant=execution.variant is spec.variants[-1],
            again=_may_race_again(execution),
            redriven=execution.redriven,
            alone=ALONE.format(execution.reason) if self._lookup.is_alone(execution) else "",
        )

    async def _prepare(self, execution: Execution, *, other: bool) -> Step | None:
        """Find the order, and make the INTENT. A step where that is ruled out, or where the call before was done after all."""
        if other:
            self._context.missing.add(execution.intended.operation, self._context.clock.monotonic())
        self._lookup.refuse_expired(execution)
        variant = self._variant(execution)
        if variant is None:
            return End(Outcome.REJECTED, CLIENT_FAULT, NO_SUCH_OPERATION)
        if execution.attempts:
            await self._lookup.reconcile(execution)
            if execution.found is not None and execution.found.verdict is not Verdict.NOT_DONE:
                return decide(self._case(execution))
        elif execution.spec.looks_first or variant is not execution.spec.variants[0]:
            try:
                await self._lookup.find(execution)
            except Refused as error:
                return End(Outcome.REJECTED, CLIENT_FAULT, str(error))
            if (end := ruled_out(execution)) is not None:
                return end
        execution.renew()
        execution.plan(variant)
        return None

    def _variant(self, execution: Execution) -> Variant | None:
        missing, now = self._context.missing, self._context.clock.monotonic()
        variants = (variant for variant in execution.spec.variants if not missing.has(variant.operation, now))
        variant = next(variants, execution.spec.variants[-1])
        return variant if variant.carries(execution.command) else None

    async def _shows_done(self, execution: Execution) -> bool:
        """Whether it is done, by the INTENT that came with the letter; else by the order, where no other command made it."""
        if execution.intent is not None:
            await self._lookup.reconcile(execution)
            return execution.found is not None and execution.found.verdict is Verdict.DONE
        order, creates = execution.order, not execution.spec.looks_first
        if order is None or (creates and await self._lookup.is_anothers(execution, order)):
            return False
        return execution.spec.shows_done(execution.command, order)

    async def _send(self, execution: Execution) -> Step | None:
        """INTENT, then the call: at most SENDING_S apart, by a worker that just proved to be the owner."""
        context, operation = self._context, execution.variant.operation
        while execution.reply is None:
            async with context.slots:
                await context.calls.pos.turn()
                self._lookup.refuse_expired(execution)
                intent = replace(
                    execution.intended,
                    attempt=execution.attempts + 1,
                    id=uuid4().hex,
                    at=context.clock.stamp(),
                    unanswered=execution.unanswered_stamp,
                )
                try:
                    fields = execution.variant.request(execution.command, intent)
                except ValueError as error:
                    return End(Outcome.REJECTED, INVALID, str(error))
                await context.intend(intent, execution.coordinates)
                intended, execution.intent = context.clock.monotonic(), intent
                await context.prove()
                if context.clock.monotonic() - intended > FRESH_S:
                    continue  # once more, with an INTENT of now
                execution.attempts += 1
                reply = await context.calls.make(intent.id, intent.command_id, operation, fields)
            execution.replied(reply, context.clock.monotonic(), context.clock.stamp(), context.deadlines.retry_after)
            if reply.kind not in (Kind.ANSWERED, Kind.REFUSED, Kind.MISSING):
                self._lookup.failed(execution, reply.text)
        return None

    async def _end(self, execution: Execution, end: End) -> CommandEnd:
        """The result, with the order's marker after the command: it may cost one more look."""
        answer = None if end.reconciled else execution.answer
        if answer is not None:
            execution.order = answer.order or execution.order
        queued = answer is not None and answer.queued
        unmarked = answer is not None and (answer.order is None or answer.order.get("syncMarker") is None)
        created_unpaid = end.outcome is Outcome.REJECTED and not execution.spec.looks_first and execution.order is None
        if not queued and ((end.outcome is Outcome.SUCCEEDED and unmarked) or (created_unpaid and answer is not None)):
            await self._lookup.see_again(execution)  # a creation that was rejected may exist nevertheless, unpaid
        found = execution.found if end.outcome is Outcome.SUCCEEDED and end.reconciled else None
        documents = {"invoice_id": found.invoice_id, "packing_slip_id": found.packing_slip_id} if found else {}
        reason = end.reason or execution.spec.good(execution.spec.variants[0].operation)
        ended = execution.ends(end.outcome, reason, end.message, reconciled=end.reconciled, **documents)
        return replace(ended, sync_marker=None) if queued else ended


def _may_race_again(execution: Execution) -> bool:
    """Somebody was quicker, and the producer named no changeCounter: the last writer wins."""
    code = execution.reply.code if execution.reply else ""
    return code.endswith(LOCKED) and execution.spec.last_writer_wins(execution.command) and execution.attempts < RACES_MAX


def _advised(execution: Execution, text: str) -> str:
    return f"{text} ({execution.spec.agreement})" if execution.spec.agreement else text
