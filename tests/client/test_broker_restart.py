"""OrderCommands while its broker goes away and comes back."""

import asyncio

import pytest

from connector.client import OrderCommands
from connector.errors import Unanswered
from connector.local_kafka.start import Broker
from tests.support.kafka.order_topics import answering, commands_of, make_topics
from tests.support.kafka.topics import read_all


async def test_a_broker_that_restarts_delays_and_loses_nothing(own_kafka: Broker, prefix: str) -> None:
    """What is not confirmed is said so, and sending it again is safe; then both sides go on by themselves."""
    bootstrap = own_kafka.bootstrap
    await make_topics(bootstrap, prefix)
    command = {"commandId": "c-1", "command": "cancelOrder", "extOrderId": "a"}
    async with OrderCommands(bootstrap, prefix) as commands:
        async with answering(bootstrap, prefix):
            assert (await commands.send({**command, "commandId": "c-0"}, timeout=30)).succeeded
        await asyncio.to_thread(own_kafka.kill)
        with pytest.raises(Unanswered, match="not confirmed"):
            await commands.submit(command, timeout=3)
        await asyncio.to_thread(own_kafka.restart)
        async with answering(bootstrap, prefix):
            assert (await commands.send(command, timeout=60)).succeeded
            assert (await commands.result("c-1", timeout=30)).succeeded
    sent = [record.value for record in await read_all(bootstrap, commands_of(prefix))]

    assert 1 == len(set(sent[1:]))
