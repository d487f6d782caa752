"""An entity's topic is held against its position: what is gone, emptied or recounted is none to go on in. On a real broker."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from aiokafka.admin import NewPartitions

from connector.clock import Clock
from connector.kafka.records import Record
from connector.messages.position import Position, TopicFacts
from connector.sandbox import Sandbox, SandboxOptions
from connector.source.bundles import Bundle
from connector.source.position_writer import Shard, WriterContext
from connector.source.shard import ShardRunner
from connector.source.topic_facts import lost, passed_over, written
from connector.wiring import Worker
from tests.support.kafka.topics import admin, create_topic, topic_settings
from tests.support.source.controlling import answered, ask
from tests.support.source.polling import configuration, events_of, eventually, level, truth, working
from tests.support.source.resized import resize

NAMES = ("order", "relation")
FACTS = TopicFacts(4, 100)


def state(worker: Worker, prefix: str, entity: str) -> str:
    """As it is shown; empty while nobody reads it."""
    row = worker.status.rows().get((prefix, entity))
    return row["state"] if row else ""


@pytest.mark.parametrize(
    ("position", "now", "wrong"),
    [
        (Position(7, topic=FACTS), FACTS, ""),
        (Position(7, topic=FACTS), TopicFacts(4, 5000), ""),
        (Position(7, topic=FACTS), TopicFacts(4, 99), "was emptied, cut or made anew"),
        (Position(7, topic=FACTS), TopicFacts(4, 0), "was emptied, cut or made anew"),
        (Position(7, topic=FACTS), TopicFacts(6, 100), "has 6 partitions and was written with 4"),
        (Position(7, topic=FACTS), None, "is gone"),
        (Position(7, topic=TopicFacts(4, 0)), None, ""),
        (Position(7, topic=TopicFacts(4, 0)), TopicFacts(4, 0), ""),
        (Position(7), TopicFacts(4, 0), "is empty"),
        (Position(7), TopicFacts(4, 9), ""),
        (Position(7), None, "is gone"),
        (Position(), None, ""),
        (Position(), TopicFacts(4, 0), ""),
    ],
)
def test_what_is_wrong_with_a_topic(position: Position, now: TopicFacts | None, wrong: str) -> None:
    """Nothing that was published may be missing, and a key lies in one partition; an entity without items has an empty topic."""
    told = lost("a.orders", "order", position, now)
    assert wrong in told
    assert bool(told) == bool(wrong)
    assert not told or "resync order --from 0" in told


@pytest.mark.parametrize(
    ("read", "asked", "advised"),
    [
        (None, ("A",), False),
        (("A", "B"), ("B",), False),
        (("A",), ("A", "B"), True),
        (("A",), (), True),
        ((), ("A",), True),
        ((), (), False),
    ],
)
def test_order_types_that_were_not_asked_for_before(read: tuple[str, ...] | None, asked: tuple[str, ...], advised: bool) -> None:
    """Orders of theirs lie below the position; nobody knows which types the POS chooses by itself."""
    assert advised is passed_over(read, asked)


def test_end_offsets_are_known_at_least() -> None:
    """Each event raises their sum by one or more; what goes elsewhere does not."""
    records = [Record("a.orders", b"1", b"{}"), Record("a.sync-markers", b"order", b"{}"), Record("a.orders", b"2", None)]
    assert TopicFacts(4, 102) == written(FACTS, "a.orders", records)
    assert written(None, "a.orders", records) is None


@pytest.mark.parametrize("done", ["deleted", "partitions added"])
async def test_a_topic_that_changed_while_nobody_ran_stops_its_entity_alone(bootstrap: str, prefix: str, done: str) -> None:
    """A deleted one is made anew, empty: all in it would be missing. A resync from 0 into the right topic publishes all again."""
    async with Sandbox(SandboxOptions(items=8)) as pos:
        config = configuration(bootstrap, prefix, pos, entities=NAMES)
        async with working(config) as worker:
            await level(worker, pos, NAMES)
        async with admin(bootstrap) as client:
            if done == "deleted":
                await client.delete_topics([f"{prefix}.orders"])
            else:
                await client.create_partitions({f"{prefix}.orders": NewPartitions(3)})
        async with working(config) as worker:
            await eventually(lambda: state(worker, prefix, "order") == "topic-lost")
            pos.shop.change("order", 3)
            pos.shop.change("relation", 3)
            await level(worker, pos, ["relation"])
            assert worker.status.rows()[prefix, "order"]["position"] < pos.shop.heads()["order"]
            assert "resync order --from 0" in worker.status.rows()[prefix, "order"]["reason"]
            if done == "deleted":
                await ask(bootstrap, prefix, "resync", "order", from_=0)
                await answered(bootstrap, prefix, "resync", "accepted")
                await level(worker, pos, ["order"])
                assert dict(truth(pos, "order")) == dict(await events_of(bootstrap, f"{prefix}.orders"))
        async with working(config) as worker:
            kept = "running" if done == "deleted" else "topic-lost"
            await eventually(lambda: state(worker, prefix, "order") == kept)
            reason = worker.status.rows()[prefix, "order"]["reason"]
            assert bool(reason) == (kept == "topic-lost") == ("resync order --from 0" in reason)


async def test_a_topic_that_is_deleted_while_everything_runs_does_not_come_back_by_itself(bootstrap: str, prefix: str) -> None:
    """With other partitions, cleaned up after a week: that is what a broker would make of it. The entity stops, and says so."""
    async with Sandbox(SandboxOptions(items=8)) as pos:
        config = configuration(bootstrap, prefix, pos, entities=NAMES, work_partitions=1)
        async with working(config) as worker:
            await level(worker, pos, NAMES)
            async with admin(bootstrap) as client:
                await client.delete_topics([f"{prefix}.orders"])
            pos.shop.change("order", 3)
            pos.shop.change("relation", 3)
            await eventually(lambda: state(worker, prefix, "order") == "topic-lost", 40)
            await level(worker, pos, ["relation"])

            async with admin(bootstrap) as client:
                assert f"{prefix}.orders" not in await client.list_topics()
            await ask(bootstrap, prefix, "resync", "order", from_=0)
            await answered(bootstrap, prefix, "resync", "accepted")
            await level(worker, pos, ["order"])
        assert dict(truth(pos, "order")) == dict(await events_of(bootstrap, f"{prefix}.orders"))
        assert "compact" == (await topic_settings(bootstrap, f"{prefix}.orders"))["cleanup.policy"]


async def test_a_topic_that_somebody_made_again_otherwise_is_not_gone_on_in(bootstrap: str, prefix: str) -> None:
    """A client of somebody else's made it, to be cleaned up after a week: the resync is rejected, and says what is wrong."""
    async with Sandbox(SandboxOptions(items=8)) as pos:
        config = configuration(bootstrap, prefix, pos, entities=NAMES, work_partitions=1)
        async with working(config) as worker:
            await level(worker, pos, NAMES)
            async with admin(bootstrap) as client:
                await client.delete_topics([f"{prefix}.orders"])
            pos.shop.change("order", 3)
            await eventually(lambda: state(worker, prefix, "order") == "topic-lost", 40)
            await create_topic(bootstrap, f"{prefix}.orders", 1, **{"cleanup.policy": "delete"})
            await ask(bootstrap, prefix, "resync", "order", from_=0)
            (answer,) = await answered(bootstrap, prefix, "resync", "rejected")
            assert "cleanup.policy=delete" in answer["reason"]
            assert "topic-lost" == state(worker, prefix, "order")


async def test_a_topic_that_refuses_records_costs_its_own_entity(bootstrap: str, prefix: str) -> None:
    """Others on the same work partition go on meanwhile; once it takes records, nothing is missing or there twice."""
    async with Sandbox(SandboxOptions(items=8)) as pos:
        config = configuration(bootstrap, prefix, pos, entities=NAMES, work_partitions=1)
        async with working(config) as worker:
            await level(worker, pos, NAMES)
            await resize(bootstrap, f"{prefix}.orders", 100)
            pos.shop.change("order", 3)
            await eventually(lambda: state(worker, prefix, "order") == "failed")
            for _ in range(5):
                pos.shop.change("relation", 2)
                await level(worker, pos, ["relation"])
            assert state(worker, prefix, "order") in ("failed", "running")
            await resize(bootstrap, f"{prefix}.orders", 8 << 20)
            await level(worker, pos, ["order"])

        for entity, topic in (("order", "orders"), ("relation", "relations")):
            events = await events_of(bootstrap, f"{prefix}.{topic}")
            assert len(set(events)) == len(events)
            assert dict(truth(pos, entity)) == dict(events)


def test_events_on_their_way_are_not_missing_from_the_topic() -> None:
    """A slow line to Kafka takes seconds for a transaction: the topic ends before it until it is committed."""
    ended: list[asyncio.Future[None]] = []
    loop = asyncio.new_event_loop()

    def submit(_: Sequence[Record]) -> "asyncio.Future[None]":
        ended.append(loop.create_future())
        return ended[-1]

    nobody: Any = None
    shard = Shard("a", "order", "a.orders", "p", "c", "r", nobody, None, nobody, nobody, nobody, nobody)
    context = WriterContext(submit, lambda *_: b"", 0, "me", nobody, Clock())
    before = Position(7, topic=FACTS)
    runner = ShardRunner(shard, before, context, FACTS)
    writer = runner._writer
    writer.commit(Bundle(replace(before, marker=9), [Record("a.orders", b"1", b"{}")] * 2))

    assert "" == runner.lost(FACTS, runner.committed)
    ended[-1].set_result(None)
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    assert TopicFacts(4, 102) == runner.committed.topic
    assert "ends before" in runner.lost(FACTS, runner.committed)
