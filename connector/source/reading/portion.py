"""How many bytes of events one transaction of a shard may have. Pure.

A page of pictures over a slow line would not be sent within a transaction's deadline, however often it is tried; smaller ones
are.
"""

BYTES_MAX = 8 << 20
"""A page of 1000 ordinary orders is one transaction; a line of 1 MB/s takes this within the deadline of 15 s."""

TRIES = 3
"""Times that what lies on one sync marker is sent alone in its transaction, until it becomes a dead letter."""

GIVEN_UP_BYTES_MIN = 64 << 10
"""What is smaller is never given up: where it is not sent within 15 s, nothing is."""


class Portion:
    """The portion of one shard; outlives the owners of its partition in this worker."""

    def __init__(self, most: int = BYTES_MAX, given_up_from: int = GIVEN_UP_BYTES_MIN) -> None:
        self.bytes = most
        self._given_up_from = given_up_from
        self._most = most
        self._tries = 0
        self._alone: int | None = None
        self._others_sent = True

    def slow(self, size: int, alone: int | None) -> None:
        """A transaction of this size took too long; `alone` is the one sync marker that is in it.

        A broker that takes nothing at all says nothing about an item: only tries between which others were sent count.
        """
        self.bytes = max(1, min(self.bytes, size) // 2)
        if alone is None or size < self._given_up_from:
            return
        self._tries = (self._tries if self._alone == alone else 0) + self._others_sent
        self._alone, self._others_sent = alone, False

    def others_sent(self) -> None:
        """Kafka took something else on the same way."""
        self._others_sent = True

    def sent(self) -> None:
        """A transaction was committed."""
        self._tries = 0
        self.bytes = min(self._most, self.bytes + self.bytes // 4 + 1)

    def gives_up(self, marker: int) -> bool:
        """Whether what lies at this marker was sent alone too often."""
        return self._tries >= TRIES and marker == self._alone
