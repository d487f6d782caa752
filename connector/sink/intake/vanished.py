"""Commands whose records Kafka deleted while they were open: those that were begun get an `unknown` result. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import orjson

from connector.kafka.records import Record
from connector.messages.dead_letter import INTENT, dead_letter_headers
from connector.messages.result import OUTCOME_UNKNOWN, Outcome
from connector.messages.topics import Topics
from connector.sink.ledger.ledger import Done, Intent, encode
from connector.sink.records import JSON

GONE = (
    "Kafka deleted this command after a call of the POS for it may have been sent ({operation}, attempt {attempt}, at {at}) "
    "and before its outcome was known: look at the order"
)


class Vanished:
    """The open INTENTs that nobody will read a command for: from before `start`; all of them where `remade`."""

    def __init__(self, intents: Iterable[Intent], start: int, *, remade: bool = False) -> None:
        self.intents: Sequence[Intent] = [intent for intent in intents if remade or intent.offset < start]

    def within(self, first: int, following: int) -> int:
        """How many of their commands lay at offsets from `first` to before `following`."""
        return len({intent.offset for intent in self.intents if first <= intent.offset < following})


def unknown(intent: Intent, at: str) -> Done:
    """How such a command has ended; `at` is RFC 3339."""
    result: dict[str, Any] = {
        "commandId": intent.command_id,
        "command": intent.command,
        "outcome": Outcome.UNKNOWN.value,
        "reason": OUTCOME_UNKNOWN,
        "message": GONE.format(operation=intent.operation, attempt=intent.attempt, at=intent.at),
        "orderId": intent.order_id or None,
        "extOrderId": intent.ext_order_id or None,
        "invoiceId": None,
        "packingSlipId": None,
        "syncMarker": None,
        "attempts": intent.attempt,
        "reconciled": False,
        "duplicate": False,
        "at": at,
    }
    return Done(intent.command_id, intent.offset, intent.digest, result, intent)


def told(topics: Topics, partition: int, intent: Intent, done: Done) -> Iterator[Record]:
    """Its result, and a dead letter without a body: there are no bytes left, only the INTENT, in a header."""
    key = intent.key.encode(errors="replace")
    yield Record(topics.results, key, orjson.dumps(done.result), JSON)
    origin = (topics.commands, partition, intent.offset)
    headers = dead_letter_headers(origin, "outcome", OUTCOME_UNKNOWN, str(done.result["message"]))
    yield Record(topics.dead_letters, key, None, (*headers, (INTENT, encode(intent))))
