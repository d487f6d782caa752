"""Commands by outcome over the last hour, and the last that failed, from result records. Pure."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from connector.dashboard.folds.advice import for_result
from connector.dashboard.parts import TEXT_CHARS_MAX, PageParts, text
from connector.messages.result import Result, decoded

SHOWN_MINUTES = 60
"""Minutes that are counted."""
FAILURES_MAX = 20
"""Failures shown per administration."""
Counts = Counter[tuple[str, str]]


class Failure(NamedTuple):
    """A result, and how it is shown."""

    result: Result
    shown: dict[str, Any]


class Outcomes:
    """Parts `commands/{administration}` and `failures/{administration}`."""

    def __init__(self, shown: PageParts, administrations: Iterable[str]) -> None:
        self._shown = shown
        self._minutes: dict[str, dict[int, Counts]] = {name: defaultdict(Counter) for name in administrations}
        self._failures: dict[str, list[Failure]] = {name: [] for name in administrations}
        self._clipped = dict.fromkeys(self._minutes, -math.inf)

    def take(self, administration: str, timestamp: int, key: bytes | None, value: bytes | None) -> None:
        """A result, with its record's time in milliseconds. One that only repeats an earlier one is passed over."""
        result = decoded(value)
        if result is None or result.duplicate:
            return
        self._minutes[administration][timestamp // 60_000][text(str(result.command)), text(result.outcome)] += 1
        found, rows = Failure(result, _failure(result, timestamp, key)), self._failures[administration]
        before = next((row for row in rows if _same(row.shown, found.shown)), None)
        if before is not None and not result.says_more_than(before.result):
            return  # another message under the same commandId was refused: that says nothing of the command
        failures = [row for row in rows if row is not before] + (
            [] if result.succeeded else [found]
        )  # one that was redriven ends anew
        self._failures[administration] = sorted(failures, key=lambda row: -row.shown["at"])[:FAILURES_MAX]

    def clipped(self, administration: str, now: float) -> None:
        """Not all results from before this moment (epoch seconds) were read."""
        self._clipped[administration] = now

    def tick(self, now: float) -> None:
        """Show what happened up to now (epoch seconds)."""
        oldest = int(now // 60) - SHOWN_MINUTES
        for name, minutes in self._minutes.items():
            for minute in [minute for minute in minutes if minute <= oldest]:
                del minutes[minute]
            self._shown.put(f"commands/{name}", _by_command(minutes.values()))
            self._shown.put(f"commandsAtLeast/{name}", self._clipped[name] > now - SHOWN_MINUTES * 60 or None)
            self._shown.put(f"failures/{name}", [row.shown for row in self._failures[name]])


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return (one["order"], one["commandId"]) == (other["order"], other["commandId"])


def _by_command(minutes: Iterable[Counts]) -> dict[str, dict[str, int]]:
    total: Counts = Counter()
    for counts in minutes:
        total.update(counts)
    found: dict[str, dict[str, int]] = {}
    for (command, outcome), count in sorted(total.items()):
        found.setdefault(command, {})[outcome] = count
    return found


def _failure(result: Result, timestamp: int, key: bytes | None) -> dict[str, Any]:
    return {
        "at": timestamp / 1000,
        "commandId": text(result.command_id),
        "command": text(result.command),
        "order": text(key),
        "outcome": text(result.outcome),
        "reason": text(result.reason),
        "message": text(result.message, TEXT_CHARS_MAX),
        "advice": for_result(text(result.outcome), text(result.reason)),
    }
