"""aiokafka's clients as ours."""

import asyncio

from aiokafka.client import ConnectionGroup
from aiokafka.conn import AIOKafkaConnection

from connector.kafka.clients import Client


async def test_a_connection_that_is_being_opened_is_closed_with_its_client(bootstrap: str) -> None:
    """aiokafka keeps it open: it comes when all others are closed already."""
    client = Client(bootstrap_servers=bootstrap)
    await client.bootstrap()
    await client.force_metadata_update()
    node = min(row.nodeId for row in client.cluster.brokers())
    opening = asyncio.create_task(client._get_conn(node, group=ConnectionGroup.COORDINATION))
    await asyncio.sleep(0)
    assert client._get_conn_lock.locked()

    await client.close()

    opened: AIOKafkaConnection = await opening
    assert not opened.connected()
