"""Repair on a real broker: what is asked is a hint, the owner looks for itself, and it ends once, whoever ends it."""

from collections.abc import Mapping
from typing import Any

from connector.messages.control import GONE_MAX, ITEMS_MAX
from connector.sandbox import Sandbox
from tests.support.program import at, running
from tests.support.source.controlling import answered, ask, final, origins, published, told
from tests.support.source.holes import vanish
from tests.support.source.polling import configuration, level, only, positions, truth, working

ORDERS = ("order",)


async def test_items_are_published_again_as_the_pos_shows_them(bootstrap: str, prefix: str) -> None:
    """With their ids, also one that moved on near by; what is nowhere, or beyond the position, is not; a silent POS fails it."""
    async with Sandbox(only("order", 30)) as pos:
        async with working(configuration(bootstrap, prefix, pos, entities=ORDERS, page_size=7)) as worker:
            await level(worker, pos, ORDERS)
            markers = pos.truth()["order"]
            first, second, third = list(markers)[3:6]
            pos.shop.change_item("order", third)
            await level(worker, pos, ORDERS)
            wanted = [[first, markers[first]], [second, markers[second]], [third, markers[third]], ["nobody", 5], [first, 999]]
            await ask(bootstrap, prefix, "repair", "order", items=wanted)
            rows = await answered(bootstrap, prefix, "repair", "done")
            assert [("accepted", ""), ("done", "3 of 5 published again")] == [(row["status"], row["reason"]) for row in rows]
            pos.faults.switch("drop_before", probability=1, operations=["getOrders"])
            await ask(bootstrap, prefix, "repair", "order", items=wanted, id="silent")
            await answered(bootstrap, prefix, "silent", "failed", within=60)
            pos.faults.clear()
        found = (await positions(bootstrap, prefix))["order"][1]
    assert (None, 1) == (found["repair"], found["control"]["offset"])
    repaired = [event for event in await published(bootstrap, f"{prefix}.orders") if event["ce_origin"] == "repair"]
    now = pos.truth()["order"]
    assert {f"order:{name}:{now[name]}" for name in (first, second, third)} == {event["ce_id"] for event in repaired}
    assert dict(truth(pos, "order")) == await final(bootstrap, f"{prefix}.orders")


async def test_a_lie_deletes_nothing(bootstrap: str, prefix: str) -> None:
    """Whatever last marker it names: the whole source is looked through, also what changes meanwhile."""
    async with Sandbox(only("order", 40, activity=40)) as pos:
        config = configuration(bootstrap, prefix, pos, entities=ORDERS, page_size=6, audit_requests_per_second=20)
        async with working(config) as worker:
            await level(worker, pos, ORDERS)
            there = list(pos.truth()["order"])[:20]
            await ask(bootstrap, prefix, "repair", "order", gone=[[name, number] for number, name in enumerate(there)])
            rows = await answered(bootstrap, prefix, "repair", "done")
            assert "0 of 20 gone" in rows[-1]["reason"]
            pos.activity.rate = 0
            await level(worker, pos, ORDERS)
    events = await published(bootstrap, f"{prefix}.orders")
    assert set() == {event["ce_id"] for event in events if event["ce_type"].endswith(".deleted")}
    assert dict(truth(pos, "order")) == await final(bootstrap, f"{prefix}.orders")


async def test_a_pos_that_shows_nothing_at_all_proves_nothing(bootstrap: str, prefix: str) -> None:
    """An answer without items is a legal one; it must not empty a topic."""
    async with Sandbox(only("order", 3)) as pos, working(configuration(bootstrap, prefix, pos, entities=ORDERS)) as worker:
        await level(worker, pos, ORDERS)
        gone = [[name, vanish(pos, "order", name)] for name in list(pos.truth()["order"])]
        await ask(bootstrap, prefix, "repair", "order", gone=gone)
        rows = await answered(bootstrap, prefix, "repair", "failed")
    assert "shows no item at all" in rows[-1]["reason"]


async def test_an_item_that_cannot_be_read_may_be_the_one_that_seems_gone(bootstrap: str, prefix: str) -> None:
    """Nobody can tell, so nothing is deleted."""
    async with Sandbox(only("relation", 10)) as pos:
        item = next(iter(pos.shop.sequences["relation"]))
        async with working(configuration(bootstrap, prefix, pos, entities=("relation",))) as worker:
            await level(worker, pos, ["relation"])
            item.xml["whole"] = b"<ns:relation><ns:name>x</ns:name></ns:relation>"
            await ask(bootstrap, prefix, "repair", "relation", gone=[["4711", 3]])
            rows = await answered(bootstrap, prefix, "repair", "failed")
    assert "cannot be read" in rows[-1]["reason"]


INVALID: Mapping[str, tuple[dict[str, Any], str]] = {
    "nothing": ({}, "say which items"),
    "no list": ({"items": {"a": 1}}, "items must be a list of [identity, sync marker]"),
    "no pairs": ({"items": ["a"]}, "items must be a list"),
    "no marker": ({"gone": [["a", "7"]]}, "gone must be a list"),
    "a truth": ({"gone": [["a", True]]}, "gone must be a list"),
    "negative": ({"items": [["a", -1]]}, "items must be a list"),
    "no identity": ({"items": [["", 1]]}, "items must be a list"),
    "endless identity": ({"items": [["x" * 1000, 1]]}, "items must be a list"),
    "too many": ({"items": [["a", 1]] * (ITEMS_MAX + 1)}, f"{ITEMS_MAX} at most"),
    "too many gone": ({"gone": [["a", 1]] * (GONE_MAX + 1)}, f"{GONE_MAX} at most"),
}


async def test_invalid_requests_are_rejected_and_a_stopped_entity_is_not_repaired(bootstrap: str, prefix: str) -> None:
    """With a reason, and nothing happens."""
    async with Sandbox(only("order", 8)) as pos, working(configuration(bootstrap, prefix, pos, entities=ORDERS)) as worker:
        await level(worker, pos, ORDERS)
        for name, (request, _) in INVALID.items():
            await ask(bootstrap, prefix, "repair", "order", id=name, **request)
        await ask(bootstrap, prefix, "pause", "order")
        await ask(bootstrap, prefix, "repair", "order", items=[["a", 1]], id="paused")
        for name, (_, reason) in {**INVALID, "paused": ({}, "it has stopped: paused")}.items():
            (answer,) = await answered(bootstrap, prefix, name, "rejected")
            assert reason in answer["reason"], name
    assert {"poll"} == origins(await published(bootstrap, f"{prefix}.orders")).keys()


async def test_another_request_takes_the_place_of_a_repair_that_looks(bootstrap: str, prefix: str) -> None:
    """It is told so; a rejected one does not; and meanwhile the entity is read as ever."""
    async with Sandbox(only("order", 30)) as pos:
        config = configuration(bootstrap, prefix, pos, entities=ORDERS, page_size=2, audit_requests_per_second=1)
        async with working(config) as worker:
            await level(worker, pos, ORDERS)
            await ask(bootstrap, prefix, "repair", "order", gone=[["nobody", 1]])
            await answered(bootstrap, prefix, "repair", "accepted")
            await ask(bootstrap, prefix, "resync", "order", from_=10_000, id="refused")
            await answered(bootstrap, prefix, "refused", "rejected")
            pos.shop.change_item("order", next(iter(pos.truth()["order"])))
            await level(worker, pos, ORDERS)
            assert ["accepted"] == [row["status"] for row in await told(bootstrap, prefix) if row["id"] == "repair"]
            await ask(bootstrap, prefix, "pause", "order")
            await answered(bootstrap, prefix, "pause", "done")
            rows = await answered(bootstrap, prefix, "repair", "failed")
            assert "a pause took its place" in rows[-1]["reason"]
            assert (await positions(bootstrap, prefix))["order"][1]["repair"] is None


async def test_the_next_owner_finishes_a_repair_after_kill_9(bootstrap: str, prefix: str) -> None:
    """Accepted once and done once, with its events; requests that were answered in between are not carried out again."""
    async with Sandbox(only("order", 30)) as pos:
        env = at(pos, bootstrap, prefix, CONNECTOR_ENTITIES="order", CONNECTOR_PAGE_SIZE=3, CONNECTOR_PARTITIONS=2)
        async with working(configuration(bootstrap, prefix, pos, entities=ORDERS)) as worker:
            await level(worker, pos, ORDERS)
        known, (name, marker) = len(truth(pos, "order")), truth(pos, "order")[4]
        async with running(env) as first:
            await ask(bootstrap, prefix, "repair", "order", items=[[name, marker]], gone=[["nobody", 3]])
            await answered(bootstrap, prefix, "repair", "accepted")
            await ask(bootstrap, prefix, "resync", "order", from_=10_000, id="refused")
            await answered(bootstrap, prefix, "refused", "rejected")
            first.process.kill()
            await first.process.wait()
        pending = (await positions(bootstrap, prefix, "read_committed"))["order"][1]
        assert ({"id": "repair", "partition": 0, "offset": 0}, 1) == (pending["repair"], pending["control"]["offset"])
        async with working(configuration(bootstrap, prefix, pos, entities=ORDERS, audit_requests_per_second=100)):
            await answered(bootstrap, prefix, "repair", "done", within=60)

    assert [("accepted", "repair"), ("rejected", "refused"), ("done", "repair")] == [
        (row["status"], row["id"]) for row in await told(bootstrap, prefix)
    ]
    events = await published(bootstrap, f"{prefix}.orders")
    assert {"poll": known, "repair": 2} == origins(events)
    assert {f"order:{name}:{marker}", "order:nobody:gone-3"} == {row["ce_id"] for row in events if row["ce_origin"] == "repair"}


async def test_no_older_state_lands_after_a_newer_one(bootstrap: str, prefix: str) -> None:
    """A busy shop, and one repair after the other: the last event of each item is its latest state."""
    async with (
        Sandbox(only("order", 30, activity=80)) as pos,
        working(configuration(bootstrap, prefix, pos, entities=ORDERS, page_size=6)) as worker,
    ):
        await level(worker, pos, ORDERS)
        for count in range(5):
            items = [[name, marker] for name, marker in pos.truth()["order"].items()][-ITEMS_MAX:]
            await ask(bootstrap, prefix, "repair", "order", items=items, id=f"r{count}")
            await answered(bootstrap, prefix, f"r{count}", "done")
        pos.activity.rate = 0
        await level(worker, pos, ORDERS)
    events = await published(bootstrap, f"{prefix}.orders")
    assert origins(events)["repair"]
    assert dict(truth(pos, "order")) == await final(bootstrap, f"{prefix}.orders")
