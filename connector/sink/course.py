"""The course of one command: what is known of it while it is worked on."""

from dataclasses import dataclass, replace

from connector.sink.calls import Kind, Reply
from connector.sink.commands import Row, Safe, Way, idempotency_key, row_of
from connector.sink.intake import Command
from connector.sink.ledger import Intent
from connector.sink.orders import Order
from connector.sink.results import Ending, Outcome


@dataclass(slots=True)
class Course:
    """Of one command. Times are monotonic.

    `intent`: what is to be sent, or may have been; `reply`: what became of that; `order`: as last seen; `attempts`: calls
    that may have been sent; `silent_since`: the last time at which a call can have been sent that nobody answered;
    `redriven`: an operator asks again about an unknown outcome, and if it is proven not done the POS shall take it as new.
    """

    command: Command
    offset: int
    coordinates: str
    intent: Intent | None = None
    reply: Reply | None = None
    order: Order | None = None
    absent: bool = False
    attempts: int = 0
    failures: int = 0
    failing_since: float | None = None
    silent_since: float | None = None
    generation: int = 0
    redriven: bool = False
    reason: str = ""

    @property
    def row(self) -> Row:
        """The command's row in the table."""
        return row_of(self.command)

    @property
    def way(self) -> Way | None:
        """How the intent is sent."""
        return next((way for way in self.row.ways if self.intent and way.operation == self.intent.operation), None)

    @property
    def intended(self) -> Intent:
        """The intent, where there must be one."""
        if self.intent is None:
            raise AssertionError("nothing is intended")
        return self.intent

    @property
    def may_repeat(self) -> bool:
        """Whether sending it once more is safe although nobody answered."""
        return self.way is not None and self.way.safe is not Safe.NOTHING

    def failed(self, reason: str, now: float) -> None:
        """Something did not work: it is tried again."""
        self.reason = reason
        self.failures += 1
        if self.failing_since is None:
            self.failing_since = now

    def unreachable(self, reason: str) -> None:
        """The POS cannot be asked, by nobody: it is not this command that fails."""
        self.reason, self.failing_since = reason, None
        self.failures += 1

    def prepared(self, way: Way) -> None:
        """It is known how to send it. While nothing was sent, what failed was only looking."""
        self.intent = self._plan(way)
        if self.attempts == 0:
            self.failures, self.failing_since = 0, None

    def _plan(self, way: Way) -> Intent:
        """What is to be sent, and how its order stands before. Attempt, id and time are set when it leaves."""
        command, order = self.command, self.order or {}
        return Intent(
            command_id=command.id,
            command=command.name,
            key=command.key,
            offset=self.offset,
            digest=command.digest,
            operation=way.operation,
            order_id=str(order.get("orderId") or ""),
            ext_order_id=command.ext_order_id or str(order.get("extOrderId") or ""),
            idempotency_key=idempotency_key(command, self.generation) if way.safe is Safe.KEY else "",
            before=self.row.note(command, self.order) | ({"absent": True} if self.absent else {}),
            attempt=self.attempts,
            id="",
            at="",
            generation=self.generation,
        )

    def replied(self, reply: Reply, now: float) -> None:
        """A call has ended, or nobody knows."""
        self.reply = reply
        if reply.kind in (Kind.NOT_SENT, Kind.MISSING):
            self.attempts -= 1
        self.silent_since = now if reply.kind is Kind.SILENT else None
        if reply.kind is Kind.ANSWERED:
            self.failures, self.failing_since = 0, None
        elif reply.kind is Kind.NOT_SENT:
            self.unreachable(reply.text)
        else:
            self.failed(reply.text, now)

    def start_over(self) -> None:
        """What was sent is proven not done, or cannot be sent that way: another INTENT is needed."""
        self.intent = self.reply = None
        self.generation += self.redriven
        self.redriven = False

    def repeat(self) -> None:
        """The same INTENT once more: its `before` stays, for the call before may still be at work."""
        if self.order is None and not self.row.found:
            self.intent = replace(self.intended, before={**self.intended.before, "absent": True})
        self.reply = None

    def ends(self, outcome: Outcome, reason: str, message: str = "", *, reconciled: bool = False, **documents: str) -> Ending:
        """How it ends, with the order as far as it is known."""
        order, answer = self.order or {}, self.reply.answer if self.reply else None
        told = self.intent.order_id if self.intent else ""
        return Ending(
            outcome,
            reason,
            message,
            str(order.get("orderId") or (answer.order_id if answer else "") or told),
            str(order.get("extOrderId") or ""),
            documents.get("invoice_id") or (answer.invoice_id if answer else ""),
            documents.get("packing_slip_id") or (answer.packing_slip_id if answer else ""),
            order.get("syncMarker"),
            self.attempts,
            reconciled,
            self.intent if outcome is Outcome.UNKNOWN else None,
        )
