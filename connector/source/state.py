"""How a shard stands: its state and its failures in a row, and what listeners hear of it."""

from collections.abc import Iterator
from contextlib import contextmanager

from connector.backoff import backoff
from connector.clock import Clock
from connector.errors import Reject, Retry
from connector.events.base import Listener
from connector.events.source import (
    DeadLettered,
    GapsCounted,
    HeadSeen,
    HeadUnknown,
    ItemsBelow,
    LateFound,
    PageCommitted,
    PageLimited,
    PageRead,
    ShardStarted,
    ShardStopped,
    StateChanged,
)
from connector.messages.position import State
from connector.source.bundles import Bundle
from connector.source.schedule import REFUSED_AGAIN_S

STOPPED_BEFORE = {State.PAUSED: "an operator paused it"}
"""Why a shard is stopped, where the state itself tells it."""

LONGEST_S = 300.0
"""Seconds that a POS may ask us to stay away, at most: it may have meant milliseconds, and operators wait."""

SLIPS = 2
"""Refusals in a row that may be slips: a POS may call its own fault one of the client."""

SLIP_AGAIN_S = 2.0
"""Seconds until what may have been refused by a slip is tried again."""

BROKEN_PAUSE_MAX_S = 60.0
"""Between two tries of what fails as nobody foresaw, at most."""


class ShardState:
    """The state of one entity of one administration; outlives its pollers."""

    def __init__(self, where: tuple[str, str], state: State, tell: Listener, clock: Clock) -> None:
        self.state = state
        self._where = where
        self._tell = tell
        self._clock = clock
        self._failures = 0
        self._refusals = 0
        self._breaks = 0
        self._unknown: float | None = None
        self._refused = self._why = ""
        self._pause_until = float("-inf")

    @contextmanager
    def shown(self, marker: int, state: State) -> Iterator[None]:
        """While inside, this worker reads the shard, from this marker on and in this state."""
        self.state, self._unknown = state, None
        self._tell(ShardStarted(*self._where, marker, state))
        if state.stopped:
            reason = STOPPED_BEFORE.get(state) or self._why or "it stopped before this worker took over"
            self._tell(StateChanged(*self._where, state, reason))
        try:
            yield
        finally:
            self._tell(ShardStopped(*self._where))

    def explain(self, reason: str) -> None:
        """Why it is stopped, for when it is shown."""
        self._why = reason

    def change(self, state: State, reason: str = "") -> None:
        """Into another state; one that only an operator ends stays, unless the POS turns out to be restored."""
        if state is not self.state and (not self.state.stopped or state is State.HEAD_REGRESSED):
            self.state, self._why = state, reason
            self._tell(StateChanged(*self._where, state, reason))

    def advise(self, reason: str) -> None:
        """The entity is read, and an operator should know this."""
        self._tell(StateChanged(*self._where, self.state, reason))

    def recovered(self) -> None:
        """The POS answered."""
        self._failures = self._refusals = 0
        self.change(State.RUNNING)

    def failed(self, error: Retry | Reject) -> float:
        """The POS did not give what was asked: seconds to wait before asking again."""
        if isinstance(error, Reject):
            self._refusals += 1
            self.change(State.UNAVAILABLE, str(error))
            return REFUSED_AGAIN_S if self._refusals > SLIPS else min(SLIP_AGAIN_S, REFUSED_AGAIN_S)
        self._failures += 1
        self.change(State.UNREACHABLE, str(error))
        return max(min(error.after or 0.0, LONGEST_S), backoff(self._failures, self._clock.chance()))

    def broken(self, reason: str) -> float:
        """What nobody foresaw ended the poller, or its topic refuses: seconds to wait before it is tried again."""
        self._breaks += 1
        self.change(State.FAILED, reason)
        return min(BROKEN_PAUSE_MAX_S, 2.0 * backoff(self._breaks + 1, self._clock.chance()))

    def refused(self, reason: str) -> None:
        """Kafka does not take what the shard publishes: it waits, while others on its partition go on."""
        self._refused = reason
        self._pause_until = self._clock.monotonic() + self.broken(reason)

    def refused_for(self) -> float:
        """Seconds to wait before it is tried again, told anew."""
        seconds = max(0.0, self._pause_until - self._clock.monotonic())
        if seconds:
            self.change(State.FAILED, self._refused)
        return seconds

    def head(self, head: int, position: int, unread_since: float | None) -> None:
        """The POS told its head."""
        self._unknown = None
        self._tell(HeadSeen(*self._where, head, position, unread_since))

    def head_unknown(self, since: float | None = None) -> None:
        """The POS did not tell its head, since this monotonic time (None: now), or is not believed."""
        if self._unknown is None:
            self._unknown = self._clock.monotonic() if since is None else since
            self._tell(HeadUnknown(*self._where, self._unknown))

    def read(self, asked: int, items: int, seconds: float) -> None:
        """A page came."""
        self._tell(PageRead(*self._where, asked, items, seconds))

    def below(self, asked: int, items: int) -> None:
        """The POS showed items below what it was asked for."""
        if items:
            self._tell(ItemsBelow(*self._where, asked, items))

    def limited(self, limit: int, reason: str) -> None:
        """The next page is smaller, or larger again."""
        self._tell(PageLimited(*self._where, limit, reason))

    def gaps(self, still_open: int, expired: int) -> None:
        """Gaps: so many markers are waited for, and so many no longer."""
        self._tell(GapsCounted(*self._where, still_open, expired))

    def committed(self, bundle: Bundle, seconds: float, unread_since: float | None) -> None:
        """A bundle is in Kafka."""
        self._breaks = 0
        for letter in bundle.letters:
            self._tell(DeadLettered(*self._where, letter.stage, letter.marker, letter.reason))
        marker, letters = bundle.position.marker, len(bundle.letters)
        self._tell(PageCommitted(*self._where, marker, bundle.items, letters, seconds, unread_since))
        if bundle.late:
            self._tell(LateFound(*self._where, bundle.items))
