"""Consumer groups, seen from outside of them."""

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from connector.kafka.cluster import Cluster
from connector.kafka.groups import lag
from connector.kafka.records import Place
from tests.support.kafka.topics import create_topic


async def test_the_lag_of_a_group_is_what_it_has_not_committed(bootstrap: str, prefix: str) -> None:
    """Of each partition, also of those that it never read; a topic that is not there has none."""
    await create_topic(bootstrap, prefix, 3)
    async with AIOKafkaProducer(bootstrap_servers=bootstrap) as producer:
        for partition, records in enumerate((5, 2, 0)):
            for _ in range(records):
                await producer.send_and_wait(prefix, b"", partition=partition)
    place = TopicPartition(prefix, 0)
    async with AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=prefix, enable_auto_commit=False) as consumer:
        consumer.assign([place])
        await consumer.commit({place: 2})

    assert {Place(prefix, 0): 3, Place(prefix, 1): 2, Place(prefix, 2): 0} == await lag(
        Cluster(bootstrap), prefix, [prefix, "none"]
    )
