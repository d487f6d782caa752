"""What commands of a partition are worked on with."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from connector.clock import Clock
from connector.events.base import Listener
from connector.sink.ledger.ledger import Intent, Ledger
from connector.sink.pos.calls import Calls

MISSING_FOR_S = 3600.0
"""After so long an operation that the administration lacked is tried again: a POS is brought up to date."""


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Seconds. `answer`: how long the POS may be at work on a call that nobody answers; `unknown`: until a command that
    alone always fails is given up. At most: `pause` between two tries, `look` between two looks for a call that may be at work,
    `retry_after` if the POS asks to wait. `ledger`: how long it remembers.
    """

    answer: float = 600.0
    unknown: float = 900.0
    pause: float = 15.0
    look: float = 30.0
    retry_after: float = 300.0
    ledger: float = 30 * 24 * 3600.0


class MissingOperations:
    """The operations that an administration does not have, each for a while."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}

    def add(self, operation: str, now: float) -> None:
        """The POS says so, at this moment (monotonic)."""
        self._until[operation] = now + MISSING_FOR_S

    def has(self, operation: str, now: float) -> bool:
        """Whether the POS has said so lately."""
        return self._until.get(operation, now) > now


@dataclass(frozen=True, slots=True)
class SinkContext:
    """What the commands of a partition share.

    `intend` commits an INTENT; `prove` raises Fenced where this worker is no longer the owner; `slots` bound what is asked of
    the POS at once; `missing`: operations that this administration does not have. `partitions`: of the command topic; None: a
    command may lie in any.
    """

    administration: str
    calls: Calls
    ledger: Ledger
    intend: Callable[[Intent, str], Awaitable[None]]
    prove: Callable[[], Awaitable[None]]
    slots: asyncio.Semaphore
    missing: MissingOperations
    deadlines: Deadlines
    tell: Listener
    clock: Clock
    partitions: int | None = None
