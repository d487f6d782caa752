"""An idempotent producer with acks=all, whose outcome is told truthfully: confirmed, refused, or not known.

aiokafka never gives up a batch of an idempotent producer while the partition has a leader, so the caller's deadline ends
the wait; what was handed over may still be written later. After an error the next record starts a new producer: a
refused batch leaves a gap in the sequence numbers, which ends the old one at its next batch, and with it every record
still on its way there. Those are written once more by the new one: whoever reads them carries each out once.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from connector.errors import Fatal, Reject, Retry, Unanswered
from connector.kafka.clients import Producer
from connector.kafka.cluster import Cluster
from connector.kafka.connection import begin, retrieved
from connector.kafka.records import Place, Record
from connector.kafka.writing.transactions import throw_away

REACHED_S = 30.0
"""Seconds to reach a broker in."""

REQUEST_BYTES_MAX = 512 << 20
"""Bytes of a request, at most: the topic's own max.message.bytes decides, not the client's default of 1 MiB."""

CLOSING_S = 5.0
"""Seconds that closing waits for what is still on its way."""

TOO_LARGE = (10, 18)
REFUSED = (*TOO_LARGE, 29, 87)
"""Kafka's error codes for "not written, and never will be": too large, no right to, invalid."""


class Producing:
    """Writes records; those handed in one after another keep their order in each partition."""

    def __init__(self, brokers: Cluster) -> None:
        self._brokers = brokers
        self._producer: Producer | None = None
        self._starting = asyncio.Lock()
        self._busy: Counter[Producer] = Counter()

    async def close(self) -> None:
        """Wait a little for what is on its way, then close."""
        producer, self._producer = self._producer, None
        if producer is None:
            return
        with suppress(Exception):
            async with asyncio.timeout(CLOSING_S):
                await producer.flush()
        await throw_away(producer)

    async def partitions(self, topic: str, what: str) -> int:
        """How many partitions a topic has, as of the last minutes. Raises as `write` does."""
        with self._confirming(what):
            return len(await (await self._ready()).partitions_for(topic))

    async def write(self, place: Place, record: Record, what: str) -> int:
        """Write a record to a partition, and return its offset. `what` names it in errors.

        Raises Unanswered (not confirmed), Reject (too large), Fatal (no right to).
        """
        with self._confirming(what):
            try:
                return await self._written(await self._ready(), place, record)
            except RuntimeError as error:  # as all of aiokafka's are
                if _code(error) in REFUSED:
                    raise
            return await self._written(await self._ready(), place, record)

    async def _written(self, producer: Producer, place: Place, record: Record) -> int:
        self._busy[producer] += 1
        try:
            sent = await producer.send(place.topic, record.value, record.key, place.partition, headers=list(record.headers))
            return int((await retrieved(sent)).offset)
        except Exception:
            self._producer = None if self._producer is producer else self._producer
            raise
        finally:
            self._busy[producer] -= 1
            if not self._busy[producer] and producer is not self._producer:
                del self._busy[producer]
                await throw_away(producer)

    async def _ready(self) -> Producer:
        async with self._starting:
            producer: Producer = self._producer or await self._started()
            self._producer = producer
            return producer

    async def _started(self) -> Producer:
        producer: Producer = Producer(
            **self._brokers.attentive, acks="all", enable_idempotence=True, max_request_size=REQUEST_BYTES_MAX
        )
        try:
            await begin(producer.start, REACHED_S)
        except BaseException:
            await throw_away(producer)
            raise
        return producer

    @contextmanager
    def _confirming(self, what: str) -> Iterator[None]:
        try:
            with self._brokers.reaching():
                yield
        except (Fatal, Retry) as error:
            code = _code(error.__cause__)
            if code in TOO_LARGE:
                raise Reject(f"{what} is larger than the topic takes (max.message.bytes)", "INVALID-COMMAND") from error
            if code in REFUSED:
                raise
            raise Unanswered(f"{what} is not confirmed: {error} (sending it once more is safe: it runs once)") from error


def _code(error: BaseException | None) -> int:
    """The broker's error code; 0 for what is no answer of a broker."""
    return 0 if isinstance(error, OSError) else getattr(error, "errno", 0)
