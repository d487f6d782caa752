"""Seeing what happens: log, metrics, status, health. Only listens to events."""

from collections.abc import Sequence

from connector.events import Event, Listener, ListenerFailed
from connector.ops.wording import in_a_line


class FanOut:
    """Tells all listeners, in order. What one of them raises stops nobody: the others are told of it as an event."""

    def __init__(self, listeners: Sequence[Listener]) -> None:
        self._listeners = list(listeners)
        self._telling_of_failure = False

    def __call__(self, event: Event) -> None:
        """Tell of an event. Raises nothing."""
        for listener in self._listeners:
            try:
                listener(event)
            except Exception as error:
                self._failed(listener, error)

    def _failed(self, listener: Listener, error: Exception) -> None:
        if self._telling_of_failure:  # it fails on this news, too: else it would go round for ever
            return
        self._telling_of_failure = True
        try:
            self(ListenerFailed(_named(listener), in_a_line(error)))
        finally:
            self._telling_of_failure = False


def fan_out(listeners: Sequence[Listener]) -> Listener:
    """One listener that tells all of them, in order. What one of them raises (a full disk, a defect) stops nobody."""
    return FanOut(listeners)


def _named(listener: Listener) -> str:
    return getattr(listener, "__qualname__", type(listener).__name__)
