"""What an HTTP answer is: to a call that reads its status decides first, to one that changes something its body alone."""

from connector.errors import AccessDenied, Refused, Retry, Unanswered
from connector.mplus.faults import DENIED, retry_after
from connector.mplus.operations import OPERATIONS
from connector.mplus.response import Answer
from connector.mplus.responses.answers import OrderAnswer, read_answer
from connector.mplus.responses.document import PageError
from connector.mplus.responses.envelope import FaultError, read_fault

FAULT_BYTES_MAX = 1 << 20

ORDER_BYTES_MAX = 16 << 20
"""Bytes of an answer that holds one order."""


async def refuse_failures(answer: Answer) -> None:
    """Raises what any status but 200 means: AccessDenied, Refused, Retry with the wait that was asked for, FaultError."""
    if answer.status == 200:
        return
    if answer.status in (401, 403):
        raise AccessDenied(f"{DENIED} (HTTP {answer.status}, if not from something between)", str(answer.status))
    if answer.status == 413:
        raise Refused("the request is larger than the POS takes (HTTP 413)", "413")
    after = retry_after(answer.retry_after)
    if answer.status in (429, 503):
        raise Retry(f"the POS asks to wait (HTTP {answer.status})", after=after)
    refuse_fault(await answer.whole(FAULT_BYTES_MAX), after)
    raise Retry(f"the POS answered HTTP {answer.status} without a SOAP fault", after=after)


def refuse_fault(body: bytes, after: float | None = None) -> None:
    """Raises FaultError where the body is a SOAP fault."""
    if len(body) <= FAULT_BYTES_MAX and (told := read_fault(body)) is not None:
        fault = FaultError(*told)
        fault.after = after
        raise fault


async def take_any(answer: Answer) -> None:
    """The body decides, whatever the status."""


async def answer_of_the_pos(operation: str, answer: Answer) -> OrderAnswer:
    """What the POS says to a call that changes something. Raises FaultError, or Unanswered for what may not be its own word."""
    try:
        return read_answer(await answer.whole(ORDER_BYTES_MAX), OPERATIONS[operation].response)
    except FaultError as error:
        error.after = retry_after(answer.retry_after)
        raise
    except PageError as error:
        what = f"{operation}: HTTP {answer.status} is no answer of the POS ({error})"
        raise Unanswered(what, after=retry_after(answer.retry_after)) from None
