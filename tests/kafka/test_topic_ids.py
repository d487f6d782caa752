"""Ids of topics, from a real broker."""

import asyncio

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import UnknownTopicOrPartitionError

from connector.kafka.topic_ids import UNKNOWN, topic_id
from tests.support.kafka.topics import admin, create_topic


async def test_a_topic_that_is_made_anew_has_another_id(bootstrap: str, prefix: str) -> None:
    """And the same one as long as it is the same."""
    await create_topic(bootstrap, prefix, 3)
    client = AIOKafkaClient(bootstrap_servers=bootstrap)
    await client.bootstrap()
    try:
        first, again = await topic_id(client, prefix), await topic_id(client, prefix)
        async with admin(bootstrap) as administrator:
            await administrator.delete_topics([prefix])
        async with asyncio.timeout(30):
            while not await _gone(client, prefix):  # noqa: ASYNC110  the broker has no event for it
                await asyncio.sleep(0.1)
        await create_topic(bootstrap, prefix)
        anew = await topic_id(client, prefix)
    finally:
        await client.close()

    assert first == again != anew
    assert UNKNOWN not in {first, anew}
    assert {32} == {len(first), len(anew)}


async def _gone(client: AIOKafkaClient, topic: str) -> bool:
    try:
        await topic_id(client, topic)
    except UnknownTopicOrPartitionError:
        return True
    return False


async def test_brokers_that_tell_none_are_no_failure() -> None:
    """Of before Kafka 2.8."""

    class Old:
        """A client of such brokers, as aiokafka behaves then."""

        def get_random_node(self) -> int:
            return 1

        async def send(self, node: int, request: object) -> None:
            request.prepare({3: (0, 9)})  # type: ignore[attr-defined]

    assert UNKNOWN == await topic_id(Old(), "a")
