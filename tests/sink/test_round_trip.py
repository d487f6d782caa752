"""A whole worker with both roles: what a command did comes back as an event, and the group's offset stands where work ends."""

import asyncio
from typing import Any

from aiokafka import TopicPartition

from connector.sandbox import Sandbox, SandboxOptions
from tests.support.kafka.topics import admin, end_offsets, read_all
from tests.support.sink.commanding import PARTITIONS, QUICK, Commands, cancel, create, deliver, pay, update
from tests.support.source.polling import configuration, eventually, headers, working


async def group_offsets(bootstrap: str, group: str, topic: str) -> dict[int, int]:
    """Partition → what the group has committed."""
    async with admin(bootstrap) as client:
        found = await client.list_consumer_group_offsets(group)
    return {where.partition: found[where].offset for where in (TopicPartition(topic, it) for it in range(PARTITIONS))}


async def events(commands: Commands) -> list[tuple[str, int]]:
    """orderId and marker of every event of an order."""
    records = await read_all(commands.bootstrap, f"{commands.prefix}.orders")
    return [(record.key.decode(), int(headers(record.headers)["ce_syncmarker"])) for record in records if record.value]


async def test_what_a_command_did_comes_back_as_an_event(bootstrap: str, prefix: str) -> None:
    """Of each result's order there is an event with its marker or a higher one, the last as the order stands now."""
    async with Sandbox(SandboxOptions(items=3)) as pos:
        config = configuration(bootstrap, prefix, pos, entities=("order",), **QUICK)
        commands = Commands(bootstrap, prefix, pos)
        async with working(config, roles=("source", "commands")) as worker:
            results = await commands.run(
                create("c-1", "web-1"),
                create("c-2", "web-2", prepay=True, paymentList=[{"method": "IDEAL", "amount": 100}]),
                update("c-3", "web-1", reference="red"),
                pay("c-4", "web-2", 100),
                deliver("c-5", "web-1"),
                cancel("c-6", "web-2"),
            )
            head = pos.shop.heads()["order"]
            await eventually(lambda: worker.status.rows()[prefix, "order"]["position"] >= head)
            told = await events(commands)
            ends = await end_offsets(bootstrap, f"{prefix}.order-commands")
            async with asyncio.timeout(10):
                while ends != (found := await group_offsets(bootstrap, f"{prefix}.commands", f"{prefix}.order-commands")):
                    assert all(found[partition] <= end for partition, end in ends.items())

    assert {"succeeded"} == {row["outcome"] for row in results}
    for row in results:
        assert isinstance(row["syncMarker"], int)
        assert any(order == row["orderId"] and marker >= row["syncMarker"] for order, marker in told), row
    latest: dict[str, Any] = dict(told)
    for name in ("web-1", "web-2"):
        assert commands.order(name)["syncMarker"] == latest[commands.order(name)["orderId"]]
    assert {0: 3, 1: 3} == ends
