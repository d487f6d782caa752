"""Ids of topics: a topic that is deleted and made anew under its name has another one. aiokafka does not ask for them."""

import uuid
from collections.abc import Iterable
from typing import Any

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError, for_code
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    AbstractType,
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)

from connector.backoff import backoff
from connector.clock import Clock

UNKNOWN = ""
"""The id of any topic where the brokers are older than Kafka 2.8 and tell none."""
TRIES = 10
LONGEST_S = 2.0
"""Seconds between two tries, at most."""
METADATA, WITH_IDS = 3, 10
"""Kafka's number of the request, and the first version that tells ids."""


class Uuid(AbstractType[bytes]):  # type: ignore[misc]
    """Sixteen bytes."""

    @classmethod
    def encode(cls, value: bytes) -> bytes:
        """Bytes as they are."""
        return value

    @classmethod
    def decode(cls, data: Any) -> bytes:
        """Sixteen bytes more."""
        found: bytes = data.read(16)
        return found


class TopicIdsResponse(Response):  # type: ignore[misc]
    """Metadata of topics, version 10."""

    API_KEY, API_VERSION = METADATA, WITH_IDS
    BROKER = Schema(
        ("node_id", Int32),
        ("host", CompactString("utf-8")),
        ("port", Int32),
        ("rack", CompactString("utf-8")),
        ("tags", TaggedFields),
    )
    NODES = CompactArray(Int32)
    PARTITION = Schema(
        ("error", Int16), ("partition", Int32), ("leader", Int32), ("epoch", Int32),
        ("replicas", NODES), ("in_sync", NODES), ("offline", NODES), ("tags", TaggedFields),
    )  # fmt: skip
    TOPIC = Schema(
        ("error", Int16), ("name", CompactString("utf-8")), ("id", Uuid), ("internal", Boolean),
        ("partitions", CompactArray(PARTITION)), ("operations", Int32), ("tags", TaggedFields),
    )  # fmt: skip
    SCHEMA = Schema(
        ("throttle_ms", Int32), ("brokers", CompactArray(BROKER)), ("cluster", CompactString("utf-8")), ("controller", Int32),
        ("topics", CompactArray(TOPIC)), ("operations", Int32), ("tags", TaggedFields),
    )  # fmt: skip


class TopicIdsRequestV10(RequestStruct):  # type: ignore[misc]
    """A request for it."""

    FLEXIBLE_VERSION = True
    API_KEY, API_VERSION, RESPONSE_TYPE = METADATA, WITH_IDS, TopicIdsResponse
    TOPIC = Schema(("id", Uuid), ("name", CompactString("utf-8")), ("tags", TaggedFields))
    SCHEMA = Schema(
        ("topics", CompactArray(TOPIC)),
        ("create", Boolean),
        ("of_cluster", Boolean),
        ("of_topics", Boolean),
        ("tags", TaggedFields),
    )


class TopicIdsRequest(Request[TopicIdsRequestV10]):  # type: ignore[misc]
    """What a client sends; the version is a matter of each connection."""

    API_KEY = METADATA

    def __init__(self, topics: Iterable[str]) -> None:
        self._topics: list[tuple[bytes, str, dict[int, bytes]]] = [(bytes(16), topic, {}) for topic in topics]

    def build(self, request_struct_class: type[TopicIdsRequestV10]) -> TopicIdsRequestV10:
        """The request as it is sent: nothing is created by asking."""
        return request_struct_class(self._topics, False, False, False, {})  # noqa: FBT003


async def topic_id_patiently(client: AIOKafkaClient, topic: str, clock: Clock) -> str:
    """The id of a topic, as hex digits: a broker may be away for a moment. Raises aiokafka's errors after some ten seconds.

    UNKNOWN for a topic that was deleted since it was read.
    """
    for attempt in range(1, TRIES):
        try:
            return await topic_id(client, topic)
        except KafkaError:
            await clock.sleep(min(LONGEST_S, backoff(attempt, clock.chance())))
    try:
        return await topic_id(client, topic)
    except UnknownTopicOrPartitionError:
        return UNKNOWN


async def topic_id(client: AIOKafkaClient, topic: str) -> str:
    """The id of a topic, as hex digits; UNKNOWN where the brokers tell none. Raises aiokafka's errors."""
    try:
        answer = await client.send(client.get_random_node(), TopicIdsRequest([topic]))
    except NotImplementedError:  # aiokafka's word for brokers that do not know this version
        return UNKNOWN
    ((code, _, found, *_),) = answer.topics
    if code:
        raise for_code(code)(topic)
    return uuid.UUID(bytes=found).hex
