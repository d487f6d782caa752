"""Seeing what happens: log, metrics, status, health. Only listens to events."""

from collections.abc import Sequence

from connector.events import Event, Listener


def fan_out(listeners: Sequence[Listener]) -> Listener:
    """One listener that tells all of them, in order."""

    def tell(event: Event) -> None:
        for listener in listeners:
            listener(event)

    return tell
