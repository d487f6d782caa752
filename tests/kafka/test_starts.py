"""Where to begin reading when only the recent part of a topic matters."""

import pytest
from aiokafka import AIOKafkaProducer

from connector.kafka.cluster import Cluster
from connector.kafka.reading.starts import Start, since
from connector.kafka.records import Place
from tests.support.kafka.topics import create_topic

MOMENT = 1_700_000_000


@pytest.mark.parametrize(
    ("moment", "most", "start"),
    [
        (MOMENT - 1, 100, Start(0)),
        (MOMENT + 2, 100, Start(2)),
        (MOMENT + 2.5, 100, Start(3)),
        (MOMENT - 1, 3, Start(2, clipped=True)),
        (MOMENT + 2, 3, Start(2)),
        (MOMENT + 4, 3, Start(4)),
        (MOMENT + 99, 100, Start(5)),
    ],
)
async def test_it_begins_at_a_time_but_not_too_far_back(
    bootstrap: str, prefix: str, moment: float, most: int, start: Start
) -> None:
    """At the first record of that time or later, at most so many before the end; at the end where there is none."""
    await create_topic(bootstrap, prefix, 2, retention_ms="-1")
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
    await producer.start()
    for second in range(5):
        await producer.send_and_wait(prefix, b"", partition=0, timestamp_ms=(MOMENT + second) * 1000)
    await producer.stop()

    found = await since(Cluster(bootstrap), [Place(prefix, 0), Place(prefix, 1)], moment, most)

    assert {Place(prefix, 0): start, Place(prefix, 1): Start(0)} == found
