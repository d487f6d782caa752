"""What is done next with a command, for every reply, repeat safety, evidence and deadline: the table is the specification."""

from itertools import product
from typing import Any

import pytest

from connector.messages.result import Outcome
from connector.sink.commands.spec import DONE, NOT_DONE, Meaning, Reconciled, RepeatSafety, unclear
from connector.sink.decisions import LOOK_AGAIN_S, LOOKS_MAX, Case, End, Look, Prepare, Resend, Step, decide
from connector.sink.pos.replies import Kind

NO_ANSWER = [Kind.SILENT, Kind.FAILED, Kind.DENIED, Kind.NOT_SENT]
UNSAFE, SAFE = RepeatSafety.NONE, [safety for safety in RepeatSafety if safety is not RepeatSafety.NONE]
WHOSE, ASK = unclear("whose it is"), unclear("whose it is", ask_again=True)
AT_WORK, OVER = 417.0, 0.0


def ends(step: Step, outcome: Outcome) -> bool:
    """Whether the command has ended so."""
    return isinstance(step, End) and step.outcome is outcome


def case(kind: Kind, found: Reconciled | None = None, unanswered_s: float = OVER, **more: object) -> Case:
    """A command after its first call; the answer's code means LOOK unless it is said otherwise."""
    return Case(kind, found=found, unanswered_s=unanswered_s, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("unanswered_s", [OVER, AT_WORK])
@pytest.mark.parametrize("found", [None, DONE, NOT_DONE, WHOSE])
def test_an_answer_that_says_done_ends_at_once(found: Reconciled | None, unanswered_s: float) -> None:
    """Whatever else is at work."""
    step = decide(case(Kind.ANSWERED, found, unanswered_s, meaning=Meaning.SUCCEEDED, code="OK"))
    assert step == End(Outcome.SUCCEEDED, "OK", "")


@pytest.mark.parametrize(("kind", "safety"), list(product(Kind, RepeatSafety)))
@pytest.mark.parametrize("unanswered_s", [OVER, AT_WORK])
@pytest.mark.parametrize("alone", ["", "it alone fails"])
def test_an_order_that_shows_it_done_ends_at_once(kind: Kind, safety: RepeatSafety, unanswered_s: float, alone: str) -> None:
    """Whatever the reply was."""
    step = decide(case(kind, DONE, unanswered_s, safety=safety, attempts=2, alone=alone))
    assert isinstance(step, End)
    assert (Outcome.SUCCEEDED, True) == (step.outcome, step.reconciled)


NOES = [
    case(Kind.ANSWERED, meaning=Meaning.REJECTED, code="PAYMENT-INSUFFICIENT"),
    case(Kind.ANSWERED, code="FAILED"),
    case(Kind.ANSWERED, code="FAILED", own=False),
    case(Kind.REFUSED),
    case(Kind.MISSING, attempts=1),
    case(Kind.SILENT, alone="it alone fails"),
    case(Kind.FAILED, alone="it alone fails"),
]


@pytest.mark.parametrize("no", NOES)
@pytest.mark.parametrize("found", [None, NOT_DONE, WHOSE, ASK])
@pytest.mark.parametrize("safety", RepeatSafety)
def test_no_is_not_final_beside_a_call_at_work(no: Case, found: Reconciled | None, safety: RepeatSafety) -> None:
    """Rejected and unknown alike: another call of this command may still be carried out, so it is looked for until it cannot."""
    step = decide(_with(no, found=found, unanswered_s=AT_WORK, safety=safety))
    assert step == Look(AT_WORK if found else 0.0)


@pytest.mark.parametrize("kind", NO_ANSWER)
@pytest.mark.parametrize("unanswered_s", [OVER, AT_WORK])
def test_what_is_safe_is_sent_again(kind: Kind, unanswered_s: float) -> None:
    """The same INTENT, also beside a call at work; a redrive is not, for it gets another key."""
    for safety in SAFE:
        assert decide(case(kind, NOT_DONE, unanswered_s, safety=safety)) == Resend()
        expected: Step = Look(AT_WORK) if unanswered_s else Prepare()
        assert decide(case(kind, NOT_DONE, unanswered_s, safety=safety, redriven=True)) == expected


@pytest.mark.parametrize("kind", NO_ANSWER)
def test_what_nothing_makes_safe_waits(kind: Kind) -> None:
    """Looked for while it can be at work; then proven not done by a fresh look, and sent anew."""
    assert [Look(0.0), Look(AT_WORK)] == [decide(case(kind, found, AT_WORK, safety=UNSAFE)) for found in (None, NOT_DONE)]
    assert Prepare() == decide(case(kind, NOT_DONE, OVER, safety=UNSAFE))


def test_what_never_left_begins_anew() -> None:
    """Without looking at what it did; once another call of it was sent, that one is looked for."""
    assert [Prepare(), Look()] == [decide(case(Kind.NOT_SENT, attempts=attempts)) for attempts in (0, 1)]


@pytest.mark.parametrize("kind", Kind)
def test_what_is_unclear_is_unknown(kind: Kind) -> None:
    """Unless repeating can do no harm and tells more: that ends with the first answer."""
    more: dict[str, Any] = {"attempts": 2, "meaning": Meaning.LOOK, "safety": RepeatSafety.IDEMPOTENCY_KEY}
    step = decide(case(kind, WHOSE, **more))
    assert ends(step, Outcome.UNKNOWN)
    assert "whose it is" == getattr(step, "message", "")
    answered = kind in (Kind.ANSWERED, Kind.REFUSED, Kind.MISSING)
    again = decide(case(kind, ASK, **more))
    assert ends(again, Outcome.UNKNOWN) if answered else again == Resend()


def test_a_no_of_the_pos_is_believed_once_nothing_was_done() -> None:
    """By its meaning alone where it was the only call; else after looking."""
    rejected: dict[str, Any] = {"meaning": Meaning.REJECTED, "code": "PAYMENT-INSUFFICIENT"}
    assert decide(case(Kind.ANSWERED, **rejected)) == End(Outcome.REJECTED, "PAYMENT-INSUFFICIENT")
    assert decide(case(Kind.ANSWERED, NOT_DONE, **rejected)) == End(Outcome.REJECTED, "PAYMENT-INSUFFICIENT", reconciled=True)
    assert Look() == decide(case(Kind.ANSWERED, code="FAILED"))
    assert ends(decide(case(Kind.ANSWERED, NOT_DONE, code="FAILED")), Outcome.REJECTED)
    assert [Look(), True] == [decide(case(Kind.REFUSED)), ends(decide(case(Kind.REFUSED, NOT_DONE)), Outcome.REJECTED)]


def test_a_lost_race_is_run_again() -> None:
    """Where the producer named no changeCounter: also beside a call that carries an older one."""
    for unanswered_s in (OVER, AT_WORK):
        lost = case(Kind.ANSWERED, NOT_DONE, unanswered_s, code="HAS-CHANGED", safety=RepeatSafety.OPTIMISTIC_LOCK, again=True)
        assert decide(lost) == Prepare()


@pytest.mark.parametrize("last", [False, True])
def test_an_operation_that_is_missing_gives_way(last: bool) -> None:
    """To the older one, at once where nothing else was sent; without an older one the command is rejected."""
    for step in (
        decide(case(Kind.MISSING, attempts=0, last_variant=last)),
        decide(case(Kind.MISSING, NOT_DONE, attempts=1, last_variant=last)),
    ):
        assert ends(step, Outcome.REJECTED) if last else step == Prepare(paused=False, other=True)
    assert Look() == decide(case(Kind.MISSING, attempts=1, last_variant=last))


def test_an_answer_that_names_another_order_is_no_success() -> None:
    """Not done is unknown then: the POS confused something."""
    assert Look() == decide(case(Kind.ANSWERED, meaning=Meaning.SUCCEEDED, own=False))
    assert ends(decide(case(Kind.ANSWERED, NOT_DONE, meaning=Meaning.SUCCEEDED, own=False)), Outcome.UNKNOWN)


def test_a_command_that_alone_fails_is_given_up() -> None:
    """However safe it were to repeat it."""
    for kind, safety in product(NO_ANSWER, RepeatSafety):
        step = decide(case(kind, NOT_DONE, safety=safety, alone="it alone fails again and again"))
        assert (ends(step, Outcome.UNKNOWN), "it alone fails again and again") == (True, getattr(step, "message", ""))


@pytest.mark.parametrize("kind", list(Kind))
def test_what_is_unclear_is_looked_at_again_before_that_is_believed(kind: Kind) -> None:
    """A POS need not show the same each time; but not for ever."""
    steps = [decide(case(kind, WHOSE, looks=looks)) for looks in range(LOOKS_MAX + 1)]
    assert [Look(LOOK_AGAIN_S)] * LOOKS_MAX == steps[:-1]
    assert ends(steps[-1], Outcome.UNKNOWN)


@pytest.mark.parametrize("found", [NOT_DONE, WHOSE, ASK])
def test_the_only_call_is_rejected_where_the_pos_refused_it(found: Reconciled) -> None:
    """Whatever the order leaves out; where a call before may have done it, that is unknown, and done where the order shows it."""
    refused = case(Kind.ANSWERED, found, meaning=Meaning.REFUSED, code="EXISTS")
    assert ends(decide(refused), Outcome.REJECTED)
    assert ends(decide(_with(refused, found=DONE)), Outcome.SUCCEEDED)
    assert isinstance(decide(_with(refused, unanswered_s=AT_WORK)), Look)
    assert ends(decide(_with(refused, attempts=2)), Outcome.REJECTED if found is NOT_DONE else Outcome.UNKNOWN)


EVERY_CASE = product(
    Kind, Meaning, [None, DONE, NOT_DONE, WHOSE, ASK], [OVER, AT_WORK], RepeatSafety, [0, 1, 2], [True, False], [True, False]
)


def test_nothing_unsafe_is_ever_sent_beside_a_call_at_work() -> None:
    """Over all cases: whatever is sent is safe, or nothing is at work and it is proven not done."""
    for kind, meaning, found, unanswered_s, safety, attempts, own, redriven in EVERY_CASE:
        more: dict[str, Any] = {"attempts": attempts, "own": own, "redriven": redriven, "last_variant": False}
        step = decide(case(kind, found, unanswered_s, meaning=meaning, safety=safety, **more))
        if isinstance(step, Resend | Prepare) and attempts:
            assert found in (NOT_DONE, ASK)
            assert not unanswered_s or safety is not UNSAFE
            assert not (redriven and isinstance(step, Resend))


def _with(this: Case, **changes: object) -> Case:
    return Case(**{name: getattr(this, name) for name in Case.__slots__} | changes)
