"""A command as some producer would write it."""

import orjson
from aiokafka import AIOKafkaProducer

from connector.kafka.records import partition_of

PARTITIONS = 4


async def produce(bootstrap: str, topic: str, *, astray: bool) -> None:
    """Ten commands in their places, or one beside it."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
    await producer.start()
    try:
        for number in range(1 if astray else 10):
            key = f"web-{number}".encode()
            place = (partition_of(key, PARTITIONS) + astray) % PARTITIONS
            await producer.send_and_wait(topic, orjson.dumps({"number": number}), key, place)
    finally:
        await producer.stop()
