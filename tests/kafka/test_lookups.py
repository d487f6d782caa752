"""Looking single records up by their offset: a record, certainly none, or no answer."""

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import RecordsToDelete

from connector.errors import TransactionLost
from connector.kafka.cluster import Cluster
from connector.kafka.reading.lookups import page
from connector.kafka.records import Place, Record
from connector.kafka.writing.transactions import fenced_producer
from tests.support.kafka.topics import admin, create_topic


@pytest.fixture
def cluster(bootstrap: str) -> Cluster:
    """Arguments for any client of the session's broker."""
    return Cluster(bootstrap)


async def test_a_look_shows_a_record_and_its_neighbours(bootstrap: str, prefix: str, cluster: Cluster) -> None:
    """From the offset asked for on; the marker of a transaction is an offset without a record."""
    await create_topic(bootstrap, prefix)
    async with fenced_producer(cluster, prefix, 0) as producer:
        for first in (0, 10):
            await producer.transaction([Record(prefix, b"%d" % number, b"v", partition=0) for number in range(first, first + 10)])
    found = await page(cluster, Place(prefix, 0), 8)
    assert (8, 22, 0) == (found.start, found.stop, found.first)
    assert {8: b"8", 9: b"9", 11: b"10"}.items() <= {offset: key for offset, (key, _) in found.rows.items()}.items()
    assert 10 not in found.rows


async def test_what_was_deleted_is_certainly_gone(bootstrap: str, prefix: str, cluster: Cluster) -> None:
    """All below the first offset that is left."""
    await create_topic(bootstrap, prefix)
    async with fenced_producer(cluster, prefix, 0) as producer:
        await producer.transaction([Record(prefix, b"%d" % number, b"v", partition=0) for number in range(10)])
    async with admin(bootstrap) as client:
        await client.delete_records({TopicPartition(prefix, 0): RecordsToDelete(before_offset=6)})
    found = await page(cluster, Place(prefix, 0), 2)
    assert (2, 6, range(6, 10)) == (found.start, found.first, range(min(found.rows), max(found.rows) + 1))


@pytest.mark.parametrize("beyond", [0, 5])
async def test_where_the_end_came_nearer_nothing_is_certain(bootstrap: str, prefix: str, cluster: Cluster, beyond: int) -> None:
    """An offset that was read and lies behind the end by now: records were lost, and this is not age."""
    await create_topic(bootstrap, prefix)
    async with fenced_producer(cluster, prefix, 0) as producer:
        await producer.transaction([Record(prefix, b"k", b"v", partition=0)])
    with pytest.raises(TransactionLost, match=f"{prefix}, partition 0, has lost records"):
        await page(cluster, Place(prefix, 0), 2 + beyond)
