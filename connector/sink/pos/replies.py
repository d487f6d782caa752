"""What came back from a call, classified once: an answer of the POS, or silence. Pure."""

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from enum import Enum

from connector.errors import AccessDenied, ConnectorError, NotSent, Refused, Retry, Unanswered, UnknownOperation
from connector.mplus.responses.answers import OrderAnswer


class Kind(Enum):
    """What became of a call."""

    ANSWERED = "answered"
    FAILED = "failed"  # a fault of the POS ended the call: it may have been carried out
    DENIED = "denied"  # a fault of the POS: it lets nobody in with this ident and secret
    REFUSED = "refused"  # a fault of the POS: the request is wrong, or not for this administration
    MISSING = "missing"  # a fault of the POS: it does not know this operation
    SILENT = "silent"  # all else: it may have been carried out, or still be at work
    NOT_SENT = "not sent"


@dataclass(frozen=True, slots=True)
class Reply:
    """`text` is for people; `answer` only of ANSWERED; `after`: seconds that something asked to wait, or None."""

    kind: Kind
    text: str = ""
    answer: OrderAnswer | None = None
    after: float | None = None

    @property
    def code(self) -> str:
        """The answer's result code, or empty."""
        return self.answer.code if self.answer else ""

    @property
    def unpaid(self) -> bool:
        """Whether the answer says of an order's payments that they were not booked, whatever its own code."""
        code = self.answer.payment_code if self.answer else ""
        return bool(code) and not code.endswith("-OK")


SILENCE = Reply(Kind.SILENT, "the worker that sent it is gone")
ANSWERS = (Kind.ANSWERED, Kind.REFUSED, Kind.MISSING)
REPLIES: Sequence[tuple[type[Exception], Kind]] = (
    (NotSent, Kind.NOT_SENT),
    (Unanswered, Kind.SILENT),
    (Retry, Kind.FAILED),
    (AccessDenied, Kind.DENIED),
    (UnknownOperation, Kind.MISSING),
    (Refused, Kind.REFUSED),
    (Exception, Kind.SILENT),  # whatever it was: nobody can say that the call was not made
)
"""What came back, classified; the first row that fits. See PosClient.change for what each error says."""


async def replied(call: Awaitable[OrderAnswer]) -> Reply:
    """The call's reply, whatever becomes of it."""
    try:
        answer = await call
    except Exception as error:
        kind = next(kind for kind_of_error, kind in REPLIES if isinstance(error, kind_of_error))
        text = str(error) if isinstance(error, ConnectorError) else f"the call failed ({type(error).__name__})"
        return Reply(kind, text, after=getattr(error, "after", None))
    return Reply(Kind.ANSWERED, answer.message, answer)
