"""Commands that wait, summed up for the log: a POS that is down for an hour must not flood it."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from connector.events.base import Event
from connector.events.commands import CommandWaits
from connector.ops.stream import write

EVERY_S = 60.0
"""Seconds between two lines about one reason."""

REASONS_MAX = 100
"""Reasons told apart; a POS that invents a new one each time gets no more."""


@dataclass(slots=True)
class _Reason:
    since: float
    commands: set[str] = field(default_factory=set)


class WaitingLog:
    """Listens to events: a line when commands begin to wait for a reason, then one a minute with how many."""

    def __init__(self, now: Callable[[], float]) -> None:
        """`now`: monotonic seconds."""
        self._now = now
        self._reasons: dict[tuple[str, str], _Reason] = {}

    def __call__(self, event: Event) -> None:
        """Take an event in."""
        if not isinstance(event, CommandWaits):
            return
        now, key = self._now(), (event.administration, re.sub(r"\d+", "#", event.reason))
        known = self._reasons.get(key)
        if known is None:
            self._begin(key, now, event)
        else:
            known.commands.add(event.command_id)
            if now - known.since >= EVERY_S:
                self._write(event, len(known.commands))
                self._reasons[key] = _Reason(now)

    def _begin(self, key: tuple[str, str], now: float, event: CommandWaits) -> None:
        self._reasons = {name: row for name, row in self._reasons.items() if now - row.since < 2 * EVERY_S}
        if len(self._reasons) < REASONS_MAX:
            self._reasons[key] = _Reason(now)
            self._write(event, 1)

    def _write(self, event: CommandWaits, commands: int) -> None:
        write("warning", "commands wait", administration=event.administration, commands=commands, reason=event.reason)
