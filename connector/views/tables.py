"""A Faust table that Kafka knows before the worker does.

Faust's own way of writing hands a change to a buffer and forgets what becomes of it. Here the changelog has it first, as plain
bytes under plain bytes, and then the table: so the table is never ahead of what a new owner of the partition reads back.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

import faust

from connector.views.app import Event, Events


class PlainTable(faust.Table[bytes, bytes]):
    """Keys and values are bytes."""

    def read(self, stream: Events, event: Event, key: bytes) -> bytes | None:
        """The entry of a key of the event's partition."""
        _current(stream, event)
        found: bytes | None = self.data.get(key)
        return found

    async def write(self, stream: Events, event: Event, entries: Mapping[bytes, bytes | None]) -> None:
        """Write entries of the event's partition: to Kafka, then here. Raises Kafka's errors."""
        topic, partition, producer = self.changelog_topic_name, event.message.partition, self.app.producer
        sent = [await producer.send(topic, key, value, partition, None, None) for key, value in entries.items()]
        done = await asyncio.gather(*sent)
        _current(stream, event)
        for key, value in entries.items():
            if value is not None:
                self.data[key] = bytes(memoryview(value))  # a copy: what orjson returns keeps all of its buffer, 8 KiB
            else:
                self.data.pop(key, None)
        if done:
            self.data.set_persisted_offset(done[-1].topic_partition, done[-1].offset)


def _current(stream: Any, event: Event) -> None:
    """A store on disk asks the stream's event for the partition."""
    stream._set_current_event(event)
