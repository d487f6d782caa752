"""Seeing what happens: log, metrics, status, health. Only listens to events."""

import contextlib
from collections.abc import Sequence

from connector.events.base import Event, Listener, ListenerFailed
from connector.ops.wording import in_a_line


class Watch:
    """Base of listeners that are also told which listeners fail."""

    def __call__(self, event: Event) -> None:
        """Take an event in."""
        raise NotImplementedError


class FanOut:
    """Tells all listeners, in order. What one of them raises (a full disk, a defect) stops nobody, and is told to the watches."""

    def __init__(self, listeners: Sequence[Listener]) -> None:
        self._listeners = list(listeners)
        self._watches = [listener for listener in listeners if isinstance(listener, Watch)]

    def __call__(self, event: Event) -> None:
        """Tell of an event. Raises nothing."""
        for listener in self._listeners:
            try:
                listener(event)
            except Exception as error:
                self._tell(ListenerFailed(_named(listener), in_a_line(error)))

    def _tell(self, failed: ListenerFailed) -> None:
        for watch in self._watches:
            with contextlib.suppress(Exception):  # one of them may be the one that fails
                watch(failed)


def fan_out(listeners: Sequence[Listener]) -> Listener:
    """One listener that tells all of them; see FanOut."""
    return FanOut(listeners)


def _named(listener: Listener) -> str:
    return getattr(listener, "__qualname__", type(listener).__name__)
