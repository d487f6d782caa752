"""aiokafka's clients as ours."""

import asyncio
from typing import Any

import pytest
from aiokafka.client import ConnectionGroup
from aiokafka.conn import AIOKafkaConnection
from aiokafka.protocol.metadata import MetadataRequest

from connector.kafka.clients import Client
from tests.support.source.polling import eventually


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


async def test_a_start_that_is_cancelled_leaves_no_connection(bootstrap: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """aiokafka forgets the connection that it waits on for the brokers' names."""
    connections: list[AIOKafkaConnection] = []
    send = AIOKafkaConnection.send

    async def silent(connection: AIOKafkaConnection, request: Any, **more: Any) -> Any:
        if asyncio.current_task() is not starting:  # other clients of this process are none of ours
            return await send(connection, request, **more)
        connections.append(connection)
        if isinstance(request, MetadataRequest):
            await asyncio.Event().wait()
        return await send(connection, request, **more)

    monkeypatch.setattr(AIOKafkaConnection, "send", silent)
    starting = asyncio.create_task(Client(bootstrap_servers=bootstrap).bootstrap())
    await eventually(lambda: len(connections) > 1)  # first its version is asked for
    starting.cancel()
    await asyncio.wait([starting], timeout=30)
    assert starting.done()

    assert {False} == {connection.connected() for connection in connections}
