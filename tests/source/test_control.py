"""Control on a real broker: pause, resume and resync, each acknowledged, through restarts, restores and a busy shop."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from connector.sandbox import Sandbox, SandboxOptions
from connector.wiring import Worker
from tests.support.source.controlling import answered, ask, final, origins, published, told, write
from tests.support.source.polling import configuration, eventually, level, only, owned, positions, truth, working

ORDERS = ("order",)
BOTH = ("order", "receipt")


def row(worker: Worker, prefix: str, entity: str = "order") -> Any:
    """What the worker shows of an entity."""
    return worker.status.rows().get((prefix, entity), {})


async def record(bootstrap: str, prefix: str, entity: str = "order") -> dict[str, Any]:
    """The position record."""
    return (await positions(bootstrap, prefix))[entity][1]


async def test_a_paused_entity_stands_still_until_it_is_resumed(bootstrap: str, prefix: str) -> None:
    """Over a restart, shown in the status, while others go on; each request is accepted once and done once."""
    async with Sandbox(SandboxOptions(items=10)) as pos:
        config = configuration(bootstrap, prefix, pos, entities=BOTH)
        async with working(config) as worker:
            await level(worker, pos, BOTH)
            await ask(bootstrap, prefix, "pause", "order")
            rows = await answered(bootstrap, prefix, "pause", "done")
            assert ["accepted", "done"] == [each["status"] for each in rows]
            assert {("pause", "order", "")} == {(each["action"], each["entity"], each["reason"]) for each in rows}
            assert all(each["owner"] and each["at"] for each in rows)
            before = await published(bootstrap, f"{prefix}.orders")
            pos.shop.change("order", 5)
            pos.shop.change("receipt", 5)
            await level(worker, pos, ["receipt"])
            assert ("paused", "an operator paused it") == (row(worker, prefix)["state"], row(worker, prefix)["reason"])
        async with working(config) as worker:
            await eventually(lambda: (row(worker, prefix).get("backlog") or 0) > 0)
            pos.shop.change("receipt", 5)
            await level(worker, pos, ["receipt"])
            assert "paused" == row(worker, prefix)["state"]
            assert before == await published(bootstrap, f"{prefix}.orders")
            assert "paused" == (await record(bootstrap, prefix))["state"]

            await ask(bootstrap, prefix, "resume", "order")
            await answered(bootstrap, prefix, "resume", "done")
            await level(worker, pos, BOTH)
        assert 4 == len(await told(bootstrap, prefix))
        assert dict(truth(pos, "order")) == await final(bootstrap, f"{prefix}.orders")
        assert {"poll"} == origins(await published(bootstrap, f"{prefix}.orders")).keys()


async def test_a_resync_publishes_the_same_events_again_and_then_goes_on(bootstrap: str, prefix: str) -> None:
    """The same ids, marked as resync up to the old position; what came later is a poll's; done comes with the last of them."""
    async with Sandbox(only("order", 30)) as pos:
        config = configuration(bootstrap, prefix, pos, entities=ORDERS, page_size=7)
        async with working(config) as worker:
            await level(worker, pos, ORDERS)
            first = [event["ce_id"] for event in await published(bootstrap, f"{prefix}.orders")]
            markers = sorted(pos.truth()["order"].values())
            await ask(bootstrap, prefix, "resync", "order", from_=markers[10])
            await answered(bootstrap, prefix, "resync", "done")
            again = [event for event in await published(bootstrap, f"{prefix}.orders") if event["ce_origin"] == "resync"]

            assert markers[10:] == sorted(int(event["ce_syncmarker"]) for event in again)
            assert {event["ce_id"] for event in again} < set(first)
            pos.shop.change_item("order", next(iter(pos.truth()["order"])))
            await level(worker, pos, ORDERS)

        events = await published(bootstrap, f"{prefix}.orders")
        assert {"poll": len(first) + 1, "resync": len(again)} == origins(events)
        assert dict(truth(pos, "order")) == await final(bootstrap, f"{prefix}.orders")
        found = await record(bootstrap, prefix)
        assert (None, 0, {"partition": 0, "offset": 0}) == (found["resync"], found["epoch"], found["control"])
        assert ["accepted", "done"] == [each["status"] for each in await told(bootstrap, prefix)]


async def test_a_resync_forward_skips_what_lies_between(bootstrap: str, prefix: str) -> None:
    """Done at once: what follows was never read."""
    async with Sandbox(only("order", 40)) as pos:
        config = configuration(bootstrap, prefix, pos, entities=ORDERS, page_size=5)
        async with working(config) as worker:
            await level(worker, pos, ORDERS)
            await ask(bootstrap, prefix, "pause", "order")
            await answered(bootstrap, prefix, "pause", "done")
            old = pos.shop.heads()["order"]
            pos.shop.change("order", 20)
            new = pos.shop.heads()["order"]
            await ask(bootstrap, prefix, "resync", "order", from_=new - 2)
            await answered(bootstrap, prefix, "resync", "done")
            assert "paused" == row(worker, prefix)["state"]
            await ask(bootstrap, prefix, "resume", "order")
            await level(worker, pos, ORDERS)

        markers = {int(event["ce_syncmarker"]) for event in await published(bootstrap, f"{prefix}.orders")}
        assert set() == {marker for marker in markers if old < marker < new - 2}
        assert set(range(new - 2, new + 1)) & set(pos.truth()["order"].values()) <= markers
        assert {"poll"} == origins(await published(bootstrap, f"{prefix}.orders")).keys()


@pytest.mark.parametrize("action", ["resync", "resync to the end"])
async def test_a_resync_while_the_shop_is_busy_loses_nothing_and_ends_with_the_latest(
    bootstrap: str, prefix: str, action: str
) -> None:
    """Changes come all the time, and several resyncs: in each partition the last event of an item is its latest state."""
    async with Sandbox(only("order", 40, activity=120)) as pos:
        config = configuration(bootstrap, prefix, pos, entities=ORDERS, page_size=6)
        async with working(config) as worker:
            await level(worker, pos, ORDERS)
            for count in range(4):
                start = 0 if action == "resync" else pos.shop.heads()["order"] // 2
                await ask(bootstrap, prefix, "resync", "order", from_=start, id=f"r{count}")
                await answered(bootstrap, prefix, f"r{count}", "accepted")
                await asyncio.sleep(0.2 * count)
            pos.activity.rate = 0
            await answered(bootstrap, prefix, "r3", "done")
            await level(worker, pos, ORDERS)

        events = await published(bootstrap, f"{prefix}.orders")
        assert dict(truth(pos, "order")) == await final(bootstrap, f"{prefix}.orders")
        assert origins(events)["resync"]
        polled = [event["ce_id"] for event in events if event["ce_origin"] == "poll"]
        assert len(polled) == len(set(polled))
        endings = [each["status"] for each in await told(bootstrap, prefix) if each["status"] in ("done", "failed")]
        assert 4 == len(endings)


async def test_a_resync_leads_out_of_head_regressed_with_a_new_epoch(bootstrap: str, prefix: str) -> None:
    """From 0 by itself; ids end in the epoch, also later and after a restart; before, nothing else gets it out."""
    async with Sandbox(only("order", 30)) as pos:
        config = configuration(bootstrap, prefix, pos, entities=ORDERS, page_size=8)
        async with working(config) as worker:
            await level(worker, pos, ORDERS)
            before = len(await published(bootstrap, f"{prefix}.orders"))
            pos.shop.fall_back("order", 10)
            await eventually(lambda: row(worker, prefix)["state"] == "head-regressed")
            for action in ("pause", "resume"):
                await ask(bootstrap, prefix, action, "order")
                await answered(bootstrap, prefix, action, "rejected")
            assert "head-regressed" == (await record(bootstrap, prefix))["state"]
            head = pos.shop.heads()["order"]
            await ask(bootstrap, prefix, "resync", "order")
            await answered(bootstrap, prefix, "resync", "done")
            assert "running" == row(worker, prefix)["state"]
            found = await record(bootstrap, prefix)
            assert (1, head) == (found["epoch"], found["syncMarker"])
            pos.shop.change("order", 30)
            await level(worker, pos, ORDERS)
        async with working(config) as worker:
            pos.shop.change("order", 1)
            await level(worker, pos, ORDERS)

        later = [event for event in await published(bootstrap, f"{prefix}.orders") if event["ce_id"].endswith(":e1")]
        old = [event for event in await published(bootstrap, f"{prefix}.orders") if not event["ce_id"].endswith(":e1")]
        assert before == len(old)
        assert {"resync", "poll"} == origins(later).keys()
        assert all(int(event["ce_syncmarker"]) <= head for event in later if event["ce_origin"] == "resync")
        assert all(int(event["ce_syncmarker"]) > head for event in later if event["ce_origin"] == "poll")
        last = await final(bootstrap, f"{prefix}.orders")
        assert pos.truth()["order"].items() <= last.items()


@pytest.mark.parametrize("entity", ["deliveryMethod", "orderCategory"])
async def test_a_resync_of_a_list_publishes_all_of_it_again(bootstrap: str, prefix: str, entity: str) -> None:
    """With the next numbers; a row that is gone is deleted as ever; an empty list is done, too."""
    topic = f"{prefix}.{'delivery-methods' if entity == 'deliveryMethod' else 'order-categories'}"
    async with Sandbox(SandboxOptions(items=2)) as pos:
        rows = pos.shop.lists.rows[entity]
        async with working(configuration(bootstrap, prefix, pos, entities=(entity,))) as worker:
            await eventually(lambda: row(worker, prefix, entity).get("position") == len(rows))
            await ask(bootstrap, prefix, "resync", entity)
            await answered(bootstrap, prefix, "resync", "done")
            events = await published(bootstrap, topic)
            assert {"poll": len(rows), "resync": len(rows)} == origins(events)
            assert sorted(rows) == sorted(event["key"] for event in events if event["ce_origin"] == "resync")
            assert list(range(1, 2 * len(rows) + 1)) == sorted(int(event["ce_syncmarker"]) for event in events)

            await ask(bootstrap, prefix, "pause", entity)
            await answered(bootstrap, prefix, "pause", "done")
            rows.clear()
            operation = {"deliveryMethod": "getDeliveryMethods", "orderCategory": "getOrderCategories"}[entity]
            asked = pos.requests.counts[operation]
            await asyncio.sleep(0.5)
            assert asked == pos.requests.counts[operation]
            await ask(bootstrap, prefix, "resync", entity, id="again")
            await answered(bootstrap, prefix, "again", "accepted")
            await ask(bootstrap, prefix, "resume", entity)
            await answered(bootstrap, prefix, "again", "done")
            await ask(bootstrap, prefix, "resync", entity, id="empty")
            await answered(bootstrap, prefix, "empty", "done")

        gone = [event for event in await published(bootstrap, topic) if event["ce_type"].endswith(".deleted")]
        assert len({event["key"] for event in gone}) == len(gone) > 0
        assert (await record(bootstrap, prefix, entity))["resync"] is None


INVALID: Mapping[str, tuple[dict[str, Any], str]] = {
    "unknown entity": ({"action": "pause", "entity": "customer"}, "no entity customer"),
    "entity not read": ({"action": "pause", "entity": "receipt"}, "no entity receipt"),
    "unknown action": ({"action": "stop", "entity": "order"}, "unknown action stop"),
    "negative": ({"action": "resync", "entity": "order", "from": -1}, "whole number"),
    "no number": ({"action": "resync", "entity": "order", "from": "7"}, "whole number"),
    "a truth": ({"action": "resync", "entity": "order", "from": True}, "whole number"),
    "beyond the head": ({"action": "resync", "entity": "order", "from": 10_000}, "beyond the POS's head"),
    "no marker": ({"action": "resync", "entity": "order"}, "from which sync marker"),
    "endless": ({"action": "pause", "entity": "x" * 900_000}, "no entity xxx"),
    "marker of a list": ({"action": "resync", "entity": "orderCategory", "from": 3}, "as a whole"),
}


async def test_invalid_requests_are_rejected_with_a_reason(bootstrap: str, prefix: str) -> None:
    """One answer each, and nothing happens; what has no id, or is no JSON, is left; the next request is carried out."""
    async with Sandbox(only("order", 12)) as pos:
        config = configuration(bootstrap, prefix, pos, entities=("order", "orderCategory"))
        async with working(config) as worker:
            await level(worker, pos, ORDERS)
            before = await published(bootstrap, f"{prefix}.orders")
            endless = b"x" * 900_000
            for value in (
                b"",
                b"{",
                b"[]",
                b"{}",
                b'{"id":7,"action":"pause","entity":"order"}',
                b"\xff",
                b'{"id":"%s"}' % endless,
            ):
                await write(bootstrap, prefix, value, "order")
            for name, (request, _) in INVALID.items():
                await ask(bootstrap, prefix, **{"id": name, **request})
            for name, (_, reason) in INVALID.items():
                (answer,) = await answered(bootstrap, prefix, name, "rejected")
                assert reason in answer["reason"], name
            assert ("running", before) == (row(worker, prefix)["state"], await published(bootstrap, f"{prefix}.orders"))
            await ask(bootstrap, prefix, "pause", "order")
            await answered(bootstrap, prefix, "pause", "done")
        assert len(INVALID) + 2 == len(await told(bootstrap, prefix))


async def test_only_the_owner_acts_and_each_answer_comes_once(bootstrap: str, prefix: str) -> None:
    """Two workers hear everything; while they hand over partitions, none repeats or misses a request."""
    async with Sandbox(SandboxOptions(items=20)) as pos:
        config = configuration(bootstrap, prefix, pos, entities=BOTH, page_size=5)
        async with working(config) as first:
            await level(first, pos, BOTH)
            async with working(config) as second:
                await eventually(lambda: len(owned(first)) == 1 == len(owned(second)), 30)
                for entity in BOTH:
                    await ask(bootstrap, prefix, "resync", entity, from_=0, id=f"{entity} shared")
                for entity in BOTH:
                    await answered(bootstrap, prefix, f"{entity} shared", "done")
                for entity in (*BOTH, "customer"):
                    await ask(bootstrap, prefix, "pause", entity, id=f"{entity} handed over")
            for entity in BOTH:
                await answered(bootstrap, prefix, f"{entity} handed over", "done")
            await answered(bootstrap, prefix, "customer handed over", "rejected")
            await eventually(lambda: {row(first, prefix, entity).get("state") for entity in BOTH} == {"paused"}, 30)

        assert 9 == len(await told(bootstrap, prefix))
        for entity, topic in (("order", "orders"), ("receipt", "receipts")):
            found = origins(await published(bootstrap, f"{prefix}.{topic}"))
            assert found["poll"] == found["resync"] == len(truth(pos, entity))
            assert dict(truth(pos, entity)) == await final(bootstrap, f"{prefix}.{topic}")


async def test_the_next_owner_finishes_a_resync(bootstrap: str, prefix: str) -> None:
    """The bound and the request survive: the origin goes on, and done is sent once, by whoever gets there."""
    async with Sandbox(only("order", 60)) as pos:
        config = configuration(bootstrap, prefix, pos, entities=ORDERS, page_size=3)
        async with working(config) as worker:
            await level(worker, pos, ORDERS)
            pos.faults.switch("delay_seconds", probability=1, seconds=0.3, operations=["getOrders"])
            await ask(bootstrap, prefix, "resync", "order", from_=0)
            await answered(bootstrap, prefix, "resync", "accepted")
            await eventually(lambda: 0 < row(worker, prefix).get("position", 0) < 40)
        assert {"id": "resync", "upto": pos.shop.heads()["order"]} == (await record(bootstrap, prefix))["resync"]
        assert ["accepted"] == [each["status"] for each in await told(bootstrap, prefix)]
        pos.faults.clear()
        async with working(config):
            await answered(bootstrap, prefix, "resync", "done")

        assert 2 == len(await told(bootstrap, prefix))
        found = origins(await published(bootstrap, f"{prefix}.orders"))
        assert found["poll"] == found["resync"] == len(truth(pos, "order"))


async def test_a_page_that_is_under_way_is_dropped_by_a_resync(bootstrap: str, prefix: str) -> None:
    """It was asked from the old position: it is not committed after the new one, so nothing comes twice unmarked."""
    async with Sandbox(only("order", 20)) as pos:
        config = configuration(bootstrap, prefix, pos, entities=ORDERS, page_size=4)
        async with working(config) as worker:
            await level(worker, pos, ORDERS)
            asked, known = pos.requests.counts["getOrders"], set(pos.truth()["order"].values())
            pos.faults.switch("delay_after_seconds", count=1, seconds=1.5, operations=["getOrders"])
            pos.shop.change_item("order", next(iter(pos.truth()["order"])))
            await eventually(lambda: pos.requests.counts["getOrders"] > asked)
            await ask(bootstrap, prefix, "resync", "order", from_=1)
            await answered(bootstrap, prefix, "resync", "done")
            await level(worker, pos, ORDERS)

        events = await published(bootstrap, f"{prefix}.orders")
        ids = [event["ce_id"] for event in events if event["ce_origin"] == "poll"]
        assert len(ids) == len(set(ids)) == len(known) + 1
        assert dict(truth(pos, "order")) == await final(bootstrap, f"{prefix}.orders")


async def test_a_pos_that_does_not_answer_fails_a_resync_and_nothing_else(
    bootstrap: str, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The position stays; when the POS is back it goes on as before, and can be asked again."""
    from connector.source import shard as runner

    monkeypatch.setattr(runner, "HEAD_WITHIN_S", 1.0)
    async with Sandbox(only("order", 10)) as pos:
        async with working(configuration(bootstrap, prefix, pos, entities=ORDERS)) as worker:
            await level(worker, pos, ORDERS)
            pos.faults.switch("drop_before", probability=1)
            await ask(bootstrap, prefix, "resync", "order", from_=0)
            (answer,) = await answered(bootstrap, prefix, "resync", "failed")
            assert "does not tell its head" in answer["reason"]
            pos.faults.clear()
            pos.shop.change("order", 2)
            await level(worker, pos, ORDERS)
            await ask(bootstrap, prefix, "resync", "order", from_=0, id="again")
            await answered(bootstrap, prefix, "again", "done")
        assert dict(truth(pos, "order")) == await final(bootstrap, f"{prefix}.orders")


async def test_what_is_unread_grows_no_younger_by_a_request(bootstrap: str, prefix: str) -> None:
    """Nor by whatever else puts another poller in place: an alert waits for its age."""
    async with Sandbox(only("order", 10)) as pos, working(configuration(bootstrap, prefix, pos, entities=ORDERS)) as worker:
        await level(worker, pos, ORDERS)
        pos.faults.switch("server_fault", probability=1, operations=["getOrders"])
        pos.shop.change("order", 3)
        await eventually(lambda: row(worker, prefix)["age"] > 2)
        await ask(bootstrap, prefix, "pause", "order")
        await answered(bootstrap, prefix, "pause", "done")
        await eventually(lambda: row(worker, prefix)["age"] > 0)
        assert row(worker, prefix)["age"] > 2
