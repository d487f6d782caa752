"""What happens inside the connector, said once. Log, metrics and status listen.

Durations are in seconds; `unread_since` is the monotonic time at which the oldest unread change was first known; markers are
sync markers; `entity` is the name in the singular (`order`).
"""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Event:
    """Base of all events."""


@dataclass(frozen=True, slots=True)
class ListenerFailed(Event):
    """A listener raised: what it was told is lost to it, and to nobody else. `reason`: the error, in a line."""

    listener: str
    reason: str


Listener = Callable[[Event], None]
