"""A whole worker between a sandbox and a real broker: what stands in the topics, exactly."""

import re
from datetime import UTC, datetime
from itertools import pairwise

import orjson

from connector.kafka.records import shard_partition
from connector.sandbox import Sandbox, SandboxOptions
from connector.source.entities import ENTITIES
from tests.support.kafka.topics import read_all
from tests.support.source.polling import configuration, events_of, eventually, headers, level, positions, truth, working

MARKED = [entity.name for entity in ENTITIES if entity.head]
TOPICS = {entity.name: entity.topic for entity in ENTITIES}
STATUS = {"head", "position", "backlog", "age", "rate", "state", "owner", "digest", "at"}


async def test_every_entity_arrives_exactly_once_with_its_position(bootstrap: str, prefix: str) -> None:
    """All sixteen: the events are those of the POS, the positions stand at the heads, each in its own work partition."""
    async with Sandbox(SandboxOptions(items=12)) as pos:
        config = configuration(bootstrap, prefix, pos, work_partitions=3, page_size=5)
        async with working(config) as worker:
            await level(worker, pos, MARKED)
            await eventually(lambda: all(row["position"] for row in worker.status.rows().values()))

        for name in MARKED:
            assert truth(pos, name) == await events_of(bootstrap, f"{prefix}.{TOPICS[name]}"), name
        for name, rows in pos.shop.lists.rows.items():
            assert set(rows) == {identity for identity, _ in await events_of(bootstrap, f"{prefix}.{TOPICS[name]}")}
        committed = await positions(bootstrap, prefix)
        assert {entity.name for entity in ENTITIES} == set(committed)
        for entity in ENTITIES:
            partition, row = committed[entity.name]
            assert shard_partition(prefix, entity.number, 3) == partition
            assert (prefix, 3, "running", 0) == (row["group"], row["partitions"], row["state"], row["epoch"])
        for name in MARKED:
            assert pos.shop.heads()[name] == committed[name][1]["syncMarker"]
        assert {"syncMarker", "group"} <= set(committed["order"][1])


async def test_a_restart_publishes_nothing_again(bootstrap: str, prefix: str) -> None:
    """Neither of entities nor of slow lists; what changed meanwhile is published."""
    async with Sandbox(SandboxOptions(items=6)) as pos:
        config = configuration(bootstrap, prefix, pos, entities=("order", "deliveryMethod"))
        async with working(config) as worker:
            await level(worker, pos, ["order"])
            await eventually(lambda: worker.status.rows()[prefix, "deliveryMethod"]["position"])
        lists = await events_of(bootstrap, f"{prefix}.delivery-methods")
        pos.shop.change_item("order", next(iter(pos.truth()["order"])))
        asked = pos.requests.counts["getDeliveryMethods"]
        async with working(config) as worker:
            await level(worker, pos, ["order"])
            await eventually(lambda: pos.requests.counts["getDeliveryMethods"] >= asked + 2)

        events = await events_of(bootstrap, f"{prefix}.orders")
        assert len(set(events)) == len(events) == len(truth(pos, "order")) + 1
        assert lists == await events_of(bootstrap, f"{prefix}.delivery-methods")


async def test_an_event_is_exactly_what_the_contract_says(bootstrap: str, prefix: str) -> None:
    """Headers, key and value of an order."""
    before = datetime.now(UTC)
    async with Sandbox(SandboxOptions(items=3)) as pos:
        async with working(configuration(bootstrap, prefix, pos, entities=("order",))) as worker:
            await level(worker, pos, ["order"])

        for record in await read_all(bootstrap, f"{prefix}.orders"):
            identity = record.key.decode()
            marker = pos.truth()["order"][identity]
            found = headers(record.headers)
            time = found.pop("ce_time")
            assert {
                "content-type": "application/json",
                "ce_specversion": "1.0",
                "ce_id": f"order:{identity}:{marker}",
                "ce_source": f"/mplus/{prefix}",
                "ce_type": "mplus-connector.order.changed",
                "ce_subject": identity,
                "ce_dataschema": "urn:mplus-connector:entity:order",
                "ce_syncmarker": str(marker),
                "ce_origin": "poll",
            } == found
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", time)
            assert before.timestamp() - 0.001 <= datetime.fromisoformat(time).timestamp() <= datetime.now(UTC).timestamp()
            value = orjson.loads(record.value)
            assert (identity, marker) == (value["orderId"], value["syncMarker"])


async def test_identities_and_stock_follow_the_contract(bootstrap: str, prefix: str) -> None:
    """A {year, number} is `2026-17`; stock's key is branch and article, its id ends in the stock id, and it has no tombstones."""
    names = ("purchaseOrder", "stock", "articleGroup")
    async with Sandbox(SandboxOptions(items=30)) as pos:
        pos.shop.delete("articleGroup", next(iter(pos.truth()["articleGroup"])))
        async with working(configuration(bootstrap, prefix, pos, entities=names)) as worker:
            await level(worker, pos, names)

        assert all(re.fullmatch(r"20\d\d-\d+", r.key.decode()) for r in await read_all(bootstrap, f"{prefix}.purchase-orders"))
        stock = await read_all(bootstrap, f"{prefix}.stock")
        for record in stock:
            value = orjson.loads(record.value)
            assert f"{value.get('branchNumber') or 0}-{value['articleNumber']}" == record.key.decode()
            assert f"stock:{record.key.decode()}:{value['stockId']}" == headers(record.headers)["ce_id"]
        assert sorted(pos.truth()["stock"].values()) == sorted(orjson.loads(record.value)["stockId"] for record in stock)
        groups = await read_all(bootstrap, f"{prefix}.article-groups")
        for tombstone in [record for record in groups if record.value is None]:
            assert {"ce_syncmarker"} == set(headers(tombstone.headers))
            (event,) = [r for r in groups if r.partition == tombstone.partition and r.offset == tombstone.offset - 1]
            assert event.key == tombstone.key
            assert "mplus-connector.articleGroup.deleted" == headers(event.headers)["ce_type"]
        assert [record for record in groups if record.value is None]


async def test_within_a_partition_markers_rise(bootstrap: str, prefix: str) -> None:
    """Also when a page spreads over partitions and changes keep coming."""
    async with Sandbox(SandboxOptions(items=20, activity=100)) as pos:
        async with working(configuration(bootstrap, prefix, pos, entities=("order",), page_size=3)) as worker:
            await eventually(lambda: pos.shop.heads()["order"] > 80, 30)
            pos.activity.rate = 0
            await level(worker, pos, ["order"])

        records = await read_all(bootstrap, f"{prefix}.orders")
        for partition in {record.partition for record in records}:
            markers = [int(headers(record.headers)["ce_syncmarker"]) for record in records if record.partition == partition]
            assert sorted(set(markers)) == markers


async def test_the_status_topic_tells_of_every_entity_at_least_every_five_seconds(bootstrap: str, prefix: str) -> None:
    """With everything that `status` shows; keyed by the entity."""
    names = ("order", "deliveryMethod", "receipt")
    async with Sandbox(SandboxOptions(items=5)) as pos:
        async with working(configuration(bootstrap, prefix, pos, entities=names)) as worker:
            await level(worker, pos, ["order", "receipt"])
            seen: dict[str, list[int]] = {}
            while min((len(times) for times in seen.values()), default=0) < 3 or len(seen) < 3:
                records = await read_all(bootstrap, f"{prefix}.connector-status")
                seen = {key.decode(): [r.timestamp for r in records if r.key == key] for key in {r.key for r in records}}

        assert set(names) == set(seen)
        for times in seen.values():
            assert max(later - earlier for earlier, later in pairwise(times)) <= 5000
        row = orjson.loads([record for record in records if record.key == b"order"][-1].value)
        assert set(row) >= STATUS
        assert (pos.shop.heads()["order"], pos.shop.heads()["order"], 0, 0.0) == (
            row["head"],
            row["position"],
            row["backlog"],
            row["age"],
        )
        assert ("running", prefix, "order") == (row["state"], row["administration"], row["entity"])
        assert re.fullmatch(r"[0-9a-f]{8}", row["digest"])
