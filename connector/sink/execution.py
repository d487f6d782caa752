"""The execution of one command: what is known of it while it is worked on."""

from dataclasses import dataclass, field, replace

from connector.messages.command import Command
from connector.messages.result import Outcome
from connector.mplus.responses.answers import OrderAnswer
from connector.sink.blame import Trouble
from connector.sink.command_end import CommandEnd
from connector.sink.commands.spec import CommandSpec, Reconciled, RepeatSafety, Variant, idempotency_key
from connector.sink.commands.table import is_stranger, names_another, spec_of
from connector.sink.ledger.ledger import Intent
from connector.sink.pos.orders import Order
from connector.sink.pos.replies import Kind, Reply


@dataclass(slots=True)
class Execution:
    """The execution of one command. Times are monotonic seconds.

    `intent`: what is to be sent, or may have been; `reply`: what became of that; `order`: as last seen; `found`: what it shows
    about the INTENT's call, by a look that began at `found_at`; `looks`: how many there were since no call can be at work;
    `attempts`: calls that may have been sent. `unanswered_at`: the last time at which a call can have been sent that nobody
    answered, kept through all later replies until it is over; `unanswered_stamp`: the same for the ledger. `not_before`: the
    POS asked to wait until then. `redriven`: an operator asks again about an unknown outcome, and if it is proven not done the
    POS shall take it as new; `generation` counts those.
    """

    command: Command
    offset: int
    coordinates: str
    intent: Intent | None = None
    reply: Reply | None = None
    order: Order | None = None
    absent: bool = False
    found: Reconciled | None = None
    found_at: float = 0.0
    looks: int = 0
    attempts: int = 0
    unsent: bool = True
    pauses: int = 0
    not_before: float = 0.0
    unanswered_at: float | None = None
    unanswered_stamp: str = ""
    generation: int = 0
    redriven: bool = False
    trouble: Trouble = field(default_factory=Trouble)
    reason: str = ""

    @property
    def spec(self) -> CommandSpec:
        """What the table says of the command."""
        return spec_of(self.command)

    @property
    def intended(self) -> Intent:
        """The INTENT, where there must be one."""
        if self.intent is None:
            raise AssertionError("nothing is intended")
        return self.intent

    @property
    def answer(self) -> OrderAnswer | None:
        """The POS's answer to the last call, unless that is about another order."""
        answer = self.reply.answer if self.reply else None
        return (
            None if answer is not None and answer.order and names_another(self.command, self.intended, answer.order) else answer
        )

    @property
    def variant(self) -> Variant:
        """How the INTENT is sent."""
        return next(variant for variant in self.spec.variants if variant.operation == self.intended.operation)

    @property
    def safety(self) -> RepeatSafety:
        """Why repeating the INTENT's call is safe."""
        return self.spec.safety(self.command, self.intended, self.variant.safety)

    def unanswered_s(self, now: float, deadline: float) -> float:
        """Seconds until no unanswered call can be at work any more, as of a moment."""
        return 0.0 if self.unanswered_at is None else max(0.0, self.unanswered_at + deadline - now)

    def plan(self, variant: Variant) -> None:
        """Make the INTENT, with how the order stands before. Attempt, id and time are set when it leaves."""
        command, order = self.command, self.order or {}
        self.intent = Intent(
            command_id=command.id,
            command=command.name,
            key=command.key,
            offset=self.offset,
            digest=command.digest,
            operation=variant.operation,
            order_id=str(order.get("orderId") or "") if self.spec.looks_first else "",  # a creation names none
            ext_order_id=command.ext_order_id or str(order.get("extOrderId") or ""),
            idempotency_key=idempotency_key(command, self.generation) if variant.safety is RepeatSafety.IDEMPOTENCY_KEY else "",
            before=self.spec.snapshot(command, self.order) | ({"absent": True} if self.absent else {}),
            attempt=self.attempts,
            id="",
            at="",
            generation=self.generation,
        )
        self.reply = self.found = None

    def replied(self, reply: Reply, now: float, stamp: str, wait_s: float) -> None:
        """A call has ended, or nobody knows. `wait_s`: how long a POS may ask to wait, at most."""
        self.reply, self.found, self.looks, self.reason = reply, None, 0, reply.text
        if reply.kind in (Kind.NOT_SENT, Kind.MISSING):
            self.attempts -= 1
        else:
            self.unsent = False
        if reply.kind is Kind.SILENT:
            self.unanswered_at, self.unanswered_stamp = now, stamp
        if reply.after is not None:
            self.not_before = now + min(reply.after, wait_s)
        if reply.kind is Kind.ANSWERED:
            self.pauses, self.trouble = 0, Trouble()

    def saw(self, found: Reconciled, at: float, deadline: float) -> None:
        """What a look showed that began at a moment. After the deadline of an unanswered call nothing of it is open any more."""
        self.found, self.found_at = found, at
        if self.unanswered_s(at, deadline) == 0:
            self.looks += 1
            self.pauses = min(self.pauses, self.attempts)  # waiting for a call to be over is no failure
            self.unanswered_at, self.unanswered_stamp = None, ""

    def resend(self) -> None:
        """The same INTENT once more: its `before` stays, for the call before may still be at work."""
        absent = {"absent": True} if self.order is None and not self.spec.looks_first else {}
        self.intent = replace(self.intended, before={**self.intended.before, **absent, "resent": True})
        self.reply = self.found = None

    def renew(self) -> None:
        """What was sent is proven not done, or cannot be sent that way. A redrive is new to the POS, and not sent yet."""
        self.generation += self.redriven
        self.unsent = self.unsent or self.redriven
        self.redriven = False

    def ends(self, outcome: Outcome, reason: str, message: str = "", *, reconciled: bool = False, **documents: str) -> CommandEnd:
        """How it ends, with the order as far as it is known; never another order than its key's."""
        stranger = self.order is not None and is_stranger(self.command, self.intent, self.order)
        order = {} if stranger or self.order is None else self.order
        answer = self.answer
        planned = self.intent.order_id if self.intent else ""
        return CommandEnd(
            outcome,
            reason,
            message,
            str(order.get("orderId") or (answer.order_id if answer else "") or planned),
            str(order.get("extOrderId") or ""),
            documents.get("invoice_id") or (answer.invoice_id if answer else ""),
            documents.get("packing_slip_id") or (answer.packing_slip_id if answer else ""),
            order.get("syncMarker"),
            self.attempts,
            reconciled,
            self.intent if outcome is Outcome.UNKNOWN else None,
        )
