"""Equal lines of events are summed up."""

from collections.abc import Callable, Mapping

from connector.events.base import Event, ListenerFailed
from connector.events.commands import CommandsHeldBack, MessageRefused
from connector.events.kafka import PartitionFailed, Rejoining, TransactionEnded
from connector.events.pos import CallRetried
from connector.events.source import DeadLettered, ItemsBelow, LateFound, PageLimited, StateChanged
from connector.events.views import ViewsRecordRefused
from connector.ops import Watch
from connector.ops.libraries import sum_up_libraries
from connector.ops.log import line_of, write
from connector.ops.throttle import EVERY_S, LINES_MAX, Throttle

__all__ = ["ALIKE", "EVERY_S", "LINES_MAX", "FloodLog"]

ALIKE: Mapping[type[Event], tuple[str, ...]] = {
    StateChanged: ("administration", "state", "reason"),
    DeadLettered: ("administration", "entity", "stage"),
    LateFound: ("administration", "entity"),
    ItemsBelow: ("administration", "entity"),
    PageLimited: ("administration", "entity"),
    CallRetried: ("administration",),
    TransactionEnded: ("topic",),
    PartitionFailed: ("topic", "partition"),
    CommandsHeldBack: ("administration", "partition"),
    Rejoining: ("group",),
    MessageRefused: ("administration", "stage"),
    ListenerFailed: ("listener",),
    ViewsRecordRefused: ("topic",),
}
"""What makes two lines of a kind equal. Others are written as they come: each matters by itself."""


class FloodLog(Watch):
    """Listens to events, and writes their lines: of equal ones the first few, and then how many more there were."""

    def __init__(self, now: Callable[[], float]) -> None:
        """`now`: monotonic seconds."""
        self._throttle = Throttle(now)

    def __call__(self, event: Event) -> None:
        """Take an event in. Any event also brings out what is due."""
        self._throttle.sum_up()
        sum_up_libraries()
        if (line := line_of(event)) is None:
            return
        if (names := ALIKE.get(type(event))) is None:
            level, text, fields = line
            write(level, text, **fields)
        else:
            self._throttle.write((type(event), *(getattr(event, name) for name in names)), line)
