"""What is known of every command of a partition: INTENT before it is sent, DONE with its result. Kept in `{a}.command-ledger`.

Ledger partition p belongs to command partition p and has one fenced writer, so what is read back is the truth.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

from connector.kafka.records import Place, Record
from connector.sink.progress import Finished, Range

LANE, REDRIVE = b"lane:", b"redrive:"
"""Keys that are no command's: a commandId cannot begin like this."""


@dataclass(frozen=True, slots=True)
class Intent:
    """A call that may have been sent. Reconciling uses nothing else: `before` is how the order stood and what was to change.

    `attempt` counts the calls that may have been sent, this one included; `id` names this one. `unanswered`: when the last call
    before it can have left that nobody answered, empty where none can be at work. `generation` counts the redrives that were
    proven not done: each has an idempotency key of its own.
    """

    command_id: str
    command: str
    key: str
    offset: int
    digest: str
    operation: str
    order_id: str
    ext_order_id: str
    idempotency_key: str
    before: Mapping[str, Any]
    attempt: int
    id: str
    at: str
    generation: int = 0
    unanswered: str = ""


@dataclass(frozen=True, slots=True)
class Done:
    """A command that has ended with `result`, which was published for the record at `offset`.

    `intent`: of an unknown outcome. `forgotten`: the ledger had forgotten the command when its dead letter was redriven, so that
    it may only be looked for.
    """

    command_id: str
    offset: int
    digest: str
    result: Mapping[str, Any]
    intent: Intent | None = None
    forgotten: bool = False


Entry = Intent | Done


def encode(entry: Entry) -> bytes:
    """The record's value."""
    return orjson.dumps({"type": "INTENT" if isinstance(entry, Intent) else "DONE", "entry": entry})


def decode(value: bytes) -> Entry:
    """The entry of a record's value."""
    row = orjson.loads(value)
    if row["type"] == "INTENT":
        return Intent(**row["entry"])
    intent = row["entry"].pop("intent")
    return Done(**row["entry"], intent=None if intent is None else Intent(**intent))


class Creation(NamedTuple):
    """The command that is known to have created an order, and the orderId that the order got."""

    command_id: str
    order_id: str


@dataclass(slots=True)
class Facts:
    """What other commands must know of those that ended: which made an order or a packing slip, and what is only queued."""

    creations: dict[str, Creation] = field(default_factory=dict)
    slips: dict[str, str] = field(default_factory=dict)
    queued: set[str] = field(default_factory=set)

    def learn(self, entry: Entry) -> None:
        """Take in what a result tells."""
        if not isinstance(entry, Done) or entry.result["outcome"] != "succeeded":
            return
        if slip := entry.result.get("packingSlipId"):
            self.slips[slip] = entry.command_id
        if entry.result["command"] == "createOrder":
            self.creations[entry.result["extOrderId"]] = Creation(entry.command_id, entry.result.get("orderId") or "")
            if entry.result["syncMarker"] is None:
                self.queued.add(entry.result["extOrderId"])

    def forget(self, entry: Entry) -> None:
        """The opposite of learn."""
        if isinstance(entry, Done):
            self.creations.pop(entry.result["extOrderId"], None)
            self.slips.pop(entry.result.get("packingSlipId") or "", None)
            self.queued.discard(entry.result["extOrderId"])


class Ledger:
    """The entries of one partition, as read back and as written since. Values stay encoded: there may be a million."""

    def __init__(self, place: Place, rows: Mapping[bytes, bytes], now: float = 0.0) -> None:
        """`place`: the ledger's own partition; `now`: seconds of a monotonic clock."""
        self.place = place
        self.facts = Facts()
        self._lane = LANE + b"%d" % place.partition
        lane = orjson.loads(rows.get(self._lane, b'{"offset": 0, "finished": []}'))
        self.offset: int = lane["offset"]
        self.begun = self._lane in rows
        self.group: str = lane.get("group", "")
        self.finished = Finished(lane["finished"])
        self._values = {key: value for key, value in rows.items() if key != self._lane}
        self._now = now
        self._ages = dict.fromkeys(self._values, now)
        for key, value in self._values.items():
            if not key.startswith(REDRIVE):
                self.facts.learn(decode(value))

    def __len__(self) -> int:
        return len(self._values)

    async def entry(self, command_id: str) -> Entry | None:
        """What is known of a command."""
        value = self._values.get(command_id.encode())
        return None if value is None else decode(value)

    async def redriven(self, coordinates: str) -> bool:
        """Whether the dead letter at `partition:offset` has been redriven before."""
        return REDRIVE + coordinates.encode() in self._values

    async def creation(self, ext_order_id: str) -> Creation | None:
        """Who is known to have created the order of this name."""
        return self.facts.creations.get(ext_order_id)

    async def slip_maker(self, packing_slip_id: str) -> str | None:
        """The commandId that is known to have made this packing slip."""
        return self.facts.slips.get(packing_slip_id)

    def queued(self, ext_order_id: str) -> bool:
        """Whether the POS has accepted the order of this name and had not booked it when it said so."""
        return ext_order_id in self.facts.queued

    def write(self, entry: Entry, coordinates: str = "") -> list[Record]:
        """The records for an entry, which is remembered from now on; `coordinates` of the dead letter that is redriven."""
        self.facts.learn(entry)
        return [self._record(entry.command_id.encode(), encode(entry)), *self.redrive(coordinates)]

    def redrive(self, coordinates: str) -> list[Record]:
        """The record that says that a dead letter was redriven; none without coordinates."""
        return [self._record(REDRIVE + coordinates.encode(), b"{}")] if coordinates else []

    def lane(self, offset: int, finished: Sequence[Range], group: str = "") -> Record:
        """The record that says where the partition's work stands: the lowest unfinished offset, and what is finished above it.

        `group`: the deployment whose work it is.
        """
        stands = {"offset": offset, "finished": finished, **({"group": group} if group else {})}
        return Record(self.place.topic, self._lane, orjson.dumps(stands), partition=self.place.partition)

    def aged(self, now: float, retention: float) -> None:
        """Forget what the topic forgets, too. Seconds of a monotonic clock; to be called now and then.

        What was read back counts as new: its age is not known.
        """
        self._now = now
        while self._ages and (oldest := next(iter(self._ages.items())))[1] < now - retention:
            del self._ages[oldest[0]]
            value = self._values.pop(oldest[0])
            if not oldest[0].startswith(REDRIVE):
                self.facts.forget(decode(value))

    def _record(self, key: bytes, value: bytes) -> Record:
        self._values[key] = value
        self._ages.pop(key, None)  # what is written again is new again, and last in the order
        self._ages[key] = self._now
        return Record(self.place.topic, key, value, partition=self.place.partition)
