"""`python -m tests.e2e.victim run`: the connector, with a signal for itself at a chosen call of the POS or of Kafka.

It is the product's own program; only the calls that leave the process are counted, and at the chosen one the
process gets its signal by construction, not by luck. `E2E_CRASH` holds a Crash as JSON.
"""

import json
import os
import runpy
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from connector import wiring
from connector.events import Event, PageCommitted
from connector.mplus.client import PosClient
from connector.source import lane

VARIABLE = "E2E_CRASH"
COMPLETED = "victim: completed"
STRUCK = "victim: struck"
LISTENER = "log_event"
"""What the composition root hands every event to."""

CALLS: Mapping[str, tuple[Any, str]] = {
    "create topics": (AIOKafkaAdminClient, "create_topics"),
    "join": (AIOKafkaConsumer, "start"),
    "prove": (AIOKafkaConsumer, "commit"),
    "fence": (AIOKafkaProducer, "start"),
    "read back": (lane, "read_back"),
    "begin": (AIOKafkaProducer, "begin_transaction"),
    "send": (AIOKafkaProducer, "send_batch"),
    "commit": (AIOKafkaProducer, "commit_transaction"),
    "heads": (PosClient, "numbers"),
    "page": (PosClient, "page"),
}
"""Every call that leaves the process, and where it is made."""


@dataclass(frozen=True, slots=True)
class Crash:
    """The signal comes at the `at`-th of `calls`, before it is made or after it took effect.

    `heads`: once everything up to these markers is committed the run counts as completed, and ends by the same signal.
    """

    at: int
    calls: tuple[str, ...] = tuple(CALLS)
    after: bool = True
    signal: int = signal.SIGKILL
    heads: Mapping[str, int] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        """How a victim is told."""
        return {VARIABLE: json.dumps(asdict(self))}


class Trap:
    """Counts calls, and strikes once."""

    def __init__(self, crash: Crash) -> None:
        self._crash = crash
        self._made = 0
        self._missing = dict(crash.heads)

    def set(self) -> None:
        """Watch every call of the plan."""
        for name in self._crash.calls:
            owner, method = CALLS[name]
            setattr(owner, method, self._watched(name, getattr(owner, method)))
        if self._missing:
            setattr(wiring, LISTENER, self._listening(getattr(wiring, LISTENER)))

    def _watched(self, name: str, call: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def watched(*arguments: Any, **named: Any) -> Any:
            self._made += 1
            now, made = self._made == self._crash.at, self._made
            if now and not self._crash.after:
                self._strike(f"{STRUCK} before call {made}, {name}")
            answer = await call(*arguments, **named)
            if now and self._crash.after:
                if name == "send":
                    await answer  # not merely queued: the broker has it, in a transaction that is open
                self._strike(f"{STRUCK} after call {made}, {name}")
            return answer

        return watched

    def _listening(self, listener: Callable[[Event], None]) -> Callable[[Event], None]:
        def listen(event: Event) -> None:
            listener(event)
            if isinstance(event, PageCommitted) and event.marker >= self._missing.get(event.entity, sys.maxsize):
                del self._missing[event.entity]
                if not self._missing:
                    self._strike(f"{COMPLETED} with {self._made} calls")

        return listen

    def _strike(self, words: str) -> None:
        os.write(2, f"{words}\n".encode())
        os.kill(os.getpid(), self._crash.signal)


def arm(told: str) -> None:
    """Set the trap that a parent asked for."""
    plan = json.loads(told)
    Trap(Crash(**{**plan, "calls": tuple(plan["calls"])})).set()


def become_connector() -> None:
    """Run the product's own program; it ends with SystemExit, or returns."""
    if told := os.environ.get(VARIABLE):
        arm(told)
    runpy.run_module("connector", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    become_connector()
