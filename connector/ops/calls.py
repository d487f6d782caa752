"""Whether the POS of each administration answers, kept from calls that begin and end."""

import math
from dataclasses import dataclass, field

from connector.events.pos import CallBegan, CallMade

HANGS_S = 60.0
"""Seconds after which a call under way counts as not answered, unless another one was answered since it began."""

HANGS = "NoAnswer"
"""The kind of failure of a call that is still under way."""

NEVER = -math.inf


@dataclass(frozen=True, slots=True)
class Outage:
    """Why a POS counts as not answering, and since when (monotonic seconds)."""

    kind: str
    since: float

    @property
    def words(self) -> str:
        """For an operator."""
        return "a call of the POS has no answer" if self.kind == HANGS else f"the last call of the POS failed ({self.kind})"


@dataclass(slots=True)
class _Pos:
    """`under_way`: when each call began, by its number. `unanswered_since`: that of calls that ended, since the last answer."""

    under_way: dict[int, float] = field(default_factory=dict)
    ended_at: float = NEVER
    answered_at: float = NEVER
    fault: str = ""
    unanswered_since: float = NEVER

    def ended(self, began: float, now: float, event: CallMade) -> None:
        """A call ended that began then. One that was given up here tells nothing but that it had hung, if it had."""
        hung = now - began > HANGS_S and self.answered_at <= began
        if event.cancelled and not hung:
            return
        self.ended_at = now
        if event.answered:
            self.answered_at, self.fault = now, ""
            return
        if not self.fault:
            self.unanswered_since = max(began, self.answered_at)
        self.fault = HANGS if event.cancelled else event.fault

    def outage(self, now: float) -> Outage | None:
        """The last call that ended was not answered, or one hangs and none was answered since it began."""
        if self.fault:
            return Outage(self.fault, self.unanswered_since)
        oldest = min((began for began in self.under_way.values() if began >= self.answered_at), default=now)
        if self.ended_at == NEVER or now - oldest > HANGS_S:
            return Outage(HANGS, oldest)
        return None


class Calls:
    """Listens to calls; times are monotonic seconds."""

    def __init__(self) -> None:
        self._of: dict[str, _Pos] = {}
        self._forgotten: set[tuple[str, int]] = set()

    def __call__(self, event: CallBegan | CallMade, now: float) -> None:
        """Take an event in, at this time."""
        call = (event.administration, event.number)
        if call in self._forgotten:
            self._forgotten.discard(call)
            return
        pos = self._of.setdefault(event.administration, _Pos())
        if isinstance(event, CallBegan):
            pos.under_way[event.number] = now
        else:
            pos.ended(pos.under_way.pop(event.number, now - event.seconds), now, event)

    def forget(self, administration: str) -> None:
        """Its calls are another worker's from now on; those under way go on here, and tell nothing more."""
        pos = self._of.pop(administration, _Pos())
        self._forgotten |= {(administration, number) for number in pos.under_way}

    def told(self, now: float, recent: float) -> dict[str, bool]:
        """Administrations with calls, and whether one is under way or ended within so many seconds."""
        return {name: bool(pos.under_way) or now - pos.ended_at < recent for name, pos in self._of.items()}

    def outage(self, administration: str, now: float) -> Outage | None:
        """The trouble of an administration, if it does not answer."""
        return self._of[administration].outage(now)

    def oldest(self, administration: str, now: float) -> float:
        """Seconds since the oldest call under way began; 0 where there is none."""
        return now - min(self._of[administration].under_way.values(), default=now)
