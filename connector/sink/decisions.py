"""What to do next with a command whose call has come back, or never will. Pure: the executor only does what is said here.

Read as a specification:

- An answer of the POS that says "done" ends the command at once. So does an order that shows it done.
- What the POS refuses, the only call of a command, is rejected, unless the order shows it done.
- A "no" of any kind is final only when no unanswered call of this command can be at work any more. Until then: look again.
- A call is repeated beside one that may be at work only where the command's repeat safety says that this is harmless.
- What is proven not done is done again, with a new INTENT, after a fresh look. What is unclear is looked at again, a few
  times, for a POS need not show the same each time; then it ends as `unknown`.
- A command that alone fails again and again, while the POS carries others out, is sent no more.
"""

from dataclasses import dataclass

from connector.messages.result import CLIENT_FAULT, OUTCOME_UNKNOWN, Outcome
from connector.sink.commands.spec import Meaning, Reconciled, RepeatSafety, Verdict
from connector.sink.pos.replies import Kind

NO_SUCH_OPERATION = "this administration lacks the operation that could do this"
ANOTHERS = "the POS answered for another order"
LOOKS_MAX, LOOK_AGAIN_S = 3, 1.0
"""How often an unclear order is looked at before that is believed, and how long to wait between two looks, at most."""


@dataclass(frozen=True, slots=True)
class Case:
    """What is known of a command since its last call.

    `kind`, `meaning`, `code`, `text`: of the reply; `own`: it names no other order. `found`: what the order showed since, None
    before looking. `looks`: how often it was looked at since then, while no call could be at work. `unanswered_s`: seconds
    until no unanswered call of this command can be at work; 0 where none can. `again`: a lost race for the lock may be run
    once more. `alone`: why this command is given up, empty where it is not.
    """

    kind: Kind
    meaning: Meaning = Meaning.LOOK
    code: str = ""
    text: str = ""
    own: bool = True
    found: Reconciled | None = None
    looks: int = LOOKS_MAX
    safety: RepeatSafety = RepeatSafety.NONE
    unanswered_s: float = 0.0
    attempts: int = 1
    last_variant: bool = True
    again: bool = False
    redriven: bool = False
    alone: str = ""

    @property
    def at_work(self) -> bool:
        """Whether a call that nobody answered may still be carried out."""
        return self.unanswered_s > 0

    @property
    def answered(self) -> bool:
        """Whether the POS said what became of the last call: an answer, or that it will not take it."""
        return self.kind in (Kind.ANSWERED, Kind.REFUSED, Kind.MISSING)


@dataclass(frozen=True, slots=True)
class End:
    """The command has ended. `reason`: empty for the code that says it was done; `reconciled`: looking decided."""

    outcome: Outcome
    reason: str = ""
    message: str = ""
    reconciled: bool = False


@dataclass(frozen=True, slots=True)
class Look:
    """Wait at most so many seconds, then look at the order."""

    within_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Resend:
    """Wait, then the same INTENT once more."""


@dataclass(frozen=True, slots=True)
class Prepare:
    """Wait where `paused`, then begin anew: look, and make another INTENT. `other`: of the next variant."""

    paused: bool = True
    other: bool = False


Step = End | Look | Resend | Prepare


def decide(case: Case) -> Step:
    """The next step."""
    if case.kind is Kind.ANSWERED and case.own and case.meaning is Meaning.SUCCEEDED:
        return End(Outcome.SUCCEEDED, case.code, case.text)
    if not case.at_work and (step := _without_looking(case)):
        return step
    return Look() if case.found is None else _after_looking(case, case.found)


def _after_looking(case: Case, found: Reconciled) -> Step:
    if found.verdict is Verdict.DONE:
        return End(Outcome.SUCCEEDED, case.code, case.text if case.code else "", reconciled=True)
    if case.at_work and not _may_send_beside(case, found):
        return Look(case.unanswered_s)
    if case.alone:
        return End(Outcome.UNKNOWN, OUTCOME_UNKNOWN, case.alone, reconciled=True)
    return _unclear(case, found) if found.verdict is Verdict.UNCLEAR else _not_done(case)


def _without_looking(case: Case) -> Step | None:
    """What the reply says by itself, when no other call of this command can be at work."""
    if case.kind is Kind.MISSING and not case.attempts:
        return _other_variant(case)
    if case.kind is Kind.ANSWERED and case.own and case.meaning is Meaning.REJECTED and case.found is None:
        return End(Outcome.REJECTED, case.code, case.text)
    if case.kind is Kind.NOT_SENT and not case.attempts:
        return Prepare()
    return None


def _may_send_beside(case: Case, found: Reconciled) -> bool:
    """Whether the call may be repeated while another of this command is at work."""
    useful = (found.verdict is Verdict.NOT_DONE or found.ask_again) and (case.again or not case.answered)
    return useful and case.safety is not RepeatSafety.NONE and not case.alone and not case.redriven


def _unclear(case: Case, found: Reconciled) -> Step:
    if found.ask_again and not case.answered and not case.redriven:
        return Resend()
    if case.meaning is Meaning.REFUSED and case.own and case.attempts == 1 and not case.again:
        return End(Outcome.REJECTED, case.code, case.text, reconciled=True)
    if case.looks < LOOKS_MAX:
        return Look(LOOK_AGAIN_S)
    return End(Outcome.UNKNOWN, OUTCOME_UNKNOWN, found.why, reconciled=True)


def _not_done(case: Case) -> Step:
    """Proven not done: rejected, if that is what the reply said; else once more."""
    if case.kind is Kind.ANSWERED and not case.own:
        return End(Outcome.UNKNOWN, OUTCOME_UNKNOWN, ANOTHERS, reconciled=True)
    if case.kind is Kind.ANSWERED:
        return Prepare() if case.again else End(Outcome.REJECTED, case.code, case.text, reconciled=True)
    if case.kind is Kind.REFUSED:
        return End(Outcome.REJECTED, CLIENT_FAULT, case.text, reconciled=True)
    if case.kind is Kind.MISSING:
        return _other_variant(case)
    repeatable = case.safety is not RepeatSafety.NONE and not case.redriven  # a redrive gets another idempotency key
    return Resend() if repeatable else Prepare()


def _other_variant(case: Case) -> Step:
    if case.last_variant:
        return End(Outcome.REJECTED, CLIENT_FAULT, case.text or NO_SUCH_OPERATION, reconciled=case.found is not None)
    return Prepare(paused=False, other=True)
