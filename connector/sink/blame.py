"""Whether it is one command that fails, or the POS that fails everybody. Pure.

A POS that is down delays commands, it does not fail them. So only failures count that came after another command's call was
carried out, and a command is given up only when chance cannot explain so many of them: the more others fail, the more it takes.
"""

from dataclasses import dataclass, field
from math import log

CHANCE_MAX = 1e-6
"""How likely it may be, at most, that a command that is given up has only had bad luck."""


@dataclass(frozen=True, slots=True)
class Tally:
    """How many calls that change something the POS has answered, and how many not."""

    answered: int = 0
    failed: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(self.answered + other.answered, self.failed + other.failed)

    def __sub__(self, other: "Tally") -> "Tally":
        return Tally(self.answered - other.answered, self.failed - other.failed)


@dataclass(slots=True)
class Trouble:
    """Failures of one command in a row. `counted`: those that are its own; `seconds`: from the first of these to the last."""

    failures: int = 0
    counted: int = 0
    seconds: float = 0.0
    _looked: bool = False
    _first: Tally = field(default_factory=Tally)
    _last: Tally = field(default_factory=Tally)
    _at: float = 0.0
    _since: float = 0.0

    def looked(self) -> None:
        """The POS showed the command's order."""
        self._looked = True

    def failed(self, now: float, others: Tally) -> None:
        """Take in a failure at a moment (monotonic); `others`: of all other commands so far."""
        if not self.failures:
            self._first = others
        elif self._is_own(others):
            self._since = self._since if self.counted else self._at
            self.counted += 1
            self.seconds = now - self._since
        self.failures += 1
        self._looked, self._last, self._at = False, others, now

    def _is_own(self, others: Tally) -> bool:
        """Whether the POS carried out another since the failure before; or did before, fails no other, and answers this look."""
        well = others.answered > self._first.answered and others.failed == self._last.failed and self._looked
        return others.answered > self._last.answered or well

    def is_hopeless(self, others: Tally, within_s: float) -> bool:
        """Whether this command alone fails, and has for so long."""
        since = others - self._first
        rate = (since.failed + 1) / (since.failed + since.answered + 2)
        return self.seconds >= within_s and self.counted * log(rate) <= log(CHANCE_MAX)
