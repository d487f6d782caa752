"""Time and chance, handed in so that tests and simulations can own them."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True)
class Clock:
    """`monotonic` in seconds for durations, `wall` in UTC for people, `chance` uniform in [0, 1)."""

    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], datetime] = lambda: datetime.now(UTC)
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    chance: Callable[[], float] = random.random

    def stamp(self) -> str:
        """Now, as RFC 3339 in UTC with milliseconds."""
        return self.wall().isoformat(timespec="milliseconds").replace("+00:00", "Z")
