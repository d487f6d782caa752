"""Seeing what happens: log, metrics, status, health. Only listens to events."""

import contextlib
from collections.abc import Sequence

from connector.events import Event, Listener


def fan_out(listeners: Sequence[Listener]) -> Listener:
    """One listener that tells all of them, in order. What one of them raises (a full disk, a closed stderr) stops nobody."""

    def tell(event: Event) -> None:
        for listener in listeners:
            with contextlib.suppress(Exception):
                listener(event)

    return tell
