"""The rules of the source protocol, each with an attempt to break it, on a real broker."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from connector.kafka.cluster import Cluster
from connector.kafka.records import shard_partition
from connector.kafka.writing.transactions import fenced_producer
from connector.sandbox import Sandbox, SandboxOptions
from connector.source.entities import named
from connector.wiring import Worker
from tests.support.kafka.topics import end_offsets, read_all
from tests.support.source.polling import (
    configuration,
    events_of,
    eventually,
    headers,
    level,
    only,
    owned,
    positions,
    truth,
    working,
)
from tests.support.source.resized import resize

ORDERS = ("order",)


def lost(worker: Worker, prefix: str) -> bool:
    """Whether the worker has let go of the partition where orders are read."""
    return work_partition(prefix, "order") not in owned(worker)


def work_partition(prefix: str, entity: str, partitions: int = 2) -> int:
    """Where the entity's work is done."""
    return shard_partition(prefix, named([entity])[0].number, partitions)


@pytest.mark.parametrize("refusing", ["orders", "sync-markers"])
async def test_a_page_and_its_position_are_committed_together_or_not_at_all(bootstrap: str, prefix: str, refusing: str) -> None:
    """Whichever of them the broker refuses: the other does not become visible. Once it accepts, all arrives once."""
    async with Sandbox(only("order", 30)) as pos:
        config = configuration(bootstrap, prefix, pos, entities=ORDERS, page_size=10)
        async with working(config) as worker:
            await level(worker, pos, ORDERS)
            before = await events_of(bootstrap, f"{prefix}.orders")
            _, position = (await positions(bootstrap, prefix))["order"]
            await resize(bootstrap, f"{prefix}.{refusing}", 100)
            written = sum((await end_offsets(bootstrap, f"{prefix}.orders", "read_uncommitted")).values())
            pos.shop.change("order", 20)
            await eventually(lambda: lost(worker, prefix))
            await eventually(lambda: not lost(worker, prefix))
            await eventually(lambda: lost(worker, prefix))

            assert before == await events_of(bootstrap, f"{prefix}.orders")
            assert position == (await positions(bootstrap, prefix))["order"][1]
            if refusing == "sync-markers":  # the events were sent, and aborted
                assert written < sum((await end_offsets(bootstrap, f"{prefix}.orders", "read_uncommitted")).values())
            await resize(bootstrap, f"{prefix}.{refusing}", 8 << 20)
            await level(worker, pos, ORDERS)

        events = await events_of(bootstrap, f"{prefix}.orders")
        assert len(set(events)) == len(events)
        assert dict(truth(pos, "order")) == dict(events)
        assert pos.shop.heads()["order"] == (await positions(bootstrap, prefix))["order"][1]["syncMarker"]


async def test_positions_are_found_at_every_moment_with_the_events_they_cover(bootstrap: str, prefix: str) -> None:
    """Whenever a reader of committed records looks: every item up to a position is there."""
    async with Sandbox(only("order", 5, activity=150)) as pos:
        config = configuration(bootstrap, prefix, pos, entities=ORDERS, page_size=5)
        async with working(config) as worker:
            await level(worker, pos, ORDERS)
            for _ in range(8):
                _, row = (await positions(bootstrap, prefix))["order"]
                events = {marker for _, marker in await events_of(bootstrap, f"{prefix}.orders")}
                assert {marker for marker in pos.truth()["order"].values() if marker <= row["syncMarker"]} <= events


async def test_a_worker_whose_producer_was_fenced_joins_again_and_goes_on(bootstrap: str, prefix: str) -> None:
    """It does not answer with a new producer of its own at once; nothing is lost, nothing doubled."""
    async with Sandbox(only("order", 20)) as pos:
        async with working(configuration(bootstrap, prefix, pos, entities=ORDERS)) as worker:
            await level(worker, pos, ORDERS)
            partition = work_partition(prefix, "order")
            for _ in range(2):
                async with fenced_producer(Cluster(bootstrap), f"{prefix}.{partition}", partition):
                    pos.shop.change("order", 10)
                    await eventually(lambda: lost(worker, prefix))
                await level(worker, pos, ORDERS)

        events = await events_of(bootstrap, f"{prefix}.orders")
        assert len(set(events)) == len(events)
        assert dict(truth(pos, "order")) == dict(events)


async def test_two_workers_share_the_work_and_hand_it_over(bootstrap: str, prefix: str) -> None:
    """Each partition has one owner; a worker that leaves is replaced; nothing is lost or doubled while the shop is busy."""
    async with Sandbox(SandboxOptions(items=5, activity=60)) as pos:
        config = configuration(bootstrap, prefix, pos, entities=("order", "receipt"), page_size=5)
        async with working(config) as first:
            await eventually(lambda: owned(first) == {0, 1})
            async with working(config) as second:
                await eventually(lambda: len(owned(first)) == 1 == len(owned(second)), 30)
                assert {0, 1} == owned(first) | owned(second)
                assert {entity for _, entity in first.status.rows()} | {entity for _, entity in second.status.rows()} <= {
                    "order",
                    "receipt",
                }
            await eventually(lambda: owned(first) == {0, 1}, 30)
            pos.activity.rate = 0
            await level(first, pos, ("order", "receipt"))

        for entity, topic in (("order", "orders"), ("receipt", "receipts")):
            events = await events_of(bootstrap, f"{prefix}.{topic}")
            assert len(set(events)) == len(events)
            assert set(truth(pos, entity)) <= set(events)


async def test_a_regressed_head_is_remembered_and_stops_only_its_entity(bootstrap: str, prefix: str) -> None:
    """Over a restart, while the markers come again; the others go on; nothing of it is published."""
    names = ("order", "receipt")
    async with Sandbox(SandboxOptions(items=20)) as pos:
        config = configuration(bootstrap, prefix, pos, entities=names)

        def state(worker: Worker) -> Any:
            return worker.status.rows().get((prefix, "order"), {}).get("state")

        async with working(config) as worker:
            await level(worker, pos, names)
            before = await events_of(bootstrap, f"{prefix}.orders")
            pos.shop.fall_back("order", 8)
            await eventually(lambda: state(worker) == "head-regressed")
        pos.shop.change("order", 20)
        async with working(config) as worker:
            await eventually(lambda: state(worker) == "head-regressed")
            pos.shop.change("receipt", 5)
            await level(worker, pos, ("receipt",))
            assert "head-regressed" == state(worker)

        assert before == await events_of(bootstrap, f"{prefix}.orders")
        assert dict(truth(pos, "receipt")) == dict(await events_of(bootstrap, f"{prefix}.receipts"))
        assert "head-regressed" == (await positions(bootstrap, prefix))["order"][1]["state"]


@asynccontextmanager
async def committed_offsets(bootstrap: str, group: str) -> AsyncIterator[AIOKafkaConsumer]:
    """A look at a group's offsets without joining it."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=group, enable_auto_commit=False)
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()


async def test_membership_is_proven_by_commits_of_the_group(bootstrap: str, prefix: str) -> None:
    """In the group of the contract, on every partition of the work topic."""
    async with Sandbox(only("order", 2)) as pos:
        async with working(configuration(bootstrap, prefix, pos, entities=ORDERS)) as worker:
            await level(worker, pos, ORDERS)
            await eventually(lambda: owned(worker) == {0, 1})
        async with committed_offsets(bootstrap, f"{prefix}.pollers") as consumer:
            found = [await consumer.committed(TopicPartition(f"{prefix}.work", partition)) for partition in (0, 1)]
    assert [0, 0] == found


async def test_small_events_leave_in_batches_that_their_topic_takes(bootstrap: str, prefix: str) -> None:
    """Also where CONNECTOR_MAX_EVENT_BYTES is smaller than a page: a refused batch would be sent again for ever."""
    import secrets

    async with Sandbox(only("relation", 60)) as pos:
        from connector.sandbox.soap.writing import item_xml

        for item in pos.shop.sequences["relation"]:
            xml = item_xml(pos.shop, item, "whole")
            item.xml["whole"] = xml.replace(b"<ns:name>", b"<ns:name>" + secrets.token_hex(10_000).encode(), 1)
        config = configuration(bootstrap, prefix, pos, entities=("relation",), max_event_bytes=64 << 10)
        async with working(config) as worker:
            await level(worker, pos, ("relation",))

        assert dict(truth(pos, "relation")) == dict(await events_of(bootstrap, f"{prefix}.relations"))
        assert [] == await read_all(bootstrap, f"{prefix}.dead-letters")


async def test_a_dead_letter_is_committed_with_its_page(bootstrap: str, prefix: str) -> None:
    """Once, under the entity's name, and it stays when the worker is started again."""
    from tests.support.source.spoiled import markers, spoil

    async with Sandbox(only("relation", 12)) as pos:
        bad = markers(pos, "relation")[4]
        spoil(pos, "relation", bad, "<ns:points>", "<ns:points>x")
        config = configuration(bootstrap, prefix, pos, entities=("relation",), page_size=3)
        for _ in range(2):
            async with working(config) as worker:
                await level(worker, pos, ("relation",))
                if _ == 0:
                    row: Mapping[str, Any] = worker.status.rows()[prefix, "relation"]
                    assert 1 == row["deadLetters"]

        (letter,) = await read_all(bootstrap, f"{prefix}.dead-letters")
        assert b"relation" == letter.key
        assert ("decode", f"{prefix}.relations") == tuple(
            headers(letter.headers)[f"__connect.errors.{name}"] for name in ("stage", "topic")
        )
