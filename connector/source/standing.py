"""How a shard stands: its state and its failures in a row, and what listeners hear of it."""

from collections.abc import Iterator
from contextlib import contextmanager

from connector.backoff import backoff
from connector.clock import Clock
from connector.errors import Reject, Retry
from connector.events import DeadLettered, Listener, PageCommitted, ShardStarted, ShardStopped, StateChanged
from connector.source.bundles import Bundle
from connector.source.schedule import REFUSED_AGAIN, State

STOPPED_BEFORE = {State.PAUSED: "an operator paused it"}
"""Why a shard is stopped, where the state itself tells it."""

LONGEST = 300.0
"""Seconds that a POS may ask us to stay away, at most: it may have meant milliseconds, and operators wait."""


class Standing:
    """Of one entity of one administration."""

    def __init__(self, where: tuple[str, str], state: State, tell: Listener, clock: Clock) -> None:
        self.state = state
        self._where = where
        self._tell = tell
        self._clock = clock
        self._failures = 0

    @contextmanager
    def shown(self, marker: int) -> Iterator[None]:
        """While inside, this worker reads the shard, from this marker on."""
        self._tell(ShardStarted(*self._where, marker, self.state))
        if self.state.stopped:
            reason = STOPPED_BEFORE.get(self.state, "it stopped before this worker took over")
            self._tell(StateChanged(*self._where, self.state, reason))
        try:
            yield
        finally:
            self._tell(ShardStopped(*self._where))

    def change(self, state: State, reason: str = "") -> None:
        """Into another state; one that only an operator ends stays, unless the POS turns out to be restored."""
        if state is not self.state and (not self.state.stopped or state is State.HEAD_REGRESSED):
            self.state = state
            self._tell(StateChanged(*self._where, state, reason))

    def recovered(self) -> None:
        """The POS answered."""
        self._failures = 0
        self.change(State.RUNNING)

    def failed(self, error: Retry | Reject) -> float:
        """The POS did not give what was asked: seconds to wait before asking again."""
        if isinstance(error, Reject):
            self.change(State.UNAVAILABLE, str(error))
            return REFUSED_AGAIN
        self._failures += 1
        self.change(State.UNREACHABLE, str(error))
        return max(min(error.after or 0.0, LONGEST), backoff(self._failures, self._clock.chance()))

    def committed(self, bundle: Bundle, seconds: float, unread_since: float | None) -> None:
        """A bundle is in Kafka."""
        for letter in bundle.letters:
            self._tell(DeadLettered(*self._where, letter.stage, letter.marker, letter.reason))
        marker, letters = bundle.position.marker, len(bundle.letters)
        self._tell(PageCommitted(*self._where, marker, bundle.items, letters, seconds, unread_since))
