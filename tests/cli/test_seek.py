"""`seek`: a consumer group to where nothing from a sync marker on is missed."""

import json

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from connector.sandbox import Sandbox
from tests.support.kafka.topics import end_offsets, read_all
from tests.support.program import at, ended
from tests.support.source.controlling import answered, ask
from tests.support.source.polling import configuration, level, only, working

ORDERS = ("order",)


async def offsets(bootstrap: str, group: str, topic: str) -> dict[str, int | None]:
    """What the group has committed."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=group, enable_auto_commit=False)
    await consumer.start()
    try:
        return {str(partition): await consumer.committed(TopicPartition(topic, partition)) for partition in (0, 1)}
    finally:
        await consumer.stop()


@pytest.mark.parametrize("resynced", [False, True])
async def test_a_group_is_moved_to_where_nothing_is_missed(bootstrap: str, prefix: str, resynced: bool) -> None:
    """Also where a resync published lower markers again: all before is lower, the first there is not; shown before done."""
    topic, group = f"{prefix}.orders", f"{prefix}-readers"
    async with Sandbox(only("order", 30)) as pos:
        env = at(pos, bootstrap, prefix)
        async with working(configuration(bootstrap, prefix, pos, entities=ORDERS, page_size=7)) as worker:
            await level(worker, pos, ORDERS)
            if resynced:
                await ask(bootstrap, prefix, "resync", "order", from_=5)
                await answered(bootstrap, prefix, "resync", "done")
                pos.shop.change("order", 10)
                await level(worker, pos, ORDERS)
        marker = sorted(pos.truth()["order"].values())[14]
        shown = await ended("seek", "order", "--marker", str(marker), "--group", group, env=env)
        assert {"0": None, "1": None} == await offsets(bootstrap, group, topic)
        moved = await ended("seek", "orders", "--marker", str(marker), "--group", group, "--apply", "--json", env=env)

    assert (0, 0) == (shown.code, moved.code)
    assert "nothing is done without --apply" in shown.out
    row = json.loads(moved.out)
    assert (topic, group) == (row["topic"], row["moved"])
    assert row["offsets"] == await offsets(bootstrap, group, topic)
    for partition, offset in row["offsets"].items():
        assert f"{topic}[{partition}] → {offset}" in shown.out
    for record in await read_all(bootstrap, topic):
        first, found = row["offsets"][str(record.partition)], int(dict(record.headers)["ce_syncmarker"])
        assert record.offset >= first or found < marker
        assert record.offset != first or found >= marker


async def test_a_group_with_members_is_not_moved(bootstrap: str, prefix: str) -> None:
    """The broker itself refuses; once they are gone it is moved; a marker that is still to come is the end."""
    topic, group = f"{prefix}.orders", f"{prefix}-readers"
    async with Sandbox(only("order", 6)) as pos:
        env = at(pos, bootstrap, prefix)
        async with working(configuration(bootstrap, prefix, pos, entities=ORDERS)) as worker:
            await level(worker, pos, ORDERS)
        member = AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, group_id=group, auto_offset_reset="earliest")
        await member.start()
        try:
            await member.getmany(timeout_ms=5000)
            refused = await ended("seek", "order", "--marker", "0", "--group", group, "--apply", env=env)
        finally:
            await member.stop()
        moved = await ended("seek", "order", "--marker", "5000", "--group", group, "--apply", "--json", env=env)
        ends = await end_offsets(bootstrap, topic)

    assert 1 == refused.code
    assert "has members" in refused.errors[-1]
    assert 0 == moved.code
    assert {str(partition): end for partition, end in ends.items()} == json.loads(moved.out)["offsets"]


async def test_seek_needs_a_marker_a_group_and_an_entity(bootstrap: str, prefix: str) -> None:
    """Exit code 2 for wrong usage, 1 for a topic that is not there."""
    env = at("http://127.0.0.1:9", bootstrap, prefix)
    for arguments in (("order", "--marker", "1"), ("order", "--group", "g"), ("customer", "--marker", "1", "--group", "g")):
        assert 2 == (await ended("seek", *arguments, env=env)).code
    assert 1 == (await ended("seek", "order", "--marker", "1", "--group", "g", env=env)).code
