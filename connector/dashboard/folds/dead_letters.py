"""The newest dead letters, and how many came within a day, without their bodies: those may hold personal data. Pure."""

import math
from collections import Counter
from collections.abc import Iterable
from typing import Any

from connector.dashboard.parts import TEXT_CHARS_MAX, PageParts, text
from connector.messages.dead_letter import SINK_STAGES, DeadLetter

SHOWN_HOURS = 24
"""Hours that are counted."""
LETTERS_MAX = 20
"""Letters shown per administration."""


class NewestLetters:
    """Parts `letters/{administration}`."""

    def __init__(self, shown: PageParts, administrations: Iterable[str]) -> None:
        self._shown = shown
        self._hours: dict[str, Counter[int]] = {name: Counter() for name in administrations}
        self._latest: dict[str, list[dict[str, Any]]] = {name: [] for name in self._hours}
        self._clipped = dict.fromkeys(self._hours, -math.inf)
        self._first: dict[str, dict[int, float]] = {name: {} for name in self._hours}
        self._several = len(self._hours) > 1

    def take(self, administration: str, letter: DeadLetter) -> None:
        """A letter, in the order of its partition."""
        self._hours[administration][letter.timestamp // 3_600_000] += 1
        self._first[administration].setdefault(letter.place.partition, letter.timestamp / 1000)
        latest = [*self._latest[administration], self._row(administration, letter)]
        self._latest[administration] = sorted(latest, key=lambda row: -row["at"])[:LETTERS_MAX]

    def clipped(self, administration: str, now: float) -> None:
        """Not all letters from before this moment (epoch seconds) were read."""
        self._clipped[administration] = now

    def tick(self, now: float) -> None:
        """Show those up to now (epoch seconds)."""
        oldest = int(now // 3600) - SHOWN_HOURS
        for name, hours in self._hours.items():
            for hour in [hour for hour in hours if hour <= oldest]:
                del hours[hour]
            day = now - SHOWN_HOURS * 3600
            least = self._clipped[name] > day and any(first > day for first in self._first[name].values())
            self._shown.put(f"letters/{name}", {"day": hours.total(), "atLeast": least, "latest": self._latest[name]})

    def _row(self, administration: str, letter: DeadLetter) -> dict[str, Any]:
        which = f" --administration {administration}" if self._several else ""
        verb = f"mplus-connector dead-letters {{}} {letter.coordinate}{which}"
        return {
            "at": letter.timestamp / 1000,
            "coordinate": letter.coordinate,
            "stage": text(letter.stage),
            "key": text(letter.key),
            "topic": text(letter.origin.topic),
            "reason": text(letter.message, TEXT_CHARS_MAX),
            "show": verb.format("show"),
            "redrive": verb.format("redrive") if letter.stage in SINK_STAGES else None,
        }
