"""`python -m tests.support.crashing run`: the connector, with a signal for itself at a chosen call of the POS or of Kafka.

It is the product's own program; only the calls that leave the process are counted, and at the chosen one the
process gets its signal by construction, not by luck. `E2E_CRASH` holds a Crash as JSON. `E2E_SENDING` shortens the
seconds for which a successor reckons with calls of a dead worker that are still to leave.
"""

import asyncio
import json
import os
import runpy
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from connector import wiring
from connector.events.base import Event, Listener
from connector.events.commands import CommandEnded
from connector.events.source import PageCommitted
from connector.mplus.client import PosClient
from connector.sink import executor
from connector.sink import task as command_lane
from connector.source import task as lane
from connector.wiring import source as wired

VARIABLE, SENDING = "E2E_CRASH", "E2E_SENDING"
COMPLETED = "victim: completed"
STRUCK = "victim: struck"
COUNTING = "victim: counting"
LISTENERS = "fan_out"
"""With what the composition root makes one listener of all: the trap is one more."""

CALLS: Mapping[str, tuple[Any, str]] = {
    "create topics": (AIOKafkaAdminClient, "create_topics"),
    "join": (AIOKafkaConsumer, "start"),
    "prove": (AIOKafkaConsumer, "commit"),
    "fence": (AIOKafkaProducer, "start"),
    "read back": (lane, "read_back_all"),
    "look at topics": (wired.EntityTopics, "facts"),
    "read ledger": (command_lane, "read_back"),
    "begin": (AIOKafkaProducer, "begin_transaction"),
    "send": (AIOKafkaProducer, "send_batch"),
    "commit": (AIOKafkaProducer, "commit_transaction"),
    "heads": (PosClient, "numbers"),
    "page": (PosClient, "page"),
    "look": (PosClient, "order"),
    "change": (PosClient, "change"),
}
"""Every call that leaves the process, and where it is made."""

OFFSETS = "prove"
"""The call that commits a group's offset."""


@dataclass(frozen=True, slots=True)
class Crash:
    """The signal comes at the `at`-th of `calls`, before it is made, or after it (or the next that does not fail) took effect.

    `waits`: calls count from SIGUSR1 on. `held`: the call is held back until a group's offset was committed once more.
    The run counts as completed, and ends by the same signal, once everything up to the markers in `heads` is committed,
    or when so many `commands` have ended.
    """

    at: int
    calls: tuple[str, ...] = tuple(CALLS)
    after: bool = True
    held: bool = False
    waits: bool = False
    signal: int = signal.SIGKILL
    heads: Mapping[str, int] = field(default_factory=dict)
    commands: int = 0

    def environment(self) -> dict[str, str]:
        """How a victim is told."""
        return {VARIABLE: json.dumps(asdict(self))}


class Trap:
    """Counts calls, and strikes once."""

    def __init__(self, crash: Crash) -> None:
        self._crash = crash
        self._counts = not crash.waits
        self._made = 0
        self._struck = False
        self._missing = dict(crash.heads)
        self._ended = 0
        self._offsets = 0

    def set(self) -> None:
        """Watch every call of the plan."""
        signal.signal(signal.SIGUSR1, self._count)
        for name in self._crash.calls:
            owner, method = CALLS[name]
            setattr(owner, method, self._watched(name, getattr(owner, method)))
        owner, method = CALLS[OFFSETS]
        setattr(owner, method, self._counting(getattr(owner, method)))
        setattr(wiring, LISTENERS, self._joining(getattr(wiring, LISTENERS)))

    def _count(self, *_: object) -> None:
        self._counts = True
        os.write(2, f"{COUNTING}\n".encode())

    def _watched(self, name: str, call: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def watched(*arguments: Any, **named: Any) -> Any:
            if not self._counts:
                return await call(*arguments, **named)
            self._made += 1
            made = self._made
            if not self._crash.after and made == self._crash.at:
                if self._crash.held:
                    await self._offset_committed()
                self._strike(f"{STRUCK} before call {made}, {name}")
            answer = await call(*arguments, **named)
            if self._crash.after and made >= self._crash.at and not self._struck:
                self._struck = True
                if name == "send":
                    await answer  # not merely queued: the broker has it, in a transaction that is open
                self._strike(f"{STRUCK} after call {made}, {name}")
            return answer

        return watched

    def _counting(self, call: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def counting(*arguments: Any, **named: Any) -> Any:
            answer = await call(*arguments, **named)
            self._offsets += 1
            return answer

        return counting

    async def _offset_committed(self) -> None:
        """Once more, from begin to end."""
        before = self._offsets
        while self._offsets < before + 2:  # noqa: ASYNC110 - the first may have been under way
            await asyncio.sleep(0.01)

    def _joining(self, fan_out: Callable[[Sequence[Listener]], Listener]) -> Callable[[Sequence[Listener]], Listener]:
        return lambda listeners: fan_out([*listeners, self._listen])

    def _listen(self, event: Event) -> None:
        if self._completes(event):
            self._strike(f"{COMPLETED} with {self._made} calls")

    def _completes(self, event: Event) -> bool:
        """Whether this was the last of what the run is for."""
        if isinstance(event, CommandEnded):
            self._ended += self._counts
            return self._counts and self._ended == self._crash.commands
        if isinstance(event, PageCommitted) and event.marker >= self._missing.get(event.entity, sys.maxsize):
            del self._missing[event.entity]
            return not self._missing
        return False

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
    if seconds := os.environ.get(SENDING):
        executor.SENDING_S = float(seconds)
    runpy.run_module("connector", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    become_connector()
