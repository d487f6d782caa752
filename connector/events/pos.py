"""What the client of the POS says: its calls."""

from dataclasses import dataclass

from connector.events.base import Event


@dataclass(frozen=True, slots=True)
class CallEvent(Event):
    """Something about calls of one operation."""

    administration: str
    operation: str


@dataclass(frozen=True, slots=True)
class CallBegan(CallEvent):
    """A call is about to be sent; a CallMade of the same number ends it."""

    number: int


@dataclass(frozen=True, slots=True)
class CallMade(CallEvent):
    """The POS answered, or did not: `fault` is empty, or the kind of failure. `cancelled`: we gave up, which tells nothing."""

    seconds: float
    fault: str
    number: int = 0
    cancelled: bool = False

    @property
    def answered(self) -> bool:
        """Whether it shows a POS that works: one that refuses this call does."""
        return not self.cancelled and self.fault in ("", "Refused", "UnknownOperation")


@dataclass(frozen=True, slots=True)
class PageDecoded(CallEvent):
    """A page came whole; `seconds` were spent decoding it, fetching apart."""

    seconds: float


@dataclass(frozen=True, slots=True)
class CallRetried(CallEvent):
    """A call is repeated; this is attempt number `attempt`, and `fault` the kind of failure of the one before."""

    attempt: int
    fault: str
