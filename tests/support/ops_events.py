"""What operators see of events: metrics, status rows, log lines."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog

from connector.clock import Clock
from connector.events.base import Event
from connector.events.commands import (
    CommandEnded,
)
from connector.ops import fan_out
from connector.ops.metrics import Metrics
from connector.ops.status import WorkerStatus


def ended(
    command: str, command_id: str, outcome: str = "succeeded", *, administration: str = "shop", **more: Any
) -> CommandEnded:
    """The end of a command."""
    given: dict[str, Any] = {
        "reason": "R",
        "message": "",
        "attempts": 1,
        "reconciled": False,
        "duplicate": False,
        "seconds": 0.2,
    } | more
    return CommandEnded(administration, command, command_id, outcome, **given)


class Ops:
    """WorkerStatus and metrics, as a worker has them."""

    def __init__(self) -> None:
        self.status = WorkerStatus(Clock(), "me", "")
        self.metrics = Metrics(self.status)
        self._tell = fan_out([self.status, self.metrics])

    def told(self, *events: Event) -> "Ops":
        for event in events:
            self._tell(event)
        self.metrics.collect()
        return self

    def sample(self, name: str, **labels: str) -> float | None:
        """A sample; None where there is none."""
        return self.metrics.registry.get_sample_value(f"mplus_connector_{name}", labels)

    def of(self, name: str, command: str, **labels: str) -> float | None:
        return self.sample(name, administration="shop", command=command, **labels)


@contextmanager
def lines() -> Iterator[list[dict[str, Any]]]:
    """Everything that is logged while inside, as its fields."""
    found: list[dict[str, Any]] = []

    def take(_: Any, level: str, fields: Any) -> Any:
        found.append({"level": level, **fields})
        raise structlog.DropEvent

    before = structlog.get_config()
    structlog.configure(processors=[take], wrapper_class=structlog.BoundLogger, cache_logger_on_first_use=False)
    try:
        yield found
    finally:
        structlog.configure(**before)
