"""What a ledger keeps whole: calls whose end is not known, and the entries of late. Pure."""

from collections import OrderedDict

import orjson

from connector.sink.ledger.facts import DONE, INTENT, Facts


def is_open(value: bytes) -> bool:
    """Whether a record is of a call that may have been sent, and not of its end; or a stranger's, which is neither."""
    if value.startswith((INTENT, DONE)):
        return value.startswith(INTENT)
    try:
        return bool(orjson.loads(value).get("type") == "INTENT")
    except (ValueError, AttributeError):
        return False


class Kept:
    """The newest record of each key, encoded. `size`: bytes of those that have ended."""

    def __init__(self, now: float) -> None:
        self.intents: dict[bytes, bytes] = {}
        self.ended: dict[bytes, bytes] = {}
        self.facts = Facts()
        self.size = 0
        self._now = now
        self._ages: OrderedDict[bytes, float] = OrderedDict()  # a dict searches for its first entry past all deleted ones

    def __len__(self) -> int:
        return len(self.intents) + len(self.ended)

    def get(self, key: bytes) -> bytes | None:
        """The record of a key."""
        return self.intents.get(key) or self.ended.get(key)

    def take(self, key: bytes, value: bytes) -> None:
        """A record takes the place of the one before of its key; it is new, and last in the order of age."""
        self.drop(key)
        self._ages[key] = self._now
        if is_open(value):
            self.intents[key] = value
        else:
            self.ended[key] = value
            self.size += len(value)
            self.facts.learn(key, value)

    def drop(self, key: bytes) -> None:
        """Forget a key."""
        self._ages.pop(key, None)
        self.intents.pop(key, None)
        if (value := self.ended.pop(key, None)) is not None:
            self.size -= len(value)
            self.facts.forget(key, value)

    def aged(self, now: float, retention: float) -> None:
        """Forget what is older. Seconds of a monotonic clock."""
        self._now = now
        while self._ages and (oldest := next(iter(self._ages.items())))[1] < now - retention:
            self.drop(oldest[0])
