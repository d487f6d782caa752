"""What is known of every command of a partition: INTENT before it is sent, DONE with its result. Kept in `{a}.command-ledger`.

Ledger partition p belongs to command partition p and has one fenced writer, so what is read back is the truth.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Any

import orjson

from connector.kafka.records import Place, Record
from connector.sink.intake.offsets import Finished, Range
from connector.sink.ledger.archive import Archive, Row, Shelf
from connector.sink.ledger.facts import DONE, Creation, creation
from connector.sink.ledger.kept import Kept, is_open

FOOTER, REDRIVE = b"lane:", b"redrive:"
"""Keys that are no command's: a commandId cannot begin like this."""

KEPT_BYTES_MAX = 4 << 20
"""Bytes of entries that are kept whole, of a partition; of more than that the topic's own records are used."""


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


class Ledger:
    """The entries of one partition, as read back and as written since.

    Calls whose end is not known are in memory, and what this session has written, or read last, up to KEPT_BYTES_MAX: encoded.
    All else is where it lies: on the `shelf`, without which everything is kept.
    """

    def __init__(self, place: Place, rows: Mapping[bytes, bytes], now: float = 0.0, shelf: Shelf | None = None) -> None:
        """`place`: the ledger's own partition; `now`: seconds of a monotonic clock."""
        self.place = place
        self.offset = 0
        self.finished = Finished()
        self.begun, self.group = False, ""
        """Whether the partition was taken before, and by which deployment."""
        self._footer_key = FOOTER + b"%d" % place.partition
        self._kept = Kept(now)
        self._shelf = shelf
        self._archive = None if shelf is None else Archive(shelf)
        self._archived = 0
        """Below this offset the archive knows what has ended."""
        self._condensing = False
        self._bound = KEPT_BYTES_MAX
        for key, value in rows.items():
            self._take(key, value)

    def __len__(self) -> int:
        """Entries; one that was redriven may count twice until the topic is compacted."""
        return len(self._kept) + (0 if self._archive is None else len(self._archive))

    @property
    def bytes_kept(self) -> int:
        """Bytes of the entries that are kept whole, those of open calls apart."""
        return self._kept.size

    def replay(self, rows: Sequence[Row], whole_from: int) -> None:
        """Take in what is read back, in its order; records from an offset on are kept whole."""
        archive, intents, dropped, is_past = self._archive, self._kept.intents, self._kept.drop, self._is_past
        for row in rows:
            key, value, offset = row.key, row.value, row.offset
            if key is None:
                continue
            if value is None or key in intents:
                dropped(key)
            past = value is None or (offset < whole_from and (value.startswith(DONE) or is_past(key, value)))
            if past and archive is not None:
                archive.add(key, value, offset)
            elif value is not None:
                self._take(key, value)
        if rows:
            self._archived = max(self._archived, min(whole_from, rows[-1].offset + 1))

    async def entry(self, command_id: str) -> Entry | None:
        """What is known of a command. Raises TransactionLost where that cannot be looked up."""
        await self._condense()
        value = await self._value(command_id.encode())
        return None if value is None else decode(value)

    async def redriven(self, coordinates: str) -> bool:
        """Whether the dead letter at `partition:offset` has been redriven before. Raises TransactionLost."""
        return await self._value(REDRIVE + coordinates.encode()) is not None

    async def creation(self, ext_order_id: str) -> Creation | None:
        """Who is known to have created the order of this name. Raises TransactionLost."""
        key = self._kept.facts.creations.get(ext_order_id.encode())
        if key is not None:
            return creation(self._kept.ended[key])
        return None if self._archive is None else await self._archive.creation(ext_order_id)

    async def slip_maker(self, packing_slip_id: str) -> str | None:
        """The commandId that is known to have made this packing slip. Raises TransactionLost."""
        key = self._kept.facts.slips.get(packing_slip_id.encode())
        if key is not None:
            return key.decode()
        return None if self._archive is None else await self._archive.slip_maker(packing_slip_id)

    def queued(self, ext_order_id: str) -> bool:
        """Whether the POS has accepted the order of this name and had not booked it when it said so."""
        if ext_order_id.encode() in self._kept.facts.queued:
            return True
        return self._archive is not None and self._archive.queued(ext_order_id)

    def open_intents(self) -> Iterator[Intent]:
        """Calls that may have been sent, and whose end is not known; what a stranger wrote is none."""
        for value in list(self._kept.intents.values()):
            with suppress(ValueError, TypeError, KeyError):
                if isinstance(entry := decode(value), Intent):
                    yield entry

    def write(self, entry: Entry, coordinates: str = "") -> list[Record]:
        """The records for an entry, which is remembered from now on; `coordinates` of the dead letter that is redriven."""
        return [self._record(entry.command_id.encode(), encode(entry)), *self.redrive(coordinates)]

    def redrive(self, coordinates: str) -> list[Record]:
        """The record that says that a dead letter was redriven; none without coordinates."""
        return [self._record(REDRIVE + coordinates.encode(), b"{}")] if coordinates else []

    def footer(self, offset: int, finished: Sequence[Range], group: str = "") -> Record:
        """The record that says where the partition's work stands: the lowest unfinished offset, and what is finished above it.

        `group`: the deployment whose work it is.
        """
        stands = {"offset": offset, "finished": finished, **({"group": group} if group else {})}
        return Record(self.place.topic, self._footer_key, orjson.dumps(stands), partition=self.place.partition)

    def aged(self, now: float, retention: float) -> None:
        """Forget what the topic forgets, too. Seconds of a monotonic clock; to be called now and then.

        What was read back counts as new: its age is not known.
        """
        self._kept.aged(now, retention)
        if self._archive is not None:
            self._archive.forget()

    async def _value(self, key: bytes) -> bytes | None:
        value = self._kept.get(key)
        if value is None and self._archive is not None:
            value = await self._archive.value(key)
        return value

    def _record(self, key: bytes, value: bytes) -> Record:
        value = bytes(memoryview(value))  # a copy: what orjson returns keeps all of its buffer, 8 KiB
        self._take(key, value)
        return Record(self.place.topic, key, value, partition=self.place.partition)

    def _take(self, key: bytes, value: bytes) -> None:
        if key == self._footer_key:
            self._stand(value)
        else:
            self._kept.take(key, value)

    def _stand(self, value: bytes) -> None:
        """Where the partition's work stands; what a stranger wrote under this key says nothing."""
        try:
            footer = orjson.loads(value)
            self.offset = int(footer["offset"])
            self.finished = Finished([(int(low), int(high)) for low, high in footer["finished"]])
            self.begun, self.group = True, str(footer.get("group", ""))
        except (ValueError, TypeError, KeyError, AttributeError):
            return

    async def _condense(self) -> None:
        """Where too much is kept whole, read on where the archive ends, and keep only what is not committed yet."""
        if self._shelf is None or self._condensing or self._kept.size <= self._bound:
            return
        self._condensing = True
        try:
            async with aclosing(self._shelf.since(self._archived)) as steps:
                async for rows in steps:
                    self._file(rows)
        finally:
            self._condensing = False
            self._bound = max(KEPT_BYTES_MAX, 2 * self._kept.size)

    def _file(self, rows: Sequence[Row]) -> None:
        for row in rows:
            if self._archive is not None and row.key is not None and self._is_past(row.key, row.value):
                self._archive.add(row.key, row.value, row.offset)
                if self._kept.ended.get(row.key) == row.value:
                    self._kept.drop(row.key)
            self._archived = row.offset + 1

    def _is_past(self, key: bytes, value: bytes | None) -> bool:
        """Whether a record is of something that has ended; a tombstone says that of all before it."""
        return value is None or not (key == self._footer_key or is_open(value))
