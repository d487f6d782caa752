"""What the order commands remember: effects, idempotency keys, numbers of orders that callers chose, orders still queued."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from math import inf
from typing import Any

from connector.sandbox.faults import lapses
from connector.sandbox.faults.forced_results import ForcedResult
from connector.sandbox.faults.switches import Faults

Fields = Mapping[str, Any]
Effect = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Job:
    """Who acts: an operation (or `cashier`), its idempotency key, and what it is told to answer."""

    operation: str
    key: str = ""
    told: ForcedResult | None = None


@dataclass(frozen=True, slots=True)
class Queued:
    """An order accepted and not yet booked; `due` is a time of the memory's clock, infinite if only a hook books it."""

    due: float
    ext_order_id: str
    book: Callable[[], object]


class OrderMemory:
    """`forget_keys`: after how many seconds an idempotency key is forgotten; None: never. `effects` is in order of booking."""

    def __init__(
        self, faults: Faults | None = None, *, forget_keys: float | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self.effects: list[Effect] = []
        self.forget_keys = forget_keys
        self.order_ids: dict[str, str] = {}  # extOrderId -> orderId, of orders that commands created
        self._faults = faults or Faults()
        self._clock = clock
        self._answers: dict[tuple[str, str], tuple[float, Fields]] = {}
        self._queue: list[Queued] = []
        self._accepted = 0

    def told(self, operation: str) -> ForcedResult | None:
        return self._faults.results.next(operation)

    def remembered(self, operation: str, key: str) -> Fields | None:
        """What the first call with this key was answered, unless it has been forgotten."""
        if self.strikes("forget_key", operation):
            self._answers.pop((operation, key), None)
        at, answer = self._answers.get((operation, key), (-inf, None))
        forgotten = self.forget_keys is not None and self._clock() - at >= self.forget_keys
        return None if forgotten else answer

    def remember(self, operation: str, key: str, answer: Fields) -> None:
        self._answers[operation, key] = (self._clock(), answer)

    def strikes(self, kind: str, operation: str) -> bool:
        """Whether this fault strikes now."""
        return self._faults.due(kind, operation) is not None

    def kept(self, operation: str, reference: str) -> str:
        """What is kept of a payment's externalReference."""
        kept = "" if self.strikes("drop_reference", operation) else reference
        return lapses.cut(kept) if self.strikes("cut_reference", operation) else kept

    def shown(self, operation: str, document: dict[str, Any]) -> dict[str, Any]:
        """The document itself, or without what is left out."""
        return lapses.left_out(document, self._faults.luck) if self.strikes("leave_out", operation) else document

    def book(self, job: Job, effect: str, order: Fields, **more: object) -> None:
        """One row of the ledger: something was really done to this order."""
        named = {"orderId": order["orderId"], "extOrderId": order["extOrderId"]}
        rest = {"amount": None, "lines": None, "idempotencyKey": job.key or None, "externalReference": None, "document": None}
        at = datetime.fromtimestamp(self._clock(), UTC).isoformat()
        head = {"n": len(self.effects) + 1, "operation": job.operation, "effect": effect}
        self.effects.append({**head, **named, **rest, **more, "at": at})

    def queued_for(self, operation: str) -> float | None:
        """When the order of this call is booked, if it is to be queued."""
        fault = self._faults.due("queue_order", operation)
        if fault is None:
            return None
        return self._clock() + fault.seconds if fault.seconds else inf

    def next_queued(self) -> int:
        """A number for the next order that is queued."""
        self._accepted += 1
        return self._accepted

    def queue(self, queued: Queued) -> None:
        self._queue.append(queued)

    def queues(self, ext_order_id: str) -> bool:
        return any(queued.ext_order_id == ext_order_id for queued in self._queue)

    def book_queued(self, *, due_only: bool = True) -> int:
        """Book the queued orders that are due, or all of them; how many there were."""
        now = self._clock() if due_only else inf
        due = [queued for queued in self._queue if queued.due <= now]
        self._queue = [queued for queued in self._queue if queued.due > now]
        for queued in due:
            queued.book()
        return len(due)
